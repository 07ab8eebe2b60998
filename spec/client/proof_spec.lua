-- SPDX-License-Identifier: MIT
-- RabbitMQ sends RECEIPTs for what it has refused, while a queue has no leader. What a
-- client does about it on a new connection (lua/stomp/proof.lua, docs/reliability.md).
local stomp = require "stomp"
local testing = require "stomp.testing"

local QUEUE = "/queue/a"

-- A world with a broker that calls itself so and a client that reconnects after 1 s.
-- It tells of the SENDs that came: { body, time since the cut, receipt }.
local function setup(body, server)
  local world = testing.world()
  local broker = world:broker { server = server or "RabbitMQ/3.10.8" }
  local came, cut_at = {}, 0
  local handle = broker.engine.frame
  broker.engine.frame = function(self, session, frame, now)
    if frame.command == "SEND" then
      came[#came + 1] = { frame.body, world:now() - cut_at, frame.headers.receipt }
    end
    handle(self, session, frame, now)
  end
  world:run(function()
    local client = assert(stomp.connect(broker.url, world:options {
      reconnect = { min = 1, max = 1, jitter = 0 }, confirm_timeout = 100,
    }))
    -- the broker refuses SENDs for `seconds` from now on, and cuts connections
    local function lose_leader(seconds, destination)
      cut_at, came = world:now(), {}
      broker:misbehave { refuse_sends = function(frame)
        return world:now() - cut_at < seconds
          and (not destination or frame.headers.destination == destination)
      end }
      world.network:cut()
      client:run(0.5)
      assert.equal("reconnecting", client.state)
    end
    body {
      world = world, broker = broker, client = client, lose_leader = lose_leader,
      came = function() return came end,
    }
    client:close()
  end)
  world:close()
end

-- What the broker holds, in order.
local function queued(it)
  local reader = assert(stomp.connect(it.broker.url, it.world:options()))
  local bodies, subscription = {}, assert(reader:subscribe(QUEUE))
  local message = subscription:receive(1)
  while message do
    bodies[#bodies + 1] = message.body
    message = subscription:receive(1)
  end
  reader:close()
  return bodies
end

local function bodies_of(came)
  local list = {}
  for i, one in ipairs(came) do list[i] = one[1] end
  return list
end

-- Send each of them in a task of its own; a table that says which got their RECEIPT.
local function send_all(it, bodies, options)
  local safe = { n = 0 }
  for _, body in ipairs(bodies) do
    it.world:spawn(function()
      local ok = it.client:send(QUEUE, body, nil, options or { confirm = true })
      if ok then safe[body], safe.n = true, safe.n + 1 end
    end)
  end
  return safe
end

describe("the first confirmed SEND to a destination on a new connection", function()
  it("goes alone, and again, until its RECEIPT comes", function()
    setup(function(it)
      it.lose_leader(5)
      local safe = send_all(it, { "1", "2", "3" })
      it.client:run(20)
      assert.same({ "1", "1", "1", "1", "2", "3" }, bodies_of(it.came()))
      for i, time in ipairs { 1, 2, 4, 8 } do
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
      it.broker:misbehave { withhold_receipts = true }
      local safe = send_all(it, { "1", "2" })
      it.client:run(0.1)
      it.lose_leader(5)
      it.client:run(20)
      assert.same({ "1", "1", "1", "1", "2" }, bodies_of(it.came()))
      assert.equal(2, safe.n)
      assert.same({ "1", "2", "1", "2" }, queued(it))
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
      it.lose_leader(5)
      local err
      it.world:spawn(function()
        err = select(3, it.client:send(QUEUE, "once", nil, { confirm = "once", timeout = 10 }))
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

  it("is nothing of other brokers", function()
    setup(function(it)
      it.lose_leader(5)
      send_all(it, { "1", "2" })
      it.client:run(20)
      assert.same({ "1", "2" }, bodies_of(it.came()))
    end, "lua-stomp/0.1.0")
  end)
end)
