-- SPDX-License-Identifier: MIT
-- What confirmation costs: COUNT persistent messages of SIZE bytes to a queue,
-- once unconfirmed (over when the broker has them all) and once confirmed each,
-- with IN_FLIGHT tasks that wait for their RECEIPT; RUNS times in turn, the best of
-- each. Prints both rates, the CPU a message, and the ratio.
--   lua5.4 bench/confirm.lua URL SIZE COUNT IN_FLIGHT [RUNS [LOGIN PASSCODE]]
local stomp = require "stomp"

local url, size, count = arg[1], tonumber(arg[2]), tonumber(arg[3])
local in_flight, runs = tonumber(arg[4]), tonumber(arg[5] or 3)
local body, headers = ("x"):rep(size), { persistent = "true" }
local confirmed = { confirm = true }
local queue = ("/queue/lua-stomp-bench-%d"):format(os.time())

local function connect()
  return assert(stomp.connect(url, {
    login = arg[6], passcode = arg[7], proxy = false, confirm_timeout = 300,
    -- no beats: RabbitMQ's flow control crashes its own heart-beat receiver
    heartbeat = { send = 0, receive = 0 },
  }))
end

local function unconfirmed_run(client)
  for _ = 1, count - 1 do assert(client:send(queue, body, headers)) end
  assert(client:send(queue, body, headers, confirmed))
end

local function confirmed_run(client)
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

local best = {}
for _ = 1, runs do
  for name, run in pairs { unconfirmed = unconfirmed_run, confirmed = confirmed_run } do
    local seconds, used = measure(run)
    if not best[name] or seconds < best[name].seconds then
      best[name] = { seconds = seconds, used = used }
    end
  end
end
local a, b = best.unconfirmed, best.confirmed
print(("%.0f %.2f %.0f %.2f %.2f"):format(count / a.seconds, a.used / count * 1e6,
  count / b.seconds, b.used / count * 1e6, a.seconds / b.seconds))
