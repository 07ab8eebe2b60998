-- SPDX-License-Identifier: MIT
-- 100 tasks on one client, each with confirmed sends and a subscription of its own:
-- no wake-up is lost, and a wake-up costs no more with many waiters than with few.
local broker_module = require "stomp.broker"
local stomp = require "stomp"

local TASKS, ROUNDS = 100, 500

describe("100 tasks on one client #slow", function()
  it("lose no wake-up in 100,000 operations", function()
    local broker = assert(broker_module.listen("ws://127.0.0.1:0/ws"))
    local done, flushes = 0, 0
    stomp.run(function()
      local client = assert(stomp.connect(broker.url, { proxy = false }))
      local left = TASKS
      for i = 1, TASKS do
        stomp.spawn(function()
          local queue = "/queue/load-" .. i
          local subscription = assert(client:subscribe(queue, { ack = "client-individual", confirm = true }))
          for k = 1, ROUNDS do
            -- a wake-up that is lost is a time-out
            assert(client:send(queue, tostring(k), nil, { confirm = true, timeout = 60 }))
            local message = assert(subscription:receive(60))
            assert(message.body == tostring(k))
            assert(message:ack())
            done = done + 2
            if (k + i) % 100 == 0 then
              assert(client:flush(60))
              flushes = flushes + 1
            end
          end
          left = left - 1
          if left == 0 then assert(client:disconnect(60)) end
        end)
      end
    end)
    broker:close()
    assert.equal(2 * TASKS * ROUNDS, done)
    assert.equal(TASKS * ROUNDS / 100, flushes)
  end)
end)

describe("a wake-up", function()
  -- Instructions of the virtual machine for each of `count` confirmed sends, with so
  -- many of them in flight: a measure that no other load of the machine changes.
  local function cost(in_flight, count)
    local broker = assert(broker_module.listen("ws://127.0.0.1:0/ws"))
    local n, create = 0, coroutine.create
    local function counted(f)
      local thread = create(f)
      debug.sethook(thread, function() n = n + 1 end, "", 100)
      return thread
    end
    stomp.run(function()
      local client = assert(stomp.connect(broker.url, { proxy = false }))
      local left, running = count, in_flight
      coroutine.create = counted -- luacheck: ignore 122 (to count what the tasks below do)
      for _ = 1, in_flight do
        stomp.spawn(function()
          while left > 0 do
            left = left - 1
            assert(client:send("/topic/nobody", "", nil, { confirm = true, timeout = 60 }))
          end
          running = running - 1
          if running == 0 then client:close() end
        end)
      end
      coroutine.create = create -- luacheck: ignore 122 (put back)
    end)
    broker:close()
    return n * 100 / count
  end

  it("costs no more with 2,000 waiters than with 20", function()
    local few, many = cost(20, 20000), cost(2000, 20000)
    assert.is_true(few > 100)
    assert.is_true(many < 1.5 * few, ("%.0f instructions instead of %.0f"):format(many, few))
  end)
end)
