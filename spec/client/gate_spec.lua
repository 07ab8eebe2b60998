-- SPDX-License-Identifier: MIT
-- Who waits while one SEND is proved (lua/stomp/gate.lua, proof.lua), for how long, and
-- who does not.
local leaderless = require "spec.support.leaderless"
local stomp = require "stomp"

local QUEUE, setup, send_all = leaderless.QUEUE, leaderless.setup, leaderless.send_all
local bodies_of = leaderless.bodies_of

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = tostring(i) end
  return list
end

describe("while a SEND is proved", function()
  it("many tasks wait for one round trip, not each for its own", function()
    setup(function(it)
      it.world.network:set { latency = 0.1 }
      it.refuse(0)
      local safe = send_all(it, numbers(20))
      it.client:run(0.45)
      assert.equal(20, safe.n)
      assert.same(numbers(20), bodies_of(it.came()))
    end)
  end)

  it("a flush goes on across a reconnect", function()
    setup(function(it)
      it.refuse(3.5)
      local safe = send_all(it, { "1" })
      it.client:run(2) -- there are copies
      local ok, message
      it.world:spawn(function() ok, message = it.client:flush(30) end)
      it.client:run(0.1)
      it.world.network:cut()
      it.client:run(20)
      assert.equal(1, safe.n)
      assert.is_true(ok, message)
      assert.equal(0, it.client:stats().receipts_outstanding)
    end)
  end)

  it("what does not publish goes on", function()
    setup(function(it)
      local subscription = assert(it.client:subscribe("/queue/b"))
      it.refuse(100)
      send_all(it, { "1" })
      it.client:run(0.1)
      local start = it.world:now()
      assert(it.client:subscribe("/queue/c", { confirm = true, timeout = 1 }))
      assert(subscription:unsubscribe { confirm = true, timeout = 1 })
      local t = assert(it.client:begin())
      assert(t:abort { timeout = 1 })
      assert.equal(start, it.world:now())
    end)
  end)

  it("acknowledgements that meet a full outbox wait for room, not for the RECEIPT", function()
    setup(function(it)
      for i = 1, 2 do assert(it.client:send("/queue/w", tostring(i))) end
      local subscription = assert(it.client:subscribe("/queue/w", { ack = "client-individual" }))
      local first, second = assert(subscription:receive(1)), assert(subscription:receive(1))
      it.refuse(1000)
      it.world.network:set { latency = 0.5 }
      assert(it.client:send("/topic/x", ("x"):rep(65700)))
      it.world:sleep(0)
      send_all(it, { ("x"):rep(65780) })
      it.world:sleep(0)
      local start, acked = it.world:now(), {}
      for i, message in ipairs { first, second } do
        it.world:spawn(function()
          assert(message:ack())
          acked[i] = it.world:now() - start
        end)
      end
      it.client:run(2)
      assert.truthy(acked[1] and acked[2])
      assert.is_true(math.max(acked[1], acked[2]) > 0)
    end, nil, { limits = { outbox = 66000 } })
  end)

  it("acknowledgements that waited for the connection go on, too", function()
    setup(function(it)
      for i = 1, 2 do assert(it.client:send("/queue/w", tostring(i))) end
      local acked = {}
      assert(it.client:subscribe("/queue/w", { ack = "client-individual" }, function(message)
        if it.client.state ~= "reconnecting" then return end
        assert(#acked > 0 or not it.client.reconnector.proving) -- it is not that far yet
        assert(message:ack())
        acked[#acked + 1] = it.client.state
      end))
      it.client:run(0.1)
      it.lose_leader(100)
      it.world.network:set { latency = 0.2 }
      for _ = 1, 3 do
        it.world:spawn(function() assert(it.client:send("/topic/x", ("x"):rep(65000))) end)
      end
      send_all(it, { "1" })
      it.client:run(20)
      assert.same({ "reconnecting", "reconnecting" }, acked)
    end, nil, { limits = { outbox = 66000 } })
  end)

  it("a drain waits for messages in hand", function()
    setup(function(it)
      local subscription = assert(it.client:subscribe("/queue/w", { ack = "client-individual" }))
      it.lose_leader(3, QUEUE)
      send_all(it, { "1" })
      local other = assert(stomp.connect(it.broker.url, it.world:options()))
      assert(other:send("/queue/w", "work"))
      local acked
      it.world:spawn(function()
        local message = assert(subscription:receive(50))
        assert.equal("reconnecting", it.client.state)
        it.world:sleep(8)
        acked = message:ack()
      end)
      it.world:sleep(2)
      assert.equal("reconnecting", it.client.state)
      assert(it.client:drain(30))
      assert.is_true(acked)
      other:close()
    end)
  end)

  it("an ERROR about its copy is about it", function()
    setup(function(it)
      it.refuse(100)
      local err
      it.world:spawn(function()
        err = select(3, it.client:send(QUEUE, "1", nil, { confirm = true }))
      end)
      it.client:run(0.5)
      it.broker:misbehave { error_on = "SEND" }
      it.client:run(10)
      assert.equal("broker", err.kind)
      assert.equal(2, #it.came())
    end)
  end)

  it("DISCONNECT says what it waits for in vain", function()
    setup(function(it)
      it.refuse(100)
      it.client:on("error", function() end)
      assert(it.client:send(QUEUE, "1", nil, { confirm = "later" }))
      local ok, message, err = it.client:disconnect(3)
      assert.is_nil(ok)
      assert.equal("timeout", err.kind)
      assert.truthy(message:find("1 RECEIPTs not here (SEND /queue/a)", 1, true), message)
      assert.equal("closed", it.client.state)
    end)
  end)

  it("a healthy destination waits for a sick one up to 10 s, on two connections", function()
    setup(function(it)
      local told = {}
      it.client:on("disconnect", function(message) told[#told + 1] = message end)
      assert(it.client:send("/queue/b", "0", nil, { confirm = "later" }))
      it.lose_leader(1000, "/queue/b")
      for i = 1, 20 do assert(it.client:send("/queue/b", tostring(i), nil, { confirm = "later" })) end
      local safe = send_all(it, { "1", "2" }, { confirm = true, timeout = 60 })
      it.client:run(21)
      assert.equal(0, safe.n)
      it.client:run(2)
      assert.equal(2, safe.n)
      it.world:spawn(function() it.client:send("/queue/b", "x", nil, { confirm = true }) end)
      it.client:run(0.1)
      assert(it.client:send(QUEUE, "3", nil, { confirm = true, timeout = 1 }))
      assert.equal(1, #told) -- what ends while resuming is one loss
    end)
  end)

  it("the connection is given up where it does not answer, once until one does", function()
    setup(function(it)
      local told = {}
      it.client:on("disconnect", function(message) told[#told + 1] = message end)
      for round = 1, 3, 2 do
        local session, ok = it.client.session, nil
        it.broker:misbehave { refuse_sends = function(_, its) return its.id == session end }
        it.world:spawn(function()
          ok = it.client:send(QUEUE, "1", nil, { confirm = true, timeout = 60 })
        end)
        it.client:run(20)
        assert.is_true(ok)
        assert.equal(round, #told)
        assert.equal("closed: no RECEIPT for SEND /queue/a within 10 s after a reconnect:"
          .. " the connection is given up", told[round])
        it.world.network:cut() -- doubted again
        it.client:run(2)
      end
    end)
  end)

  it("it is not sent again while its RECEIPT may lie behind what nobody reads", function()
    setup(function(it)
      local subscription = assert(it.client:subscribe("/queue/b"))
      local other = assert(stomp.connect(it.broker.url, it.world:options()))
      for i = 1, 30 do assert(other:send("/queue/b", i .. ("x"):rep(1000))) end
      it.client:run(1)
      it.refuse(0)
      assert(it.client:send(QUEUE, "1", nil, { confirm = "later" }))
      it.client:run(40)
      assert.same({ "1" }, bodies_of(it.came()))
      for _ = 1, 30 do assert(subscription:receive(60)) end
      assert.is_true(it.client:flush(1))
      other:close()
    end, nil, { limits = { inbox = 2000, inbox_hard = 4000 } })
  end)

  it("a client that nobody has any more is the collector's before long", function()
    setup(function(it)
      it.refuse(1e9)
      do
        local client = assert(stomp.connect(it.broker.url, it.world:options {
          reconnect = true, on_error = function() end, confirm_timeout = 30,
        }))
        assert(client:send(QUEUE, "1", nil, { confirm = "later" }))
      end
      for _ = 1, 40 do
        it.world:sleep(1)
        collectgarbage()
      end
      collectgarbage()
      it.world:sleep(1)
      assert.equal(1, it.broker:stats().sessions)
      assert.is_true(#it.came() < 8)
    end)
  end)

  it("nobody waits any more once its RECEIPT is here, also in a plain script", function()
    local broker = assert(require "stomp.broker".listen("ws://127.0.0.1:0/ws",
      { server = "RabbitMQ/3.10.8" }))
    local client = assert(stomp.connect(broker.url))
    assert(client:send(QUEUE, "1", nil, { confirm = true }))
    assert(client:send("/queue/b", "2", nil, { timeout = 0 }))
    client:close()
    broker:close()
  end)
end)
