-- SPDX-License-Identifier: MIT
-- A bulk publish that is safe and fast: every message is confirmed by the broker,
-- many are in flight at a time, and a line tells how far it is.
--
--     lua examples/progress.lua                            (on an embedded broker)
--     COUNT=100000 BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua examples/progress.lua
--
-- Exits 0 when the broker has all of them.
local stomp = require "stomp"

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local broker = not url and assert(require "stomp.broker".listen "ws://127.0.0.1:0/ws")
local count = tonumber(option("COUNT", "5000"))
local tasks = tonumber(option("TASKS", "200")) -- so many are in flight
local queue = option("QUEUE", ("/queue/examples.bulk.%d"):format(os.time()))

-- ---- The progress line ----

-- On standard error, over itself: standard output stays clean for a pipe.
local started = stomp.now()

local function show(n)
  local seconds = stomp.now() - started
  local rate = seconds > 0 and n / seconds or 0
  local left = rate > 0 and (count - n) / rate or 0
  io.stderr:write(("\r%3.0f%%  %d of %d confirmed, %.0f/s, %.0f s left   "):format(
    math.floor(100 * n / count), n, count, rate, left))
end

-- ---- Publishing ----

local confirmed, failures = 0, 0

-- One of many tasks: takes the next number, sends, waits for the RECEIPT. Waiting
-- tasks cost next to nothing, the client wakes only those whose RECEIPT has come.
local function publish(client, next_number)
  for n in next_number do
    local ok, message, err = client:send(queue, { n = n }, nil, { confirm = true })
    if ok then
      confirmed = confirmed + 1
    else
      -- outcome "unknown": sent, but nobody knows whether it was taken. A consumer
      -- that cares compares an id of yours, and you send it again.
      failures = failures + 1
      io.stderr:write(("\n%d: %s (outcome %s)\n"):format(n, message, tostring(err.outcome)))
      return
    end
  end
end

stomp.run(function()
  local client = assert(stomp.connect(url or broker.url, { login = option("LOGIN"), passcode = option("PASSCODE") }))
  local n, running = 0, tasks
  local function next_number()
    n = n + 1
    return n <= count and n or nil
  end
  for _ = 1, tasks do
    stomp.spawn(function()
      publish(client, next_number)
      running = running - 1
    end)
  end
  while running > 0 do
    show(confirmed)
    stomp.sleep(0.1)
  end
  show(confirmed)
  io.stderr:write("\n")
  assert(client:disconnect())
end)

print(("%d of %d confirmed, %d failed"):format(confirmed, count, failures))
os.exit(confirmed == count and 0 or 1, true)
