-- SPDX-License-Identifier: MIT
-- Known answers of brokers and what is said about them: each row of the table, the
-- way through the client, and RabbitMQ.
local errors = require "stomp.errors"
local fixture = require "spec.support.fixture"
local hints = require "stomp.hints"
local rabbitmq = require "spec.support.rabbitmq"
local stomp = require "stomp"

local defaults = { ping = 20, binary = "auto" }

local function error_of(kind, text, fields)
  return errors.new(kind, text, fields)
end

local function closed(code, reason, last)
  return error_of("closed", "the peer closed the connection: close code " .. code, {
    code = code, reason = reason, after = { last and { command = last, destination = "/queue/a" } },
  })
end

local function refused(text, body)
  return error_of("broker", text, { frame = { command = "ERROR", body = body or "" } })
end

local all_binary = { ping = 20, binary = "always" }

-- error, connecting, words of its hint, settings, server
local cases = {
  { refused("Bad CONNECT: x", "Virtual host 'localhost' access denied"), true, "option host" },
  { refused("Bad CONNECT", "Access refused for user 'guest'\n"), true, "login and passcode; RabbitMQ" },
  { refused("User name [me] or password is invalid."), true, "login and passcode" },
  { refused("Version mismatch", "Supported versions are 1.0,1.1,1.2"), true, "option versions" },
  { error_of("upgrade", "no", { status = 200 }), true, "/websocket" },
  { error_of("upgrade", "no", { status = 400 }), true, "/websocket" },
  { error_of("upgrade", "no", { status = 401 }), true, "upgrade_headers" },
  { error_of("upgrade", "no", { status = 403 }), true, "Origin" },
  { error_of("upgrade", "no", { status = 404 }), true, "RabbitMQ has /ws" },
  { closed(1007, "{frame_too_big,5000000}", "SEND"), false, "4 MiB a frame" },
  { closed(1007, "too_many_headers", "SEND"), false, "100 headers" },
  { closed(1009, nil, "SEND"), false, "one message" },
  { error_of("limit", "frame larger than limits.frame"), false, "limits.frame is" },
  { refused("access_refused", "ACCESS_REFUSED - access to exchange 'x'"), false, "set_permissions" },
  { refused("not_found", "NOT_FOUND - no exchange 'x' in vhost '/'"), false, "declare" },
  { refused("Invalid destination", "'/temp-queue/a' is not a valid destination"), false, "reply-to" },
  { refused("Unexpected ACK received for message-id [null]"), false, "twice" },
  { closed(1007, nil, "SEND"), false, "no UTF-8", { ping = 20, binary = "never" } },
  { closed(1000, "STOMP died", "ACK"), false, "ACK that it does not expect" },
  { closed(1000, "STOMP died", "SEND"), false, "exchange that does not exist" },
  { closed(1000, "STOMP died"), false, "missed our heart-beats, too" },
  { closed(1000), false, "option ping", { ping = 0, binary = "auto" } },
  { closed(1000), true, "no CONNECTED" },
  -- ActiveMQ
  { error_of("timeout", "no CONNECTED from x (CONNECT was sent) within 2 s"), true, "ignores binary", all_binary },
  { refused("User reader is not authorized to write to: queue://a"), false, "authorizationEntry" },
  { refused("COMMIT FAILED: Transaction marked rollback only"), false, "commit a NACK" },
  { refused("Poison ack cannot be transacted: MessageAck {commandId = 7}"), false, "commit a NACK" },
  { closed(1000), false, "without a name", nil, "ActiveMQ/5.18.6" },
  -- Artemis
  { refused("AMQ339011 Error sending message CoreMessage[…]"), false, "no permission" },
  { refused("AMQ339016 Error creating subscription sub-1"), false, "client-id" },
  { refused("AMQ339025 failed to ack because no message with id 1,2"), false, "twice" },
  { refused("AMQ339031 Error handling send"), false, "numbers" },
  { refused("AMQ229014: Did not receive data from x within the 60000ms connection TTL."), false, "every 60 s" },
}

describe("stomp.hints", function()
  it("has words for each known answer", function()
    local used = {}
    for _, case in ipairs(cases) do
      local err, connecting, words = case[1], case[2], case[3]
      local hint = hints.find(err, case[4] or defaults, connecting, case[5])
      assert.truthy(hint and hint:find(words, 1, true), err.message .. ": " .. tostring(hint))
      for _, row in ipairs(hints.rows) do
        if row.hint == hint then used[row] = true end
      end
    end
    for i, row in ipairs(hints.rows) do
      assert.is_true(used[row], ("no case for row %d: %s"):format(i, row.hint))
    end
  end)

  it("says nothing where it knows nothing", function()
    for _, err in ipairs {
      closed(1001), closed(1000), closed(1000, "bye", "SEND"), closed(1007, "odd", "SEND"),
      refused("Processing error", "something"), error_of("heartbeat", "nothing came"),
      error_of("upgrade", "no", { status = 500 }), error_of("connect", "no connection"),
      refused("Virtual host 'x' access denied"), -- not while connecting
      error_of("timeout", "no RECEIPT for SEND /queue/a within 2 s"),
    } do
      assert.is_nil(hints.find(err, defaults, false))
      assert.is_nil(hints.find(err, defaults, false, "RabbitMQ/3.10.8"))
    end
  end)

  it("goes into the error once", function()
    local err = error_of("upgrade", "no", { status = 200 })
    local message = hints.add(err, defaults, true)
    assert.equal("upgrade: no (behind SockJS the path ends in /websocket)", message)
    assert.equal(message, err.message)
    assert.equal(message, tostring(err))
    assert.equal(message, hints.add(err, defaults, true))
    assert.equal("behind SockJS the path ends in /websocket", err.hint)
    local plain = error_of("connect", "no connection")
    assert.equal("connect: no connection", hints.add(plain, defaults, true))
  end)
end)

describe("a client tells the hint", function()
  it("of an ERROR while connecting", function()
    local loop, net = fixture.net {
      CONNECT = function(server)
        assert(server.connection:refuse("Bad CONNECT", "Virtual host 'x' access denied"))
        server.link.pipe[1] = server.connection:output()
      end,
    }
    local err = fixture.failure("broker",
      stomp.connect("ws://broker.test/ws", { loop = loop, transport = net, proxy = false, host = "x" }))
    assert.truthy(err.message:find("option host", 1, true))
    assert.is_true(err.permanent)
  end)

  it("of a CONNECT that is not answered", function()
    local loop, net = fixture.net { CONNECT = function() end }
    local err = fixture.failure("timeout",
      stomp.connect("ws://broker.test/ws", { loop = loop, transport = net, proxy = false, binary = "always" }))
    assert.truthy(err.hint:find("ignores binary", 1, true))
  end)

  it("to whoever waits for the RECEIPT that an ERROR refuses, and says it once", function()
    local said = "User reader is not authorized to write to: queue://a"
    local client = fixture.connect({}, {
      SEND = function(server, frame)
        server:send("ERROR", { message = said, ["receipt-id"] = frame.headers.receipt }, said)
      end,
    })
    local err = fixture.failure("broker", client:send("/queue/a", "", nil, { confirm = true }))
    assert.equal(("broker: %s (%s)"):format(said, err.hint), err.message)
  end)

  it("of an ERROR and of a close later, to all who are told", function()
    for _, last in ipairs {
      function(server) server:send("ERROR", { message = "not_found" }, "NOT_FOUND - no exchange 'x' in vhost '/'") end,
      function(server) server:close(1000, "STOMP died") end,
    } do
      local told
      local client, _, net = fixture.connect { on_disconnect = function(message) told = message end }
      assert(client:send("/exchange/x/k", ""))
      last(net.server)
      local _, message, err = client:run()
      assert.truthy(message:find("exchange", 1, true))
      assert.equal(message, err.message)
      assert.equal(message, told)
      assert.truthy(err.hint)
    end
  end)
end)

describe("RabbitMQ's answers have hints #broker", function()
  local function attempt(options, act, path)
    local all = { login = rabbitmq.login, passcode = rabbitmq.passcode, proxy = false }
    for name, value in pairs(options) do all[name] = value end
    local client, message, err = stomp.connect(rabbitmq.url():gsub("/ws$", path or "/ws"), all)
    if client then
      act(client)
      local _
      _, message, err = client:run(20)
    end
    return message, err
  end

  local function expect(words, ...)
    local message, err = attempt(...)
    assert.truthy(err and err.hint and err.hint:find(words, 1, true), tostring(message))
  end

  it("for virtual host, login and path", function()
    expect("option host", { host = "localhost" })
    expect("options login and passcode", { passcode = "wrong" })
    expect("RabbitMQ has /ws", {}, nil, "/stomp")
  end)

  it("for a backslash that it unescapes", function()
    local message = attempt { passcode = [[a\b]] }
    assert.truthy(message:find("escape_connect", 1, true))
  end)

  it("for an exchange that does not exist and a reply queue of its own", function()
    expect("exchange", {}, function(client) client:send("/exchange/lua-stomp-none/k", "") end)
    expect("exchange", {}, function(client) client:subscribe("/exchange/lua-stomp-none/k") end)
    expect("reply-to", {}, function(client) client:subscribe("/temp-queue/a") end)
  end)

  it("for a login without permissions #process", function()
    local name = "hint-" .. os.time()
    rabbitmq.ctl(("add_user %s secret"):format(name))
    expect("the login needs permissions", { login = name, passcode = "secret" })
    rabbitmq.ctl(("set_permissions -p / %s '^$' '^$' '^$'"):format(name))
    expect("permission", { login = name, passcode = "secret" }, function(client)
      client:send("/queue/lua-stomp", "")
    end)
    rabbitmq.ctl("delete_user " .. name)
  end)

  it("for bytes in a text message", function()
    expect("no UTF-8", { binary = "never" }, function(client) client:send("/queue/lua-stomp-hint", "\255") end)
  end)
end)

describe("RabbitMQ's idle close has a hint #broker #soak", function()
  it("after a minute in which nothing was sent", function()
    local client = assert(stomp.connect(rabbitmq.url(), {
      login = rabbitmq.login, passcode = rabbitmq.passcode, proxy = false, ping = 0,
      heartbeat = { send = 0, receive = 0 },
    }))
    local _, message, err = client:run(120)
    assert.equal("closed", err.kind, message)
    assert.truthy(err.hint:find("option ping", 1, true))
  end)
end)
