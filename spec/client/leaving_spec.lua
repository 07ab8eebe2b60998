-- SPDX-License-Identifier: MIT
-- What `drain` and `disconnect` finish, wait for and say, in a world with an embedded
-- broker.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"
local testing = require "stomp.testing"

-- f(world, broker, connect) runs in a world of its own; connect(options): a client.
local function within(options, f)
  local world = testing.world { seed = 1 }
  local broker = world:broker(options)
  world:run(function()
    f(world, broker, function(more)
      return assert(stomp.connect(broker.url, world:options(more)))
    end)
  end)
  world:close()
end

local quick = { min = 0.1, max = 0.2 }

-- A client whose broker has stopped, and that has noticed.
local function cut_off(world, broker, connect)
  local client = connect { reconnect = quick }
  broker:stop()
  world:spawn(function() client:run() end)
  world:sleep(1)
  assert.equal("reconnecting", client.state)
  return client
end

describe("client:drain while reconnecting", function()
  it("waits for a connection, and sends what is queued without confirm", function()
    within(nil, function(world, broker, connect)
      local client = cut_off(world, broker, connect)
      for i = 1, 3 do assert(client:send("/queue/a", tostring(i))) end
      world:spawn(function()
        world:sleep(0.5)
        broker:start()
      end)
      assert.same({ true }, { client:drain(10) })
      assert.equal(3, broker:stats("/queue/a").published)
      assert.equal("closed", client.state)
    end)
  end)

  it("does so after a loss that nobody has noticed", function()
    within(nil, function(world, broker, connect)
      local client = connect { reconnect = quick }
      world.network:cut()
      world:sleep(0.1)
      assert(client:send("/queue/b", "x"))
      assert.is_true(client:drain(10))
      assert.equal(1, broker:stats("/queue/b").published)
    end)
  end)

  it("says within its time-out how many sends are lost", function()
    within(nil, function(world, broker, connect)
      local client = cut_off(world, broker, connect)
      for _ = 1, 2 do assert(client:send("/queue/a", "x")) end
      local start = world:now()
      local err = fixture.failure("timeout", client:drain(3))
      assert.equal("timeout: drain: 2 queued sends are lost: no connection within 3 s", err.message)
      assert.near(3, world:now() - start, 0.001)
      assert.equal("closed", client.state)
    end)
  end)

  it("returns at once where nothing is queued, as disconnect always does", function()
    within(nil, function(world, broker, connect)
      local client = cut_off(world, broker, connect)
      local start = world:now()
      assert.same({ true, "no receipt" }, { client:drain(10) })
      broker:start()
      client = cut_off(world, broker, connect)
      assert(client:send("/queue/a", "x"))
      start = start + 1
      local err = fixture.failure("closed", client:disconnect(10))
      assert.truthy(err.message:find("1 queued sends are lost", 1, true))
      assert.near(start, world:now(), 0.1)
    end)
  end)
end)

describe("client:drain and open transactions", function()
  -- A task takes a message, acknowledges it in a transaction, and ends that 0.2 s later.
  local function run(server, finish)
    local result
    within({ server = server }, function(world, broker, connect)
      local client = connect()
      local subscription = assert(client:subscribe("/queue/in", { ack = "client-individual" }))
      assert(client:send("/queue/in", "x"))
      world:spawn(function()
        local message = assert(subscription:receive(1))
        local t = assert(client:begin())
        assert(t:send("/queue/out", "y"))
        assert(message:ack(t))
        assert.equal(1, client:stats().unacked)
        world:sleep(0.2)
        finish(t, message, client)
        assert.equal(0, client:stats().unacked)
      end)
      local start = world:now()
      world:sleep(0.1)
      result = { client:drain(5) }
      assert.near(0.2, world:now() - start, 0.1)
      world:sleep(1)
      result.left, result.out = broker:stats("/queue/in").queued, broker:stats("/queue/out").published
    end)
    return result
  end

  it("waits for the COMMIT of what was acknowledged in one", function()
    for _, server in ipairs { "RabbitMQ/3.10.8", "ActiveMQ-Artemis/2.40.0" } do
      for _, confirm in ipairs { true, false } do
        local result = run(server, function(t) assert(t:commit { confirm = confirm }) end)
        assert.same({ true, left = 0, out = 1 }, result)
      end
    end
  end)

  it("waits after ABORT until it is acknowledged once more", function()
    local result = run(nil, function(t, message, client)
      assert(t:abort())
      assert.equal(1, client:stats().unacked)
      assert(message:nack())
    end)
    assert.same({ true, left = 1, out = 0 }, result)
  end)
end)

describe("client:disconnect without a RECEIPT", function()
  local function missing(options, send, way)
    local result, start
    within(nil, function(world, broker, connect)
      broker:misbehave(options)
      local client = connect()
      send(world, client)
      world:sleep(0.01)
      start = world:now()
      result = { client[way or "disconnect"](client, 1) }
      assert.is_true(world:now() - start <= 1)
      assert.equal("closed", client.state)
    end)
    return fixture.failure("timeout", result[1], result[2], result[3])
  end

  local full = { withhold_receipts = function(frame) return frame.headers.destination == "/queue/full" end }

  it("names the send for which another task waits, and that of confirm = \"later\"", function()
    local text = "timeout: 1 of %d RECEIPTs not here (SEND /queue/full) within 0.8 s"
    local told
    local err = missing(full, function(world, client)
      world:spawn(function() told = { client:send("/queue/full", "x", nil, { confirm = true }) } end)
    end)
    assert.equal(text:format(1), err.message)
    assert.equal("unknown", err.outcome)
    err = fixture.failure("closed", told[1], told[2], told[3])
    assert.equal("unknown", err.outcome)
    err = missing(full, function(_, client)
      assert(client:send("/queue/full", "x", nil, { confirm = "later" }))
      assert(client:send("/queue/a", "x", nil, { confirm = "later" }))
    end)
    assert.equal(text:format(2), err.message)
  end)

  it("names three of them, and DISCONNECT where only that is missing", function()
    local err = missing({ withhold_receipts = true }, function(_, client)
      for i = 1, 5 do assert(client:send("/queue/" .. i, "x", nil, { confirm = "later" })) end
    end)
    assert.equal("timeout: 5 of 5 RECEIPTs not here (SEND /queue/1, SEND /queue/2, …) within 0.8 s",
      err.message)
    err = missing({ withhold_receipts = true }, function() end)
    assert.equal("timeout: no RECEIPT for DISCONNECT within 1 s", err.message)
  end)

  it("drain names them, too", function()
    local err = missing(full, function(_, client)
      assert(client:send("/queue/full", "x", nil, { confirm = "later" }))
    end, "drain")
    assert.equal("timeout: drain: 1 RECEIPTs not here (SEND /queue/full) within 1 s", err.message)
  end)

  it("is told of a send that fails meanwhile", function()
    local err = missing(full, function(world, client)
      world:spawn(function() client:send("/queue/full", "x", nil, { confirm = true, timeout = 0.2 }) end)
    end)
    assert.equal("timeout: no RECEIPT for SEND /queue/full within 0.2 s", err.message)
  end)
end)
