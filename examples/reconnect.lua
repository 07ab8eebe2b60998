-- SPDX-License-Identifier: MIT
-- A connection that is lost, and made again: what the program sees of it, and what
-- it need not care about.
--
--     lua5.4 examples/reconnect.lua
--
-- It starts an embedded broker, takes it away under the client's feet, brings it
-- back, and exits 0 when nothing was lost. With a broker of your own (which you may
-- stop and start meanwhile) it publishes a message a second until Ctrl-C:
--
--     BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua5.4 examples/reconnect.lua
local stomp = require "stomp"

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local function say(...)
  print(("%6.2f  %s"):format(stomp.now() % 1000, (...):format(select(2, ...))))
  io.flush()
end

local url = option("BROKER")
local queue = "/queue/examples.steady"

-- ---- The client ----

local function connect(where)
  local client = assert(stomp.connect(where, {
    login = option("LOGIN"),
    passcode = option("PASSCODE"),
    -- Waits 0.1 s, then twice as long each time, up to 5 s, give or take half of it:
    -- many clients must not all come back at once. `attempts` or `max_time` would
    -- end it; `initial = true` would try the first connection again, too.
    reconnect = { min = 0.1, max = 5, jitter = 0.5 },
    -- before each attempt; it may wait, and change attempt.url, .login, .passcode …:
    -- the place to fetch a fresh token
    before_connect = function(attempt) say("attempt %d: %s", attempt.number, attempt.url) end,
    -- tell people, do not panic: the client is at it
    on_disconnect = function(message) say("lost: %s", message) end,
    -- CONNECTED again, subscribed again, and what was sent meanwhile is on its way
    on_reconnect = function(_, again) say("back: %s", again) end,
    -- over for good: a login that is refused, say, is not tried for ever
    on_close = function(clean, message) say("closed: %s", clean and "in order" or message) end,
  }))
  return client
end

-- The subscription lives as long as the client: on each connection it is sent
-- again. A message that was not acknowledged when the connection went comes again,
-- so a handler may see one twice (redelivered), and an ACK for one of an earlier
-- connection is refused: it would hit another one.
local got, n_got = {}, 0

local function on_message(message)
  local n = message:json().n
  if not got[n] then n_got = n_got + 1 end
  got[n] = true
  local ok, problem = message:ack()
  if not ok then say("not acknowledged, comes again: %d (%s)", n, problem) end
end

-- A confirmed send is sent again after a reconnect until its RECEIPT has come, so
-- `true` means that the broker has it. (It may have it twice: where that matters,
-- send an id of yours along and let the consumer compare.)
local function send(client, n)
  local ok, message = client:send(queue, { n = n }, nil, { confirm = true, timeout = 30 })
  if not ok then say("%d was not sent: %s", n, message) end
  return ok
end

-- ---- On a broker of your own: until Ctrl-C ----

if url then
  stomp.run(function()
    local client = connect(url)
    assert(client:subscribe(queue, { ack = "client-individual", prefetch = 10 }, on_message))
    stomp.spawn(function() client:run() end)
    for n = 1, tonumber(option("COUNT", "1e9")) do
      if send(client, n) then say("%d is with the broker", n) end
      stomp.sleep(tonumber(option("PAUSE", "1")))
    end
    assert(client:disconnect())
  end)
  os.exit(0, true)
end

-- ---- Here: the broker goes, and comes back on the same port ----

local brokers = require "stomp.broker"
local complete = false

stomp.run(function()
  local broker = assert(brokers.listen "ws://127.0.0.1:0/ws")
  local client = connect(broker.url)
  assert(client:subscribe(queue, { ack = "client-individual" }, on_message))
  stomp.spawn(function() client:run() end)
  for n = 1, 3 do assert(send(client, n)) end

  say("the broker goes")
  broker:close()
  -- Meanwhile nothing fails: what is sent is queued, up to limits.outbox.
  local sent = 0
  for n = 4, 6 do
    stomp.spawn(function()
      if send(client, n) then sent = sent + 1 end
    end)
  end
  stomp.sleep(0.3)
  say("%d sends wait for their RECEIPT", client:stats().receipts_outstanding)

  say("the broker is back")
  broker = assert(brokers.listen(broker.url))
  local deadline = stomp.now() + 20
  while (n_got < 6 or sent < 3) and stomp.now() < deadline do stomp.sleep(0.05) end
  complete = n_got == 6 and sent == 3 and client:stats().reconnects == 1
  client:disconnect()
  broker:close()
end)

print(complete and "Nothing was lost." or "Something is missing.")
os.exit(complete and 0 or 1, true)
