-- SPDX-License-Identifier: MIT
-- stomp.broker over sockets: stop, start, restart, run; cut connections, and what
-- it does wrong on purpose. The engine's specs have the cases without sockets.
local broker_module = require "stomp.broker"
local fixture = require "spec.support.fixture"
local socket = require "socket"
local stomp = require "stomp"

local patience = os.getenv("STOMP_TEST_SLOW") and 60 or 20

describe("the embedded broker", function()
  local broker, clients
  before_each(function() clients = {} end)
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    broker:close()
  end)

  local function listen(options)
    broker = assert(broker_module.listen("ws://127.0.0.1:0/ws", options))
    return broker
  end

  local function try(options)
    local all = { timeout = patience }
    for name, value in pairs(options or {}) do all[name] = value end
    return stomp.connect(broker.url, all)
  end

  local function connect(options)
    local client = assert(try(options))
    clients[#clients + 1] = client
    return client
  end

  local function await(f)
    local deadline = stomp.now() + patience
    while not f() do
      assert(stomp.now() < deadline, "it did not come")
      stomp.sleep(0.005)
    end
  end

  local function ends(client, kind)
    local _, message, err = client:run(patience)
    assert.equal(kind, err and err.kind, message)
    return err
  end

  describe("that is stopped", function()
    it("lets nobody in, and starts again at the same place with its queues", function()
      listen()
      local a = connect()
      local held = assert(a:subscribe("/queue/a", { ack = "client-individual", confirm = true }))
      for i = 1, 3 do assert(a:send("/queue/a", tostring(i), nil, { confirm = true })) end
      assert(assert(held:receive(patience)):ack())
      assert(a:send("/queue/b", "", nil, { confirm = true }))
      local url = broker.url
      broker:stop()
      assert.equal(0, broker:stats().sessions)
      assert.equal(2, broker:stats("/queue/a").queued)
      assert.is_nil(ends(a, "closed").code)
      fixture.failure("connect", try())
      assert.is_true(broker:start())
      assert.equal(url, broker.url)
      local again = assert(connect():subscribe("/queue/a"))
      for i = 2, 3 do
        local message = assert(again:receive(patience))
        assert.equal(tostring(i), message.body)
        assert.is_true(message.redelivered)
      end
    end)

    it("is stopped and started as often as wanted", function()
      listen()
      for i = 1, 10 do
        assert.is_true(broker:start()) -- it listens already
        local client = connect()
        assert(client:send("/queue/a", tostring(i), nil, { confirm = true }))
        assert.is_true(broker:restart())
        ends(client, "closed")
      end
      assert.equal(10, broker:stats().queued)
      assert.equal(10, broker:stats().connects)
    end)

    it("says when its port is somebody else's now", function()
      listen()
      broker:stop()
      local thief = assert(socket.bind("127.0.0.1", tonumber(broker.url:match(":(%d+)/"))))
      fixture.failure("connect", broker:start())
      thief:close()
      assert.is_true(broker:start())
      connect()
    end)

    it("serves for good when it is closed: nothing more can be asked of it", function()
      listen()
      broker:close()
      for _, name in ipairs { "start", "stop", "restart", "misbehave" } do
        local message = fixture.raised(function() broker[name](broker) end)
        assert.truthy(message:find("the broker is closed", 1, true))
      end
    end)
  end)

  it("runs until it is closed, or for a time", function()
    listen()
    fixture.failure("timeout", broker:run(0.01))
    local client = connect()
    local result = stomp.run(function()
      stomp.spawn(function()
        assert(client:send("/queue/a", "x", nil, { confirm = true }))
        broker:close()
      end)
      return broker:run(patience)
    end)
    assert.is_true(result)
    assert.equal(1, broker:stats().queued)
    assert.truthy(fixture.raised(function() broker:run("1") end):find("timeout", 1, true))
  end)

  it("ends a peer that connects and says nothing, before the upgrade and after it", function()
    listen { timeout = 0.1 }
    local client = connect()
    local port = tonumber(broker.url:match(":(%d+)/"))
    local tcp = assert(socket.connect("127.0.0.1", port))
    local upgraded = assert(socket.connect("127.0.0.1", port))
    assert(upgraded:send("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
      .. "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      .. "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))
    local said = { [tcp] = "", [upgraded] = "" }
    for one in pairs(said) do one:settimeout(0) end
    local ended = {}
    await(function()
      for one in pairs(said) do
        local all, why, part = one:receive(4096)
        said[one] = said[one] .. (all or part)
        ended[one] = ended[one] or why == "closed"
      end
      return said[upgraded]:find("\136\2\3\232", 1, true) and ended[tcp] -- close 1000
    end)
    assert.equal("", said[tcp])
    assert.matches("^HTTP/1.1 101 ", said[upgraded])
    assert.equal(2, broker:stats().timed_out)
    upgraded:close()
    tcp:close()
    await(function() return broker:stats().sessions == 1 end)
    assert(client:send("/queue/a", "", nil, { confirm = true }))
  end)

  describe("told to misbehave", function()
    it("cuts connections, all or some", function()
      listen()
      local ann, eve = connect { login = "ann" }, connect { login = "eve" }
      assert.equal(1, broker:cut(function(session) return session.login == "ann" end))
      assert.is_nil(ends(ann, "closed").code)
      assert(eve:send("/queue/a", "", nil, { confirm = true }))
      assert.equal(1, broker:cut())
      ends(eve, "closed")
      assert.truthy(fixture.raised(function() broker:cut(5) end):find("selector", 1, true))
    end)

    it("cuts a connection after n frames: the message is there, its RECEIPT lost", function()
      listen()
      local client = connect()
      assert.is_true(broker:misbehave { cut_after = 2 })
      assert(client:send("/queue/a", "1", nil, { confirm = true }))
      local _, _, err = client:send("/queue/a", "2", nil, { confirm = true })
      assert.equal("closed", err.kind)
      assert.equal(2, broker:stats("/queue/a").queued)
    end)

    it("refuses logins, and takes them when it behaves", function()
      listen()
      assert.is_true(broker:misbehave { refuse_logins = true })
      local err = fixture.failure("broker", try())
      assert.equal("Bad CONNECT", err.frame.headers.message)
      assert.is_true(err.permanent)
      assert.is_true(broker:misbehave())
      connect()
    end)

    it("withholds RECEIPTs, until a wait is over", function()
      listen()
      local client = connect()
      broker:misbehave { withhold_receipts = true }
      fixture.failure("timeout",
        client:send("/queue/a", "x", nil, { confirm = true, timeout = 0.1 }))
      assert.equal(1, broker:stats("/queue/a").queued)
    end)

    it("answers with ERROR, or closes without one", function()
      listen()
      broker:misbehave { error_on = "/queue/wrong", close_on = { "SUBSCRIBE", "DISCONNECT" } }
      local a, b, c = connect(), connect(), connect()
      assert(a:send("/queue/wrong", "x"))
      assert.equal("Refused on purpose", ends(a, "broker").frame.headers.message)
      assert(b:subscribe("/queue/a"))
      assert.equal(1000, ends(b, "closed").code)
      local ok, how = c:disconnect()
      assert.is_true(ok)
      assert.equal("no receipt", how)
    end)

    it("delays what it sends, and keeps the order", function()
      listen()
      local client = connect()
      local inbox = assert(client:subscribe("/queue/a", { confirm = true }))
      broker:misbehave { delay = 0.1 }
      local start = stomp.now()
      for i = 1, 20 do assert(client:send("/queue/a", tostring(i))) end
      for i = 1, 20 do assert.equal(tostring(i), assert(inbox:receive(patience)).body) end
      assert.is_true(stomp.now() - start >= 0.1)
      assert(connect()) -- CONNECTED, too
      assert.is_true(stomp.now() - start >= 0.2)
    end)

    it("hangs: takes and says nothing, beats included, and goes on where it was", function()
      listen { heartbeat = { send = 0.25, receive = 0 } }
      local a = connect { heartbeat = { send = 0, receive = 0 } }
      local b = connect { heartbeat = { send = 0, receive = 0.25 } }
      broker:misbehave { silent = true }
      fixture.failure("timeout",
        a:send("/queue/a", "x", nil, { confirm = true, timeout = 0.1 }))
      ends(b, "heartbeat")
      fixture.failure("timeout", try { timeout = 0.2 })
      assert.equal(0, broker:stats().messages_in)
      broker:misbehave()
      await(function() return broker:stats().messages_in == 1 end)
      assert(a:send("/queue/a", "y", nil, { confirm = true }))
      await(function() return broker:stats().sessions == 1 end)
    end)

    it("can be closed and cut while it hangs", function()
      listen()
      local a, b = connect(), connect()
      broker:misbehave { silent = true }
      assert.equal(1, broker:cut(function(session) return session.serial == 1 end))
      ends(a, "closed")
      broker:close()
      assert.equal(1000, ends(b, "closed").code)
    end)

    it("refuses connections, and keeps those that it has", function()
      listen()
      local a = connect()
      assert.is_true(broker:misbehave { refuse_connects = true })
      fixture.failure("connect", try())
      assert(a:send("/queue/a", "x", nil, { confirm = true }))
      broker:misbehave { refuse_connects = true, delay = 0.01 }
      fixture.failure("connect", try())
      assert.is_true(broker:misbehave())
      connect()
    end)

    it("raises at the caller's line for what it does not know", function()
      listen()
      local text = fixture.raised(function() broker:misbehave { drop = 1 } end)
      assert.truthy(text:find("unknown option 'drop'", 1, true))
      text = fixture.raised(function() broker:misbehave { cut_on = { 5 } } end)
      assert.truthy(text:find("option 'cut_on': string expected, got number", 1, true))
      text = fixture.raised(function() broker:stats(5) end)
      assert.truthy(text:find("destination", 1, true))
    end)
  end)
end)
