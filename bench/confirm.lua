-- SPDX-License-Identifier: MIT
-- What confirmation costs: COUNT persistent messages of SIZE bytes to a queue, in
-- each of three ways in turn, RUNS times, the best of each. Prints messages a
-- second and microseconds of our CPU a message, a line a way.
--   lua5.4 bench/confirm.lua URL SIZE COUNT IN_FLIGHT [RUNS [LOGIN PASSCODE]]
local stomp = require "stomp"

local url, size, count = arg[1], tonumber(arg[2]), tonumber(arg[3])
local in_flight, runs = tonumber(arg[4]), tonumber(arg[5] or 3)
local body, headers = ("x"):rep(size), { persistent = "true" }
local confirmed, later = { confirm = true }, { confirm = "later" }
local queue = ("/queue/lua-stomp-bench-%d"):format(os.time())

local function connect()
  return assert(stomp.connect(url, {
    login = arg[6], passcode = arg[7], proxy = false, confirm_timeout = 300,
    -- no beats: RabbitMQ's flow control crashes its own heart-beat receiver
    heartbeat = { send = 0, receive = 0 },
  }))
end

local ways = {}

-- No RECEIPT, but for the last: over when the broker has them all.
function ways.unconfirmed(client)
  for _ = 1, count - 1 do assert(client:send(queue, body, headers)) end
  assert(client:send(queue, body, headers, confirmed))
end

-- One task that never has more than IN_FLIGHT without RECEIPT: what the broker does
-- when it is asked for RECEIPTs, and next to nothing is spent on waiting.
function ways.flushed(client)
  local left = count
  while left > 0 do
    for _ = 1, math.min(left, in_flight) do assert(client:send(queue, body, headers, later)) end
    left = left - in_flight
    assert(client:flush())
  end
end

-- IN_FLIGHT tasks, each of which waits for its RECEIPT.
function ways.confirmed(client)
  local left = count
  for _ = 1, in_flight do
    stomp.spawn(function()
      while left > 0 do
        left = left - 1
        assert(client:send(queue, body, headers, confirmed))
      end
    end)
  end
end

-- Seconds and CPU seconds of a run, and nothing left in the queue.
local function measure(run)
  local client
  local cpu, start = os.clock(), stomp.now()
  stomp.run(function()
    client = connect()
    cpu, start = os.clock(), stomp.now()
    run(client)
  end)
  local seconds, used = stomp.now() - start, os.clock() - cpu
  local subscription = assert(client:subscribe(queue))
  for _ = 1, count do assert(subscription:receive(60)) end
  client:close()
  return seconds, used
end

local names, best = { "unconfirmed", "flushed", "confirmed" }, {}
for _ = 1, runs do
  for _, name in ipairs(names) do
    local seconds, used = measure(ways[name])
    if not best[name] or seconds < best[name].seconds then
      best[name] = { seconds = seconds, used = used }
    end
  end
end
for _, name in ipairs(names) do
  print(("%s %.0f %.2f"):format(name, count / best[name].seconds, best[name].used / count * 1e6))
end
