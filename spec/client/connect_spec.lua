-- SPDX-License-Identifier: MIT
-- stomp.connect: STOMP 1.2, "Connecting".
local fixture = require "spec.support.fixture"
local stomp = require "stomp"

local function connect(options, script, url)
  local loop, net = fixture.net(script)
  local all = { loop = loop, transport = net, proxy = false }
  for name, value in pairs(options or {}) do all[name] = value end
  return net, stomp.connect(url or "ws://broker.test/ws", all)
end

describe("stomp.connect", function()
  it("returns a client that knows what CONNECTED said", function()
    local _, client = connect({}, {
      CONNECT = function(server)
        server:accept { server = "fake/2", session = "s-1" }
      end,
    })
    assert.equal("connected", client.state)
    assert.equal("1.2", client.version)
    assert.equal("fake/2", client.server)
    assert.equal("s-1", client.session)
    assert.equal("ws://broker.test/ws", client.url)
    assert.equal("fake", client.loop)
    assert.same({ send = 10, receive = 10 }, client.heartbeat)
  end)

  it("sends host / and no login that nobody gave", function()
    local net = connect()
    local headers = net.server:got("CONNECT")[1].headers
    assert.equal("/", headers.host)
    assert.is_nil(headers.login)
    assert.is_nil(headers.passcode)
  end)

  it("sends login, passcode and more headers, and no host for false", function()
    local net = connect {
      login = "me", passcode = "secret", host = false, headers = { ["client-id"] = "c" },
    }
    local headers = net.server:got("CONNECT")[1].headers
    assert.is_nil(headers.host)
    assert.equal("me", headers.login)
    assert.equal("secret", headers.passcode)
    assert.equal("c", headers["client-id"])
  end)

  it("gives the transport the URL's parts", function()
    local net = connect(nil, nil, "wss://[::1]:8443/a?b=c")
    assert.equal("::1", net.options.host)
    assert.equal(8443, net.options.port)
    assert.is_true(net.options.secure)
    assert.equal("[::1]:8443", net.options.host_header)
    assert.equal("/a?b=c", net.options.path)
  end)

  it("takes a list of one URL", function()
    local _, client = connect(nil, nil, { "ws://broker.test/ws" })
    assert.equal("connected", client.state)
  end)

  it("fails with broker, permanent, when the login is refused", function()
    local net, client, message, err = connect({ login = "me" }, {
      CONNECT = function(server)
        assert(server.connection:refuse("Bad CONNECT", "Access refused\nfor you"))
        server.link.pipe[1] = server.connection:output()
      end,
    })
    fixture.failure("broker", client, message, err)
    assert.equal("broker: Bad CONNECT: Access refused", message)
    assert.is_true(err.permanent)
    assert.equal("ERROR", err.frame.command)
    assert.is_true(net.link.n_close > 0)
  end)

  it("fails with timeout, naming the phase, when no CONNECTED comes", function()
    local net, client, message, err = connect({ timeout = 3 }, { CONNECT = false })
    fixture.failure("timeout", client, message, err)
    assert.truthy(message:find("within 3 s", 1, true))
    assert.truthy(message:find("CONNECT", 1, true))
    assert.equal(1003, net.loop.now())
    assert.is_true(net.link.n_close > 0)
  end)

  it("fails with closed when the connection is cut before CONNECTED", function()
    local _, client, message, err = connect({}, {
      CONNECT = function(server) server:close() end,
    })
    fixture.failure("closed", client, message, err)
  end)

  it("names escape_connect when a backslash in the passcode may be the reason", function()
    local _, client, message = connect({ passcode = [[a\b]] }, {
      CONNECT = function(server) server:close(1007, "{bad_escape}") end,
    })
    assert.is_nil(client)
    assert.truthy(message:find("escape_connect", 1, true))
    assert.is_nil(message:find([[a\b]], 1, true))
  end)

  it("fails with invalid for a URL that is none", function()
    for _, url in ipairs { "broker", "http://h/", "ws://", "ws://h:0/", "ws://h:70000",
      "ws://h/#x", "ws://h/a b", "ws://me:pw@h/", "ws://h\r\nX: y/" } do
      local net, client, message, err = connect(nil, nil, url)
      fixture.failure("invalid", client, message, err)
      assert.is_true(err.permanent)
      assert.is_nil(net.link)
    end
    local _, client, message, err = connect(nil, nil, { "ws://a", "wss://b" })
    fixture.failure("invalid", client, message, err)
    assert.is_true(err.permanent)
  end)

  it("refuses CONNECT headers that an option sets", function()
    for _, headers in ipairs { { login = "x" }, { { "heart-beat", "1,1" } } } do
      local _, client, message, err = connect { headers = headers }
      fixture.failure("invalid", client, message, err)
      assert.truthy(message:find("option", 1, true))
    end
  end)

  it("refuses CONNECT headers that belong to other frames", function()
    for _, name in ipairs { "destination", "id", "ack", "transaction" } do
      for _, headers in ipairs { { [name] = "x" }, { { "a", "b" }, { name, "x" } } } do
        local net, client, message, err = connect { headers = headers }
        fixture.failure("invalid", client, message, err)
        assert.equal(("invalid: header %s is none of CONNECT"):format(name), message)
        assert.is_true(err.permanent)
        assert.is_nil(net.link)
      end
    end
  end)

  it("raises at the caller's line for misuse, with the name", function()
    local cases = {
      { { foo = 1 }, "unknown option 'foo'" },
      { { login = 1 }, "option 'login'" },
      { { timeout = -1 }, "option 'timeout'" },
      { { timeout = 0 / 0 }, "timeout" },
      { { limits = { frames = 1 } }, "unknown option 'frames'" },
      { { heartbeat = { send = "1" } }, "option 'send'" },
      { { binary = "some" }, "option 'binary'" },
      { { reconnect = 1 }, "option 'reconnect'" },
      { { reconnect = { delay = 1 } }, "unknown option 'delay'" },
      { { reconnect = { jitter = 2 } }, "option 'jitter'" },
      { { headers = { "x" } }, "option 'headers': a list" },
      { { headers = { x = {} } }, "option 'headers': header 'x'" },
      { { headers = { { "x" } } }, "option 'headers': header 'x'" },
      { { upgrade_headers = { [true] = "x" } }, "option 'upgrade_headers': header names" },
      { { versions = {} }, "option 'versions': the list is empty" },
      { { versions = { "2.0" } }, "option 'versions'" },
      { { redact = { 1 } }, "redact[1]" },
      { { transport = {} }, "option 'transport': it has no function open" },
      { { loop = { now = os.time } }, "option 'loop': it has no function" },
    }
    for _, case in ipairs(cases) do
      local message = fixture.raised(function() stomp.connect("ws://h", case[1]) end)
      assert.truthy(message:find(case[2], 1, true), message)
    end
    assert.has_error(function() stomp.connect(5) end)
    assert.has_error(function() stomp.connect {} end)
    assert.has_error(function() stomp.connect { "ws://a", 5 } end)
  end)
end)

describe("a client", function()
  it("says in one line what it is, without secrets", function()
    local client = fixture.connect { login = "me", passcode = "pa55" }
    local text = tostring(client)
    assert.equal("stomp.client ws://broker.test/ws connected STOMP 1.2", text)
  end)

  it("traces both ways without secrets", function()
    local lines = {}
    local client, _, net = fixture.connect {
      login = "me", passcode = "pa55", redact = { "X-Token" },
      trace = function(direction, text) lines[#lines + 1] = direction .. " " .. text end,
    }
    local subscription = client:subscribe("/queue/a")
    client:send("/queue/a", ("b"):rep(300), { ["x-token"] = "t0k" })
    net.server:message("sub-1", "two\nlines")
    subscription:receive()
    client:disconnect()
    local all = table.concat(lines, "\n")
    for _, part in ipairs { "send CONNECT", "receive CONNECTED", "send SUBSCRIBE",
      "send SEND", "(300 bytes)", "receive MESSAGE", [[two\nlines]], "send DISCONNECT",
      "receive RECEIPT", "info closed" } do
      assert.truthy(all:find(part, 1, true), part)
    end
    assert.is_nil(all:find("pa55", 1, true))
    assert.is_nil(all:find("t0k", 1, true))
    assert.is_nil(all:find(("b"):rep(201), 1, true))
  end)

  it("is the collector's when nobody has it, open or not", function()
    local seen = setmetatable({}, { __mode = "k" })
    do
      local client, loop = fixture.connect()
      client:subscribe("/queue/a", function() end)
      client:receive(1)
      loop.idle()
      seen[client] = true
      client = nil -- luacheck: ignore 311 (the stack slot, too)
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)
end)
