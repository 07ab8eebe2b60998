-- SPDX-License-Identifier: MIT
-- A bulk publish that is safe and fast: the broker confirms every message, thousands
-- are in flight at a time, and a line tells how far it is.
--
--     lua5.4 examples/progress.lua                            (on an embedded broker)
--     COUNT=100000 BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua5.4 examples/progress.lua
--
-- Exits 0 when the broker has all of them.
local stomp = require "stomp"

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local broker = not url and assert(require "stomp.broker".listen "ws://127.0.0.1:0/ws")
local count = tonumber(option("COUNT", "20000"))
local queue = option("QUEUE", ("/queue/examples.bulk.%d"):format(os.time()))

-- ---- The progress line ----

-- On standard error, over itself: standard output stays clean for a pipe.
local started, shown = stomp.now(), 0
local confirmed = 0

local function show()
  shown = stomp.now()
  local rate = confirmed / math.max(shown - started, 1e-6)
  local left = rate > 0 and (count - confirmed) / rate or 0
  io.stderr:write(("\r%3.0f%%  %d of %d confirmed, %.0f/s, %.0f s left   "):format(
    math.floor(100 * confirmed / count), confirmed, count, rate, left))
end

-- ---- Publishing ----

local client = assert(stomp.connect(url or broker.url, {
  login = option("LOGIN"),
  passcode = option("PASSCODE"),
  -- RabbitMQ (3.10) cuts a connection with heart-beats on which more is published
  -- than it takes (docs/brokers.md); WebSocket pings keep this one open
  heartbeat = { send = 0, receive = 10 },
  -- a message whose RECEIPT never came: outcome "unknown", it may have been taken or
  -- not. A program that must know sends an id along (option idempotent of send) and
  -- sends it again; the consumer drops what it has seen.
  on_error = function(message, err)
    io.stderr:write(("\n%s (outcome %s)\n"):format(message, tostring(err.outcome)))
  end,
}))

-- Told for each RECEIPT, in the middle of the matter: it must not wait.
client:on("receipt", function()
  confirmed = confirmed + 1
  if stomp.now() - shown > 0.1 then show() end
end)

show()
for n = 1, count do
  -- returns at once; where too many are in flight it waits for the older half
  local ok, message = client:send(queue, { n = n }, nil, { confirm = "later" })
  if not ok then
    io.stderr:write(("\n%d was not sent: %s\n"):format(n, message))
    break
  end
end
local ok, message = client:flush() -- all that are in flight, with one wake-up
show()
io.stderr:write("\n")

local complete = ok and confirmed == count
print(("%d of %d confirmed%s"):format(confirmed, count, ok and "" or ", " .. message))
client:disconnect()
os.exit(complete and 0 or 1, true)
