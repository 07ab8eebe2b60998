-- SPDX-License-Identifier: MIT
-- A task that the program closes while it waits (coroutine.close, Lua 5.4) costs nobody
-- else anything: what it waited for goes to the next one, what it held is let go.
local queue = require "stomp.queue"
local stomp = require "stomp"
local testing = require "stomp.testing"

local close = coroutine.close -- luacheck: ignore 143 (from 5.4 on)

describe("coroutine.close on a task", function()
  if not close then return end -- before Lua 5.4

  local world, broker, client
  before_each(function()
    world = testing.world()
    broker = world:broker()
  end)
  after_each(function()
    client:close()
    world:close()
  end)

  local function connect(options)
    client = assert(stomp.connect(broker.url, world:options(options)))
    return client
  end

  -- Run f() as a task until it waits: its coroutine.
  local function start(f, on_error)
    local thread
    world:spawn(function()
      thread = coroutine.running()
      f()
    end, on_error)
    world:sleep(0.01)
    assert.equal("suspended", coroutine.status(thread))
    return thread
  end

  -- Nobody waits, and no RECEIPT is expected.
  local function assert_nothing_left()
    assert.equal(0, #client.pump.waiting)
    assert.equal(0, client.pump.control)
    assert.is_nil(client.pump.owner)
    assert.equal(0, client:stats().receipts_outstanding)
    assert.equal(0, queue.size(client.pump.room))
  end

  for _, way in ipairs { "subscription", "client" } do
    it("in receive leaves the message to the next one (" .. way .. ")", function()
      connect()
      world:run(function()
        local subscription = assert(client:subscribe("/queue/a"))
        local object = way == "client" and client or subscription
        assert(close(start(function() object:receive() end)))
        assert_nothing_left()
        local got
        world:spawn(function() got = object:receive(1) end)
        assert(client:send("/queue/a", "one"))
        world:sleep(0.1)
        assert.equal("one", got.body)
      end)
    end)

    it("when a message was handed to it gives it back, in order (" .. way .. ")", function()
      connect()
      world:run(function()
        local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
        local object = way == "client" and client or subscription
        start(function() client:run(5) end) -- pumps
        local victim = start(function() object:receive() end)
        local off = client:on("receipt", function() close(victim) end)
        -- MESSAGEs and the RECEIPT are routed in one turn
        for i = 1, 3 do assert(client:send("/queue/a", tostring(i), nil, i == 3 and { confirm = true } or nil)) end
        off()
        assert.equal("dead", coroutine.status(victim))
        for i = 1, 3 do
          local message = assert(object:receive(1))
          assert.equal(tostring(i), message.body)
          assert(message:ack())
        end
        assert.equal(0, client:stats().inbox_bytes)
      end)
    end)
  end

  for _, way in ipairs { "subscription", "client" } do
    it("when a message was handed to it gives it to one who waits (" .. way .. ")", function()
      connect()
      world:run(function()
        local subscription = assert(client:subscribe("/queue/a"))
        local object = way == "client" and client or subscription
        start(function() client:run(5) end) -- pumps
        local victim, got = start(function() object:receive() end), nil
        start(function() got = object:receive(2) end)
        client:on("receipt", function() close(victim) end)
        assert(client:send("/queue/a", "one"))
        assert(client:send("/queue/b", "", nil, { confirm = true })) -- in one turn with it
        assert.equal("dead", coroutine.status(victim))
        world:sleep(0.1)
        assert.equal("one", got and got.body)
        assert.equal(0, client:stats().inbox_bytes)
      end)
    end)
  end

  it("that waits for the link leaves that to another", function()
    connect()
    world:run(function()
      local one, two = assert(client:subscribe("/queue/a")), assert(client:subscribe("/queue/b"))
      local owner = start(function() one:receive() end)
      local got
      world:spawn(function() got = two:receive(5) end)
      world:sleep(0.1)
      assert.equal(owner, client.pump.owner)
      close(owner)
      world:sleep(0.1)
      local sender = assert(stomp.connect(broker.url, world:options()))
      assert(sender:send("/queue/b", "x"))
      assert(sender:disconnect())
      world:sleep(0.1)
      assert.equal("x", got.body)
    end)
  end)

  it("in a confirmed send expects no RECEIPT, and does not send again", function()
    connect { reconnect = true }
    broker:misbehave { withhold_receipts = true }
    world:run(function()
      close(start(function() client:send("/queue/a", "", nil, { confirm = true }) end))
      assert_nothing_left()
      broker:misbehave()
      broker:cut()
      assert(client:flush())
      assert.equal(1, broker:stats("/queue/a").published)
    end)
  end)

  it("while there is no connection takes back what it would have sent", function()
    connect { reconnect = { min = 1, max = 1, jitter = 0 } }
    world:run(function()
      broker:cut()
      client:receive(0.1)
      assert.equal("reconnecting", client.state)
      close(start(function() client:send("/queue/a", "", nil, { confirm = true }) end))
      close(start(function() client:subscribe("/queue/b") end))
      close(start(function() client:begin "mine" end))
      assert_nothing_left()
      assert.equal(0, client:stats().queued)
      local t = assert(client:begin "mine")
      assert(t:abort())
      assert.equal(nil, next(client.router.subscriptions))
    end)
  end)

  it("that subscribes or unsubscribes undoes it, or ends it", function()
    connect()
    world:run(function()
      broker:misbehave { withhold_receipts = true }
      close(start(function() client:subscribe("/queue/a", { confirm = true }) end))
      broker:misbehave()
      local subscription = assert(client:subscribe("/queue/b"))
      broker:misbehave { withhold_receipts = true }
      close(start(function() subscription:unsubscribe { confirm = true } end))
      broker:misbehave()
      world:sleep(0.1)
      assert.equal(0, broker:stats().subscriptions)
      assert_nothing_left()
    end)
  end)

  it("in a request drops its late reply, and others get theirs", function()
    connect()
    world:run(function()
      assert(client:subscribe("/queue/service", function(request)
        world:sleep(1)
        request:reply(request.body)
      end))
      local victim = start(function() client:request("/queue/service", "1") end)
      close(victim)
      assert_nothing_left()
      assert.equal("2", client:request("/queue/service", "2").body)
      assert.equal(1, client:stats().late_replies)
    end)
  end)

  it("in commit leaves nothing behind", function()
    connect()
    world:run(function()
      local t = assert(client:begin())
      assert(t:send("/queue/a", "", nil, { confirm = true }))
      broker:misbehave { withhold_receipts = true }
      close(start(function() t:commit() end))
      assert_nothing_left()
      assert.is_nil(next(client.transactions.ending))
      assert(client:flush())
    end)
  end)

  for _, way in ipairs { "drain", "disconnect" } do
    it("in " .. way .. " closes the client", function()
      connect()
      world:run(function()
        local sent, message
        broker:misbehave { withhold_receipts = true }
        world:spawn(function() sent, message = client:send("/queue/a", "", nil, { confirm = true }) end)
        world:sleep(0.1)
        close(start(function() client[way](client, 60) end))
        assert.equal("closed", client.state)
        world:sleep(0.1)
        assert.is_nil(sent)
        assert.truthy(message:find("closed", 1, true))
        assert.is_true(client[way](client))
      end)
    end)
  end

  it("in stomp.connect closes its connection", function()
    connect()
    broker:misbehave { delay = 60 }
    world:run(function()
      local before = broker:stats().sessions
      close(start(function() stomp.connect(broker.url, world:options()) end))
      world:sleep(1)
      assert.equal(before, broker:stats().sessions)
    end)
  end)

  for _, n in ipairs { 1, 2 } do
    it("that is a handler's is told to on_error, and the next message is handled (concurrency " .. n .. ")", function()
      local told, handled, victim = {}, {}, nil
      connect { on_error = function(message) told[#told + 1] = message end }
      world:run(function()
        assert(client:subscribe("/queue/a", { concurrency = n }, function(message)
          if message.body == "1" then
            victim = coroutine.running()
            world:sleep(60)
          end
          handled[#handled + 1] = message.body
        end))
        for i = 1, 3 do assert(client:send("/queue/a", tostring(i))) end
        client:receive(0.1)
        close(victim)
        client:receive(0.1)
      end)
      assert.same({ "2", "3" }, handled)
      assert.equal(1, #told)
      assert.truthy(told[1]:find("coroutine.close", 1, true), told[1])
    end)
  end

  it("that stands first in a line passes the turn on", function()
    connect()
    broker:misbehave { withhold_receipts = true }
    world:run(function()
      local later, sent = { confirm = "later" }, nil
      for _ = 1, 4096 do assert(client:send("/queue/a", "", nil, later)) end
      local first = start(function() client:send("/queue/a", "", nil, later) end)
      world:spawn(function() sent = client:send("/queue/a", "", nil, later) end)
      world:sleep(0.1)
      close(first)
      world:sleep(0.1)
      assert.is_nil(sent)
      assert.equal(1, queue.size(client.pipeline.line))
      local entries = client.pipeline.entries
      for i = entries.first, entries.first + 2100 do client.receipts:settle(entries[i].id, {}) end
      world:sleep(0.1)
      assert.is_true(sent)
      assert.equal(0, queue.size(client.pipeline.line))
    end)
  end)
end)
