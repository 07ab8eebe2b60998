-- SPDX-License-Identifier: MIT
-- The main job, step by step, on the embedded broker or any other:
--
--     make demo
--     make demo BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest
--
-- It exits 0 only when every step happened.
local stomp = require "stomp"
local core = require "stomp.core"
local json = require "cjson"

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local login, passcode = option("LOGIN", "guest"), option("PASSCODE", "guest")
local patience = 10 -- seconds for each step

local function say(...)
  io.write(("%s\n"):format(table.concat({ ... }, " ")))
end

local n_steps, failed = 0, 0

local function step(text)
  n_steps = n_steps + 1
  say(("\n%d. %s"):format(n_steps, text))
end

local function check(ok, text)
  say(ok and "   ok:" or "   FAILED:", text)
  if not ok then failed = failed + 1 end
  return ok
end

-- ---------------------------------------------------------------------------

if not url then
  step "Start the embedded broker"
  local broker = assert(require "stomp.broker".listen("ws://127.0.0.1:0/ws", { logins = { [login] = passcode } }))
  url = broker.url
  say("   it listens at", url)
end

step "Tell complete, incomplete and invalid frames apart"
local parser = core.parser()
parser:feed("MESSAGE\nsubscription:1\ndestination:/topic/a\nmessage-id:1\ncontent-length:5\n\nhe")
check(parser:next() == nil, "half a frame is incomplete: nothing yet")
parser:feed("llo\0")
local whole = parser:next()
check(whole and whole.body == "hello", "with its rest it is complete: " .. tostring(whole))
parser:feed("MESSAGE\nthis line has no colon\n\n\0")
local none, message, err = parser:next()
check(none == nil and err.kind == "protocol", "another one is invalid: " .. tostring(message))

step "Connect, with traces"
local function trace(direction, text)
  say("   " .. ({ send = ">>", receive = "<<", info = "--" })[direction], text)
end
local ended -- how it ended, for the last steps
local unknown -- a message that no subscription is for
local run_id = ("%d-%d"):format(os.time(), math.floor(stomp.now() * 1000) % 1000000)

local client = assert(stomp.connect(url, {
  login = login,
  passcode = passcode,
  trace = trace,
  on_close = function(clean, text) ended = { clean = clean, text = text } end,
  on_unhandled = function(frame) unknown = frame end,
}))
check(client.state == "connected", ("connected to %s with STOMP %s (offered: 1.0, 1.1, 1.2)"):format(
  client.server or "a broker without a name", client.version))

step "Subscribe to two destinations, by id; each has its function"
local orders, news = {}, {}

-- What an earlier run left in a real broker's queue is not ours.
local function is_ours(value) return type(value) == "table" and value.run == run_id end

local function on_news(frame)
  local value = frame:json()
  if is_ours(value) then news[#news + 1] = value end
  assert(frame:ack()) -- the standard's way: ACK
end

local function on_order(frame, of)
  local value = frame:json()
  if is_ours(value) then
    orders[#orders + 1] = value
    -- a send from inside a handler
    assert(of:send("/topic/lua-stomp.news", { run = run_id, text = "sold " .. value.item }))
  end
  assert(frame:ack()) -- this subscription's way: a SEND, see below
end

assert(client:subscribe("/topic/lua-stomp.news", { id = "news", ack = "client-individual", confirm = true }, on_news))
assert(client:subscribe("/queue/lua-stomp.orders", {
  id = "orders",
  -- some servers want this instead of ACK: a SEND with the message's own id
  acknowledge = { destination = "/queue/lua-stomp.acknowledge", header = "messageId" },
}, on_order))
local acknowledged = assert(client:subscribe("/queue/lua-stomp.acknowledge"))
check(true, "subscriptions news, orders and one for the acknowledgements")

step "Send, and wait for the broker's RECEIPT"
check(client:send("/queue/lua-stomp.orders", { run = run_id, item = "a bicycle" },
  { messageId = "order-" .. run_id }, { confirm = true }), "the broker has taken the order")

step "Messages come, are routed, decoded and handed to their function"
local ack_message
repeat -- what waits here lets the handlers run
  ack_message = client:receive(patience)
until not ack_message or ack_message.headers.messageId == "order-" .. run_id
check(#orders == 1 and orders[1].item == "a bicycle", "the order: " .. json.encode(orders[1] or {}))
check(ack_message ~= nil and ack_message.subscription == acknowledged.id,
  "acknowledged by a SEND with messageId " .. tostring(ack_message and ack_message.headers.messageId))

-- Let the client work until something has come.
local function wait_for(what)
  local deadline = stomp.now() + patience
  while not what() and not ended and stomp.now() < deadline do client:run(0.05) end
  return what()
end

wait_for(function() return news[1] end)
check(news[1] and news[1].text == "sold a bicycle",
  "the news that the order's handler sent: " .. json.encode(news[1] or {}) .. ", acknowledged by ACK")

step "A message of an unknown subscription is told"
-- A reply to a temporary queue that we never subscribed to.
local service = assert(client:subscribe("/queue/lua-stomp.service", { confirm = true }))
assert(client:send("/queue/lua-stomp.service", run_id, { ["reply-to"] = "/temp-queue/unknown" }))
local request
repeat request = service:receive(patience) until not request or request.body == run_id
if check(request ~= nil, "the request came") then assert(request:reply("nobody subscribed to this")) end
wait_for(function() return unknown end)
check(unknown and unknown.subscription == "/temp-queue/unknown",
  "warning: " .. tostring(unknown) .. " is for subscription " .. tostring(unknown and unknown.subscription))

step "Disconnect: DISCONNECT, wait for its RECEIPT, close"
local ok, note = client:disconnect()
check(ok, "disconnected" .. (note and " (" .. note .. ": this broker closes instead)" or ", the RECEIPT came"))
check(ended and ended.clean == true, "that was a normal end")

step "An abnormal end is told from a normal one"
ended = nil
client = assert(stomp.connect(url, {
  login = login,
  passcode = passcode,
  on_close = function(clean, text) ended = { clean = clean, text = text } end,
}))
client:subscribe("/no-such-kind-of-destination/a")
local _, why = client:run(patience)
check(ended and ended.clean == false, "abnormal: " .. tostring(why))
check(client.state == "closed", "the client is closed")

say(("\n%s"):format(failed == 0 and "All of it happened." or failed .. " checks FAILED."))
os.exit(failed == 0 and 0 or 1, true)
