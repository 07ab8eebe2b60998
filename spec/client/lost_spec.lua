-- SPDX-License-Identifier: MIT
-- What was open on a connection that is lost, when another one is made: what
-- belongs to the old one fails with `closed`, what is the same on each goes on.
local fixture = require "spec.support.fixture"

-- A client that reconnects after 1 s.
local function connect(script, options)
  local all = { reconnect = { min = 1, max = 8, jitter = 0 } }
  for name, value in pairs(options or {}) do all[name] = value end
  return fixture.connect(all, script)
end

local function as_rabbitmq(answer)
  return { CONNECT = function(server) server:accept { server = "RabbitMQ/3.10.8" } end, SEND = answer }
end

describe("a transaction of a connection that was lost", function()
  it("is closed: nothing of it is sent on the next one", function()
    local client, loop, net = connect({ SEND = false })
    local t = assert(client:begin("mine"))
    assert(t:send("/queue/a", "1", nil, { confirm = true }))
    loop.run(function()
      net.server:close(1000)
      client:receive(5)
    end)
    assert.equal("connected", client.state)
    for _, call in ipairs {
      function() return t:send("/queue/a", "2") end,
      function() return client:send("/queue/a", "2", nil, { transaction = t }) end,
      function() return t:commit() end,
      function() return t:abort() end,
    } do fixture.failure("closed", call()) end
    fixture.failure("invalid", client:send("/queue/a", "2", nil, { transaction = "mine" }))
    assert.same({}, net.server:got("SEND"))
    assert.equal(0, client:stats().receipts_outstanding)
    local again = assert(client:begin("mine"))
    assert(again:commit())
    assert.equal(1, #net.server:got("COMMIT"))
  end)

  it("fails a commit that waits: closed, outcome unknown", function()
    local client, loop, net = connect({ COMMIT = false, SEND = false })
    local t = assert(client:begin())
    assert(t:send("/queue/a", "1", nil, { confirm = true }))
    local result
    loop.run(function()
      result = { t:commit() }
      assert.equal(1001, loop.now())
    end, function()
      loop.sleep(1)
      net.server:close(1000, "STOMP died")
      loop.sleep(5)
    end)
    local err = fixture.failure("closed", result[1], result[2], result[3])
    assert.equal("unknown", err.outcome)
    assert.truthy(err.message:find("lost", 1, true))
    assert.equal("closed", err.cause.kind)
    assert.same({}, net.server:got("SEND"))
    assert.equal(0, client:stats().receipts_outstanding)
  end)

  it("cannot be sent in while down; begin waits for the connection", function()
    local client, loop, net = connect()
    local t = assert(client:begin())
    loop.run(function()
      net.server:close(1000)
      client:receive(0.5)
      assert.equal("reconnecting", client.state)
      fixture.failure("closed", t:send("/queue/a", "x"))
      fixture.failure("closed", t:commit { confirm = true })
      local next = assert(client:begin())
      assert.equal(1001, loop.now())
      assert(next:send("/queue/a", "y"))
      assert(next:commit())
    end)
    assert.equal("y", net.server:got("SEND")[1].body)
  end)
end)

describe("a request of a connection that was lost", function()
  it("is closed, outcome unknown; the next one asks on the new connection", function()
    local client, loop, net = connect(as_rabbitmq(function(server, frame)
      if frame.body == "ping" then
        server:message(frame.headers["reply-to"], "pong",
          { ["correlation-id"] = frame.headers["correlation-id"] })
      end
    end))
    local first, second
    loop.run(function()
      first = { client:request("/queue/a", "?") }
      assert.equal(1001, loop.now())
    end, function()
      loop.sleep(1)
      net.server:close(1000)
      loop.sleep(0.5)
      assert.equal("reconnecting", client.state)
      second = { client:request("/queue/a", "ping") }
      assert.equal(1002, loop.now())
    end)
    local err = fixture.failure("closed", first[1], first[2], first[3])
    assert.equal("unknown", err.outcome)
    assert.equal("pong", second[1].body)
    assert.equal(1, #net.server:got("SEND"))
    assert.equal(0, client:stats().late_replies)
  end)

  it("waits for the connection no longer than its time-out, and sends nothing then", function()
    local client, loop, net = connect(as_rabbitmq())
    net.refuse = 100
    loop.run(function()
      net.server:close(1000)
      client:receive(0.5)
      local err = fixture.failure("timeout", client:request("/queue/a", "?", { timeout = 2 }))
      assert.is_nil(err.outcome)
      assert.equal(1002.5, loop.now())
    end)
  end)

  it("on ActiveMQ subscribes again", function()
    local client, loop, net = connect {
      CONNECT = function(server) server:accept { server = "ActiveMQ/5.17.2" } end,
      SEND = function(server, frame)
        server:message(server:got("SUBSCRIBE")[1].headers.id, "pong",
          { ["correlation-id"] = frame.headers["correlation-id"] })
      end,
    }
    loop.run(function()
      assert(client:request("/queue/a", "1"))
      net.server:close(1000)
      assert(client:receive(5) == nil)
      assert.equal("connected", client.state)
      assert.same({}, net.server:got("SUBSCRIBE"))
      assert.equal("pong", assert(client:request("/queue/a", "2")).body)
    end)
  end)
end)

describe("an idempotent send", function()
  it("has the same id on each connection", function()
    local client, loop, net = connect({ SEND = false })
    local ok
    loop.run(function()
      ok = client:send("/queue/a", "x", nil, { confirm = true, idempotent = true })
    end, function()
      for _ = 1, 2 do
        loop.sleep(2)
        net.server:close(1006)
        loop.sleep(2)
      end
      net.server:receipt(net.server:got("SEND")[1])
    end)
    assert.is_true(ok)
    assert.equal(3, #net.servers)
    for _, server in ipairs(net.servers) do
      local sent = server:got("SEND")
      assert.equal(1, #sent)
      assert.equal("0102030405060708-1", sent[1].headers["idempotency-key"])
    end
  end)
end)

describe("client:drain and a connection that is lost meanwhile", function()
  it("reconnects for what is to be confirmed, not for messages", function()
    local client, loop, net = connect({ SEND = false })
    local handled
    assert(client:subscribe("/queue/a", { ack = "client" }, function(message)
      loop.sleep(4)
      handled = { message:ack() }
    end))
    local sent
    loop.run(function()
      net.server:message("sub-1", "1")
      sent = client:send("/queue/b", "", nil, { confirm = true })
    end, function()
      loop.sleep(1)
      assert.is_true(client:drain())
    end, function()
      loop.sleep(2)
      net.server:close(1000)
      net.script.SEND = nil
    end)
    assert.is_true(sent)
    fixture.failure("closed", handled[1], handled[2], handled[3])
    local commands = {}
    for i, frame in ipairs(net.server.frames) do commands[i] = frame.command end
    assert.same({ "CONNECT", "SEND", "DISCONNECT" }, commands)
    assert.equal("closed", client.state)
  end)
end)
