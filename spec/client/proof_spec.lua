-- SPDX-License-Identifier: MIT
-- RabbitMQ sends RECEIPTs for what it has refused, while a queue has no leader. What a
-- client does about it on a new connection (lua/stomp/proof.lua, docs/reliability.md).
local leaderless = require "spec.support.leaderless"
local stomp = require "stomp"
local testing = require "stomp.testing"

local QUEUE, setup, send_all = leaderless.QUEUE, leaderless.setup, leaderless.send_all
local queued, bodies_of = leaderless.queued, leaderless.bodies_of

describe("the first confirmed SEND to a destination that is resumed", function()
  it("goes alone, and again, until its RECEIPT comes", function()
    setup(function(it)
      it.lose_leader(5)
      local safe = send_all(it, { "1", "2", "3" })
      it.client:run(20)
      assert.same({ "1", "1", "1", "1", "2", "3" }, bodies_of(it.came()))
      for i, time in ipairs { 1, 2, 4, 6 } do
        assert.is_true(math.abs(it.came()[i][2] - time) < 0.1, it.came()[i][2])
      end
      assert.equal(3, safe.n)
      assert.equal("connected", it.client.state)
      assert.same({ "1", "2", "3" }, queued(it))
      assert.equal(0, it.client:stats().receipts_outstanding)
      assert.is_true(it.client:flush(1))
    end)
  end)

  it("is that of those whose RECEIPT was lost, too", function()
    setup(function(it)
      assert(it.client:send(QUEUE, "0", nil, { confirm = true }))
      it.broker:misbehave { withhold_receipts = true }
      local safe = send_all(it, { "1", "2" })
      it.client:run(0.1)
      it.lose_leader(5)
      it.client:run(20)
      assert.same({ "1", "1", "1", "1", "2" }, bodies_of(it.came()))
      assert.equal(2, safe.n)
      assert.same({ "0", "1", "2", "1", "2" }, queued(it))
    end)
  end)

  it("waits for its RECEIPT no longer than it takes", function()
    setup(function(it)
      it.lose_leader(0)
      send_all(it, { "1", "2" })
      it.client:run(2)
      assert.same({ "1", "2" }, bodies_of(it.came()))
      assert.is_true(it.came()[2][2] < 1.1)
    end)
  end)

  it("is waited for by all others, of each destination by itself", function()
    setup(function(it)
      it.lose_leader(2.5, "/queue/b")
      it.world:spawn(function() it.client:send(QUEUE, "1", nil, { confirm = true }) end)
      it.world:spawn(function() it.client:send("/queue/b", "2", nil, { confirm = true }) end)
      it.world:spawn(function() it.client:send(QUEUE, "3") end)
      it.client:run(10)
      assert.same({ "1", "2", "2", "2", "3" }, bodies_of(it.came()))
    end)
  end)

  it("does not hold up acknowledgements", function()
    setup(function(it)
      assert(it.client:send(QUEUE, "work"))
      local acked
      assert(it.client:subscribe(QUEUE, { ack = "client-individual" }, function(message)
        if it.client.state == "reconnecting" then
          assert(message:ack())
          acked = it.client.state
        end
      end))
      it.client:run(0.1)
      it.lose_leader(5)
      send_all(it, { "1" })
      it.client:run(2)
      assert.equal("reconnecting", acked)
      it.client:run(20)
    end)
  end)

  it("goes out once where it is to, and is not taken for sent", function()
    setup(function(it)
      it.lose_leader(9)
      local err
      it.world:spawn(function()
        err = select(3, it.client:send(QUEUE, "once", nil, { confirm = "once", timeout = 20 }))
      end)
      local safe = send_all(it, { "after" })
      it.client:run(30)
      assert.same({ "once", "after" }, bodies_of(it.came()))
      assert.equal("timeout", err.kind)
      assert.equal("unknown", err.outcome)
      assert.equal(1, safe.n)
      assert.same({ "after" }, queued(it))
    end)
  end)

  it("gives its place to the next one when its time is over", function()
    setup(function(it)
      it.lose_leader(4)
      send_all(it, { "1" }, { confirm = true, timeout = 2 })
      local safe = send_all(it, { "2", "3" })
      it.client:run(20)
      assert.same({ "1", "1", "2", "2", "2", "3" }, bodies_of(it.came()))
      assert.equal(2, safe.n)
      assert.same({ "2", "3" }, queued(it))
    end)
  end)

  it("goes again on the next connection where that one ends", function()
    setup(function(it)
      it.lose_leader(5)
      local safe = send_all(it, { "1", "2" })
      it.client:run(2)
      it.world.network:cut()
      it.client:run(20)
      assert.same({ "1", "1", "1", "1", "1", "2" }, bodies_of(it.came()))
      assert.equal(2, safe.n)
      assert.equal(0, it.client:stats().receipts_outstanding)
    end)
  end)

  it("keeps its id of idempotence, and lists of headers", function()
    setup(function(it)
      it.lose_leader(1.5)
      it.world:spawn(function()
        assert(it.client:send(QUEUE, "1", { { "x", "1" }, { "x", "2" } },
          { confirm = true, idempotent = "key" }))
      end)
      local keys, receipts = {}, {}
      local frame_of = it.broker.engine.frame
      it.broker.engine.frame = function(self, session, frame, now)
        if frame.command == "SEND" then
          keys[#keys + 1] = frame.headers.key
          receipts[#receipts + 1] = frame.headers.receipt
        end
        frame_of(self, session, frame, now)
      end
      it.client:run(10)
      assert.equal(2, #keys)
      assert.equal(keys[1], keys[2])
      assert.not_equal(receipts[1], receipts[2])
      assert.same({ "1" }, queued(it))
    end)
  end)

  it("can be left waiting by disconnect and close", function()
    for _, how in ipairs { "disconnect", "close", "drain" } do
      setup(function(it)
        it.lose_leader(100)
        local safe = send_all(it, { "1" })
        it.client:run(2)
        local start = it.world:now()
        it.client[how](it.client, 5)
        assert.equal("closed", it.client.state)
        assert.is_true(it.world:now() - start < 6)
        it.world:sleep(1)
        assert.equal(0, safe.n)
      end)
    end
  end)

  it("waits while nobody reads what its RECEIPT lies behind", function()
    setup(function(it)
      local subscription = assert(it.client:subscribe(QUEUE))
      it.lose_leader(0)
      local other = assert(stomp.connect(it.broker.url, it.world:options()))
      for i = 1, 30 do assert(other:send(QUEUE, i .. ("x"):rep(1000))) end
      assert(it.client:send("/queue/b", "1", nil, { confirm = "later" }))
      it.client:run(5)
      assert.equal("reconnecting", it.client.state)
      assert.equal(30 + 1, #it.came())
      it.client:run(20) -- not for ever
      assert.equal("connected", it.client.state)
      for i = 1, 30 do
        local message = assert(subscription:receive(60))
        assert.equal(tostring(i), message.body:match("%d+"))
      end
      assert.is_true(it.client:flush(1))
      assert.equal("connected", it.client.state)
      other:close()
    end, nil, { limits = { inbox = 2000, inbox_hard = 4000 } })
  end)

  it("is nothing of other brokers", function()
    setup(function(it)
      it.lose_leader(5)
      send_all(it, { "1", "2" })
      it.client:run(20)
      assert.same({ "1", "2" }, bodies_of(it.came()))
    end, "lua-stomp/0.1.0")
  end)
end)

describe("the first confirmed SEND to a destination after a reconnect", function()
  it("goes alone, and again, until its RECEIPT comes", function()
    for _, confirm in ipairs { true, "later" } do
      setup(function(it)
        it.refuse(5)
        local safe = send_all(it, { "1", "2", "3" }, { confirm = confirm })
        it.client:run(20)
        assert.same({ "1", "1", "1", "1", "2", "3" }, bodies_of(it.came()))
        for i, time in ipairs { 0, 1, 3, 5, 5 } do
          assert.is_true(math.abs(it.came()[i][2] - time) < 0.1, it.came()[i][2])
        end
        assert.equal(3, safe.n)
        assert.is_true(it.client:flush(1))
        assert.same({ "1", "2", "3" }, queued(it))
        assert.equal(0, it.client:stats().receipts_outstanding)
      end)
    end
  end)

  it("is waited for by whatever is published, in order", function()
    setup(function(it)
      local t = assert(it.client:begin())
      assert(t:send(QUEUE, "in transaction"))
      it.client:run(0.1)
      it.refuse(2.5)
      local n = 0
      local function spawn(f)
        it.world:spawn(function()
          assert(f())
          n = n + 1
        end)
      end
      spawn(function() return it.client:send(QUEUE, "1", nil, { confirm = true }) end)
      spawn(function() return it.client:send(QUEUE, "2") end)
      spawn(function() return it.client:send("/queue/b", "3", nil, { confirm = true }) end)
      spawn(function() return t:commit() end)
      spawn(function() return it.client:send(QUEUE, "4", nil, { confirm = true }) end)
      it.client:run(2)
      assert.same({ "1", "1" }, bodies_of(it.came()))
      assert.equal(0, n)
      it.client:run(10)
      assert.same({ "1", "1", "1", "2", "3", "4" }, bodies_of(it.came()))
      assert.equal(5, n)
      assert.same({ "1", "2", "in transaction", "4" }, queued(it))
    end)
  end)

  it("does not hold up acknowledgements", function()
    setup(function(it)
      assert(it.client:send(QUEUE, "a"))
      assert(it.client:send(QUEUE, "b"))
      local subscription = assert(it.client:subscribe(QUEUE, { ack = "client-individual" }))
      local a, b = assert(subscription:receive(1)), assert(subscription:receive(1))
      it.refuse(100)
      it.world:spawn(function()
        it.client:send(QUEUE, "1", nil, { confirm = true, timeout = 5 })
      end)
      it.client:run(1)
      local start = it.world:now()
      assert(a:ack())
      assert(b:nack())
      assert.equal(start, it.world:now())
      assert.equal("b", assert(subscription:receive(1)).body)
    end)
  end)

  it("is named by what waits for it in vain", function()
    setup(function(it)
      it.refuse(100)
      it.world:spawn(function() it.client:send(QUEUE, "1", nil, { confirm = true }) end)
      it.client:run(0.1)
      local ok, message, err = it.client:send("/queue/b", "2", nil, { timeout = 3 })
      assert.is_nil(ok)
      assert.equal("timeout", err.kind)
      assert.is_nil(err.outcome)
      assert.truthy(message:find("SEND /queue/b: no RECEIPT for SEND /queue/a", 1, true), message)
    end)
  end)

  it("lets the others go when its time is over", function()
    setup(function(it)
      it.refuse(2.9)
      send_all(it, { "1" }, { confirm = true, timeout = 2 })
      local safe = send_all(it, { "2", "3" })
      it.client:run(20)
      assert.same({ "1", "1", "2", "2", "3" }, bodies_of(it.came()))
      assert.equal(2, safe.n)
      assert.same({ "2", "3" }, queued(it))
    end)
  end)

  it("is lost with its connection, and what waits for it goes on the next", function()
    setup(function(it)
      it.refuse(2)
      local safe = send_all(it, { "1", "2" })
      it.client:run(0.5)
      it.world.network:cut()
      it.client:run(20)
      assert.same({ "1", "2", "2", "1" }, bodies_of(it.came()))
      assert.equal(2, safe.n)
      assert.same({ "2", "1" }, queued(it))
      assert.equal(0, it.client:stats().receipts_outstanding)
    end)
  end)

  it("and what waits for it go before DISCONNECT", function()
    setup(function(it)
      it.refuse(2)
      local n = 0
      for i, confirm in ipairs { true, false, false } do
        it.world:spawn(function()
          assert(it.client:send(QUEUE, i .. "", nil, { confirm = confirm }))
          n = n + 1
        end)
      end
      it.client:run(0.1)
      assert.is_true(it.client:disconnect())
      assert.equal(3, n)
      assert.same({ "1", "2", "3" }, queued(it))
    end)
  end)

  it("is told at once when the connection ends for good", function()
    setup(function(it)
      it.refuse(100)
      local safe = send_all(it, { "1", "2" })
      it.client:run(0.5)
      local start = it.world:now()
      it.client:close()
      it.world:sleep(0.1)
      assert.equal(0, safe.n)
      assert.is_true(it.world:now() - start < 1)
    end)
  end)

  it("is not needed on a first connection", function()
    local world = testing.world()
    local broker = world:broker { server = "RabbitMQ/3.10.8" }
    broker:misbehave { withhold_receipts = true }
    world:run(function()
      local client = assert(stomp.connect(broker.url, world:options { reconnect = true }))
      for i = 1, 3 do assert(client:send(QUEUE, i .. "", nil, { confirm = "later" })) end
      client:run(0.1)
      assert.equal(3, broker:stats().queued)
      client:close()
    end)
    world:close()
  end)

  it("is needed on one before which an attempt has failed", function()
    local world = testing.world()
    local broker = world:broker { server = "RabbitMQ/3.10.8" }
    broker:misbehave { withhold_receipts = true }
    world:run(function()
      world.network:set { refuse = true }
      world:spawn(function()
        world:sleep(2)
        world.network:set { refuse = false }
      end)
      local client = assert(stomp.connect(broker.url, world:options {
        reconnect = { initial = true },
      }))
      for i = 1, 3 do
        world:spawn(function() client:send(QUEUE, i .. "", nil, { confirm = true }) end)
      end
      client:run(0.1)
      assert.equal(1, broker:stats().queued)
      client:close()
    end)
    world:close()
  end)

  it("is not needed any more after 20 s", function()
    setup(function(it)
      it.client:run(20)
      it.refuse(100)
      send_all(it, { "1", "2" })
      it.client:run(5)
      assert.same({ "1", "2" }, bodies_of(it.came()))
    end)
  end)

  it("is not needed on queues that belong to the connection", function()
    setup(function(it)
      it.refuse(100)
      for _, name in ipairs { "/temp-queue/a", "/reply-queue/a" } do
        it.world:spawn(function()
          it.client:send(name, "1", nil, { confirm = true, timeout = 1 })
        end)
      end
      it.client:run(0.1)
      assert.same({ "1", "1" }, bodies_of(it.came()))
    end)
  end)

  it("is one of many, of which not all are remembered", function()
    setup(function(it)
      for i = 1, 4097 do
        assert(it.client:send("/queue/" .. i, "x", nil, { confirm = true }))
      end
      it.refuse(1.5)
      it.client:send("/queue/1", "x", nil, { confirm = true, timeout = 1 })
      assert(it.client:send("/queue/4097", "y", nil, { confirm = true }))
      assert.same({ "x", "y", "y" }, bodies_of(it.came()))
    end)
  end)

  it("is proved in a plain script, too", function()
    local broker = assert(require "stomp.broker".listen("ws://127.0.0.1:0/ws",
      { server = "RabbitMQ/3.10.8" }))
    local n, bodies = 0, {}
    broker:misbehave { refuse_sends = function(frame)
      n = n + 1
      bodies[n] = frame.body
      return n <= 1
    end }
    local client = assert(stomp.connect(broker.url, { reconnect = { min = 0.01, max = 0.01 } }))
    broker:cut()
    client:run(0.3)
    assert.equal("connected", client.state)
    for i = 1, 3 do assert(client:send(QUEUE, i .. "", nil, { confirm = "later" })) end
    assert.is_true(client:flush(5))
    assert.same({ "1", "1", "2", "3" }, bodies)
    assert.is_true(client:disconnect())
    broker:close()
  end)
end)
