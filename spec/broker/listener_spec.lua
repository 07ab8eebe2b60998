-- SPDX-License-Identifier: MIT
-- stomp.broker: the listener and its sessions, over sockets.
local broker_module = require "stomp.broker"
local fixture = require "spec.support.fixture"
local scheduler = require "stomp.loop.scheduler"
local socket = require "socket"
local stomp = require "stomp"

local patience = os.getenv("STOMP_TEST_SLOW") and 60 or 10

local function listen(options)
  return assert(broker_module.listen("ws://127.0.0.1:0/ws", options))
end

local function connect(broker, options)
  return assert(stomp.connect(broker.url, options))
end

--- Let the loop run until f() is true.
local function await(f)
  local deadline = stomp.now() + patience
  while not f() do
    assert(stomp.now() < deadline, "it did not come")
    stomp.sleep(0.005)
  end
end

describe("stomp.broker.listen", function()
  it("says where it listens, on a port of its choice", function()
    for given, shown in pairs {
      ["ws://127.0.0.1:0/ws"] = "^ws://127%.0%.0%.1:[1-9]%d*/ws$",
      ["ws://localhost:0"] = "^ws://localhost:[1-9]%d*/$",
      ["ws://127.0.0.2:0/a:0/b?c=:0"] = "^ws://127%.0%.0%.2:[1-9]%d*/a:0/b%?c=:0$",
    } do
      local broker = assert(broker_module.listen(given))
      assert.truthy(broker.url:match(shown), broker.url)
      assert.equal("broker at " .. broker.url, tostring(broker))
      connect(broker):close()
      broker:close()
    end
  end)

  it("listens on the port that was asked for, which then is taken", function()
    local first = listen()
    local err = fixture.failure("connect", broker_module.listen(first.url))
    assert.truthy(err.message:find(first.url:match(":(%d+)/"), 1, true))
    first:close()
  end)

  it("fails with invalid for what it cannot be", function()
    for _, url in ipairs {
      "nonsense", "", "wss://127.0.0.1:0/", "http://127.0.0.1:0/",
      "ws://127.0.0.1:99999/", "ws://0.0.0.0:0/", "ws://10.0.0.1:0/",
      "ws://127.evil.example:0/", "ws://localhost.example:0/", "ws://[::]:0/",
    } do
      fixture.failure("invalid", broker_module.listen(url))
    end
  end)

  it("frees its port at once when it is closed", function()
    local first = listen()
    local waiting = assert(socket.connect("127.0.0.1", first.url:match(":(%d+)/")))
    first:close()
    local second = assert(broker_module.listen(first.url))
    assert.equal(first.url, second.url)
    second:close()
    waiting:close()
  end)

  it("listens elsewhere where allow_remote says so", function()
    local broker = assert(broker_module.listen("ws://0.0.0.0:0/", { allow_remote = true }))
    assert(stomp.connect((broker.url:gsub("0%.0%.0%.0", "127.0.0.1")))):close()
    broker:close()
  end)

  it("raises at the caller's line for misuse", function()
    local url = "ws://127.0.0.1:0/"
    for text, f in pairs {
      ["url"] = function() broker_module.listen(5) end,
      ["unknown option 'login'"] = function() broker_module.listen(url, { login = "a" }) end,
      ["option 'logins'"] = function() broker_module.listen(url, { logins = true }) end,
      ["option 'allow_remote'"] = function() broker_module.listen(url, { allow_remote = 1 }) end,
      ["option 'timeout': number expected"] = function() broker_module.listen(url, { timeout = "1" }) end,
    } do
      assert.truthy(fixture.raised(f):find(text, 1, true))
    end
  end)

  it("raises at the caller's line for options that it could not serve by", function()
    for text, options in pairs {
      ["option 'queue_limit' is out of range"] = { queue_limit = -1 },
      ["option 'timeout' is out of range"] = { timeout = -5 },
      ["option 'send' is out of range"] = { heartbeat = { send = -1 } },
      ["unknown option 'sned'"] = { heartbeat = { sned = 1 } },
      ["unknown option 'foo'"] = { limits = { foo = 1 } },
      ["option 'frame': number expected"] = { limits = { frame = "x" } },
      ["option 'logins': the passcode of 'a': string expected, got number"] = { logins = { a = 5 } },
      ["option 'logins': a login: string expected, got number"] = { logins = { "a" } },
      ["option 'server': a control character"] = { server = "a\nb" },
      ["option 'loop': it has no function"] = { loop = {} },
      ["option 'transport': it has no function listen"] = { transport = {} },
    } do
      local raised = fixture.raised(function() broker_module.listen("ws://127.0.0.1:0/", options) end)
      assert.truthy(raised:find(text, 1, true), raised)
    end
  end)
end)

describe("the embedded broker", function()
  local broker
  after_each(function()
    if broker then broker:close() end
    broker = nil
  end)

  it("serves a plain script that is its own broker's client", function()
    broker = listen()
    local client = connect(broker)
    local subscription = assert(client:subscribe("/queue/a"))
    assert(client:send("/queue/a", "hello", nil, { confirm = true }))
    assert.equal("hello", assert(subscription:receive(patience)).body)
    assert.is_true(client:disconnect())
  end)

  it("serves tasks of stomp.run, which does not wait for its close", function()
    local body
    body, broker = stomp.run(function()
      local own = listen()
      local client = connect(own)
      local subscription = assert(client:subscribe("/topic/a", { confirm = true }))
      stomp.spawn(function()
        local other = connect(own)
        assert(other:send("/topic/a", "from another task"))
        other:disconnect()
      end)
      local message = assert(subscription:receive(patience))
      client:disconnect()
      return message.body, own
    end)
    assert.equal("from another task", body)
    connect(broker):close()
  end)

  it("does not keep stomp.run from returning, open and with a session or none", function()
    local late, client = false, nil
    for _, with_session in ipairs { false, true } do
      local own
      own, client = stomp.run(function()
        local open = listen()
        scheduler.spawn(function()
          stomp.sleep(patience)
          if not open.closed then late = true end
          open:close()
        end, nil, true)
        return open, with_session and connect(open) or nil
      end)
      assert.is_false(late, "it waited for the broker")
      connect(own):close() -- it serves on whenever the loop runs
      if client then assert(client:send("/queue/a", "", nil, { confirm = true })) end
      own:close()
    end
    client:close()
  end)

  it("lets in only who has a login", function()
    broker = listen { logins = { ann = "secret" } }
    connect(broker, { login = "ann", passcode = "secret" }):close()
    for _, options in ipairs {
      {}, { login = "ann", passcode = "wrong" }, { login = "ann" }, { login = "eve" },
      { login = "eve", passcode = "secret" },
    } do
      local err = fixture.failure("broker", stomp.connect(broker.url, options))
      assert.truthy(err.message:find("Bad CONNECT", 1, true))
      assert.is_nil(err.message:find("secret", 1, true))
    end
  end)

  it("stands in for the broker that its server header names: replies and prefetch", function()
    for _, server in ipairs { "lua-stomp/0.1.0", "RabbitMQ/3.10.8", "ActiveMQ/5.17.2" } do
      broker = listen { server = server }
      local client, service = connect(broker), connect(broker)
      assert.equal(server, client.server)
      assert(service:subscribe("/queue/service", { confirm = true },
        function(message) assert(message:reply(message.body:upper())) end))
      stomp.spawn(function() service:run() end)
      for _, word in ipairs { "a", "b", "c" } do
        assert.equal(word:upper(), assert(client:request("/queue/service", word, { timeout = patience })).body)
      end
      local subscribed = server:find("ActiveMQ") and 2 or 1
      assert.equal(subscribed, broker:stats().subscriptions)
      assert(client:subscribe("/queue/work", { ack = "client-individual", prefetch = 1, confirm = true }))
      for i = 1, 3 do assert(client:send("/queue/work", tostring(i), nil, { confirm = true })) end
      assert.equal(1, broker:stats("/queue/work").unacknowledged)
      assert.equal(2, broker:stats("/queue/work").queued)
      client:close()
      service:close()
      broker:close()
    end
  end)

  it("agrees on heart-beats", function()
    broker = listen { heartbeat = { send = 2, receive = 3 } }
    local client = connect(broker, { heartbeat = { send = 1, receive = 1 } })
    assert.same({ send = 3, receive = 2 }, client.heartbeat)
    client:close()
  end)

  it("counts its sessions, and forgets those that end", function()
    broker = listen()
    local a, b = connect(broker), connect(broker)
    assert(a:subscribe("/queue/a", { confirm = true }))
    assert.equal(2, broker:stats().sessions)
    assert.equal(1, broker:stats().subscriptions)
    a:close()
    await(function() return broker:stats().sessions == 1 end)
    assert.equal(0, broker:stats().subscriptions)
    b:disconnect()
    await(function() return broker:stats().sessions == 0 end)
  end)

  it("gives the messages of a lost client to another, in order", function()
    broker = listen()
    local a, b = connect(broker), connect(broker)
    local held = assert(a:subscribe("/queue/a", { ack = "client-individual", confirm = true }))
    for i = 1, 5 do assert(b:send("/queue/a", tostring(i))) end
    for _ = 1, 5 do assert(held:receive(patience)) end
    a:close()
    local again = assert(b:subscribe("/queue/a"))
    for i = 1, 5 do
      local message = assert(again:receive(patience))
      assert.equal(tostring(i), message.body)
      assert.is_truthy(message.redelivered)
    end
    b:close()
  end)

  it("ends a session that acknowledges what is none, and no other", function()
    broker = listen()
    local client = connect(broker)
    local port = tonumber(broker.url:match(":(%d+)/"))
    local link = assert(require "stomp.lws".open {
      connect_host = "127.0.0.1", connect_port = port, host_header = "x", path = "/ws",
    })
    local function next_of()
      local frame, message, err
      await(function()
        frame, message, err = link:next()
        return frame ~= nil or message ~= nil
      end)
      return frame, message, err
    end
    assert.equal("CONNECTED", next_of().command)
    assert(link:send("ACK", { id = "no-such-message" }))
    local frame = next_of()
    local kind = frame and frame.command or select(3, frame).kind
    assert.truthy(kind == "ERROR" or kind == "broker")
    assert(client:send("/queue/a", "", nil, { confirm = true }))
    await(function() return broker:stats().sessions == 1 end)
    link:close()
    client:close()
  end)

  it("drops a session in which it fails itself, and goes on", function()
    broker = listen()
    local frame, stderr, said = broker.engine.frame, io.stderr, ""
    local function keep(_, ...) said = said .. table.concat { ... } end
    io.stderr = { write = keep } -- luacheck: ignore 122 (put back below)
    broker.engine.frame = function(self, session, given, now)
      if given.body == "trap" then error("a bug") end
      return frame(self, session, given, now)
    end
    local a, b = connect(broker), connect(broker)
    assert(a:send("/queue/a", "trap"))
    local ended, _, err = a:run(patience)
    io.stderr = stderr -- luacheck: ignore 122 (as it was)
    assert.is_nil(ended)
    assert.equal("closed", err.kind)
    assert.truthy(said:find("a bug", 1, true))
    assert.equal(1, broker:stats().sessions)
    assert(b:send("/queue/a", "fine", nil, { confirm = true }))
    b:close()
  end)

  it("gives up a consumer that does not read; the others get everything", function()
    broker = listen { limits = { outbox = 262144 } }
    local slow = connect(broker, { limits = { inbox = 65536, inbox_hard = 131072 } })
    local quick, publisher = connect(broker), connect(broker)
    assert(slow:subscribe("/topic/flood", { confirm = true }))
    local flood = assert(quick:subscribe("/topic/flood", { confirm = true }))
    local body, most, given_up = ("x"):rep(100000), 0, false
    for i = 1, 300 do
      assert(publisher:send("/topic/flood", i .. " " .. body))
      assert.equal(tostring(i), assert(flood:receive(patience)).body:match("^%d+"))
      for session in pairs(broker.engine.sessions) do
        most = math.max(most, session.pending_bytes)
        given_up = given_up or session.refused
      end
    end
    assert.is_true(most > 262144 and most <= 8388608, most)
    assert.is_true(given_up)
    slow:close()
    await(function() return broker:stats().sessions == 2 end)
    quick:close()
    publisher:close()
  end)

  it("ends its sessions when it is closed, and takes no more", function()
    local own = listen()
    local client = connect(own)
    own:close()
    own:close()
    local ended, _, err = client:run(patience)
    assert.is_nil(ended)
    assert.equal("closed", err.kind)
    await(function() return own:stats().sessions == 0 end)
    fixture.failure("connect", stomp.connect(own.url, { timeout = patience }))
  end)

  it("is closed by the end of its scope", function()
    local own = listen()
    getmetatable(own).__close(own)
    local client, _, err = stomp.connect(own.url, { timeout = patience })
    assert.is_nil(client)
    assert.truthy(err.kind == "connect" or err.kind == "closed" or err.kind == "upgrade", err.kind)
  end)
end)
