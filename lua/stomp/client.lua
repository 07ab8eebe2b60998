-- SPDX-License-Identifier: MIT

--- One connection to a broker, as a program uses it, from `stomp.connect` to
-- `disconnect`. Any number of coroutines may use it at a time.
--
-- Handlers run while any task waits in a call of the client (`run`, `receive`, a
-- confirmed `send` …), each subscription's in a task of its own.
--
-- A call that waits may fail, besides with the kinds that are listed, with that of
-- the connection's end: closed, broker, protocol, heartbeat, limit. err.after then
-- has the frames that were sent last, err.outcome is `"unknown"` where a frame was
-- sent and nobody knows whether it was taken.
--
-- (It owns a loop, how to wait, and one link after another, what carries the frames,
-- and puts together pump: who waits, router: for whom, receipts, events and
-- reconnector. Knows the modules that it puts together; transport and loop
-- through their seams.)
-- @classmod client
-- @alias methods
local check = require "stomp.check"
local errors = require "stomp.errors"
local events_module = require "stomp.events"
local failures = require "stomp.failures"
local leaving = require "stomp.leaving"
local life = require "stomp.life"
local pipeline_module = require "stomp.pipeline"
local pump_module = require "stomp.pump"
local queue = require "stomp.queue"
local reconnect_module = require "stomp.reconnect"
local receipts_module = require "stomp.receipts"
local request_module = require "stomp.request"
local router_module = require "stomp.router"
local sending = require "stomp.sending"
local statistics = require "stomp.statistics"
local subscribing = require "stomp.subscribing"
local transaction_module = require "stomp.transaction"
local unique = require "stomp.unique"
require "stomp.message" -- gives frames their methods

local methods = {}
local mt = { __name = "stomp.client", __index = methods }

--- A client that is not connected yet. `settings`: the options of connect with
-- their defaults; `urls`: in the order in which they are tried; `trace(direction,
-- frame)`, or nil, watches.
-- @local
local function new(loop, settings, urls, trace)
  local self = setmetatable({
    state = "connecting",
    url = nil,
    loop = loop.name,
    version = nil, server = nil, session = nil, heartbeat = nil, compression = nil,
    -- the project's own, not part of the interface
    settings = settings,
    trace = trace,
    watched = trace ~= nil,
    pump = pump_module.new(loop),
    events = events_module.new(loop),
    unique = unique.new(loop.random),
    receipts = nil,
    router = nil,
    transactions = nil,
    requests = nil,
    pipeline = nil,
    reconnector = nil,
    greeted = false, -- CONNECTED came on the last connection that was tried
    leaving = false,
    draining = false,
    drainer = nil, -- what a drain waits for that awaits acknowledgements
    n_subscriptions = 0,
    n_reconnects = 0,
    proven = {}, n_proven = 0, doubted_until = nil, given_up = false, -- see proof
    past = {},           -- counts of earlier links
  }, mt)
  self.receipts = receipts_module.new(self.pump)
  self.router = router_module.new(self, self.receipts, self.events)
  self.transactions = transaction_module.new(self)
  self.requests = request_module.new(self)
  self.pipeline = pipeline_module.new(self)
  self.reconnector = reconnect_module.new(self, settings.reconnect, urls)
  self.receipts.backlog = self.reconnector.backlog
  self.pump.router = self.router
  self.pump.lost = function(ended) return self.reconnector:lost(ended) end
  self.pump.observed = trace ~= nil
  self.pump.tolerant = settings.on_invalid_frame == "ignore"
  return self
end

--- What a program may read.
-- @table fields
-- @tfield string state `"connecting"`, `"connected"`, `"disconnecting"`,
-- `"reconnecting"`, `"closed"`
-- @tfield string url of the present or last attempt, without secrets
-- @tfield string version of STOMP: `"1.0"`, `"1.1"`, `"1.2"`; nil before CONNECTED
-- @tfield string server the header of CONNECTED, or nil
-- @tfield string session the header of CONNECTED, or nil
-- @tfield table heartbeat `{ send, receive }`: seconds as agreed, 0 is off
-- @tfield boolean compression whether permessage-deflate was agreed on
-- @tfield string loop name of the loop that it waits in

for name, method in pairs(life) do methods[name] = method end

-- ---- Calls ----

--- Subscribe to a destination.
-- @tparam string destination
-- @tparam[opt] table options id, ack ("auto", "client", "client-individual"),
-- headers (a table, or a function that makes one), confirm (wait for the
-- RECEIPT), timeout, prefetch, acknowledge = { destination, header, automatic },
-- stream ("first", "last", "next" or an offset: of RabbitMQ, see docs/brokers.md);
-- with a handler: concurrency (how many of it run at a time [1]; not with ack
-- "client"), order_by (name of a header: messages of equal value stay in order,
-- one at a time)
-- @tparam[opt] function handler handler(message, client)
-- @treturn[1] subscription
-- @treturn[2] nil, message, err: invalid (nothing was sent), timeout (no RECEIPT,
-- no room, no connection), limit
-- @standard STOMP 1.2, "SUBSCRIBE"
function methods:subscribe(destination, options, handler)
  local subscription, message, err =
    subscribing.subscribe(self, destination, options, handler, 2)
  return subscription, message, err
end

--- Send a message.
-- @tparam string destination
-- @tparam string|table body any bytes, or a table that goes out as JSON (of its numbers
-- whole ones have all digits, others 14, or 16 where lua-cjson is later than 2.1.0)
-- @tparam[opt] table headers { name = value }, or a list of { name, value }
-- @tparam[opt] table options confirm (wait for the RECEIPT, and send again after
-- a reconnect until it is here, see docs/reliability.md for RabbitMQ; adds
-- persistent:true; "once": never again;
-- "later": return at once, flush waits for it), timeout (seconds), content_length
-- = false, transaction (an object of begin, or its id: `confirm` then returns at
-- once, and the commit waits for the RECEIPT), idempotent (name of a header, or
-- true for "idempotency-key": it gets an id of this send alone, the same however
-- often the client sends it, so a receiver can tell a second copy)
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid (nothing was sent), timeout (no RECEIPT:
-- outcome unknown; no room: nothing was sent), limit (larger than limits.outbox)
-- @standard STOMP 1.2, "SEND"
function methods:send(destination, body, headers, options)
  if headers == nil and options == nil and type(body) == "string"
    and type(destination) == "string" and destination ~= "" then
    return sending.transmit_plain(self, destination, body)
  end
  local ok, message, err =
    sending.send(self, destination, body, headers, options, 2)
  return ok, message, err
end

--- Send a request and wait for its reply: with a reply queue and a correlation
-- id, by the rules of RabbitMQ, ActiveMQ, Artemis or the embedded broker, whichever
-- CONNECTED named. Whoever answers sends to the message's `reply-to` and copies
-- `correlation-id`, as message:reply does.
-- @tparam string destination
-- @tparam string|table body as of client:send
-- @tparam[opt] table options timeout (seconds; confirm_timeout without it),
-- headers, content_length = false, and for other brokers reply = { to =
-- destination of the replies, subscribe = false, true, or what to SUBSCRIBE to
-- for them (as before where `to` was used before), correlation_id }
-- @treturn[1] message the reply
-- @treturn[2] nil, message, err: invalid (it is not known how this broker
-- replies: option reply; `to` was used with another `subscribe`; nothing was sent),
-- timeout, limit
function methods:request(destination, body, options)
  local reply, message, err = self.requests:request(destination, body, options, 2)
  return reply, message, err
end

--- Begin a transaction.
-- @tparam[opt] string id of its own choice
-- @treturn[1] transaction with send, ack, nack, commit, abort; leaving its scope
-- aborts
-- @treturn[2] nil, message, err: invalid (the id is in use), timeout (no room in
-- the outbox, no connection)
-- @standard STOMP 1.2, "BEGIN"
function methods:begin(id)
  local transaction, message, err = self.transactions:begin(id, 2)
  return transaction, message, err
end

--- Wait until every confirmed send so far has its RECEIPT, but those in open
-- transactions, which are answered after COMMIT.
-- @tparam[opt] number timeout seconds; confirm_timeout without it
-- @treturn[1] true
-- @treturn[2] nil, message, err: of the first send with confirm = "later" that
-- failed since the last flush; timeout, or how the connection ended
-- @standard STOMP 1.2, "RECEIPT"
function methods:flush(timeout)
  check.timeout(timeout, 2)
  timeout = timeout or self.settings.confirm_timeout
  return self.pipeline:verdict(self.receipts.serial,
    self.receipts:flush(self.pump.loop.now() + timeout, timeout))
end

-- A message goes to the program.
local function handed(message)
  local subscription = message.owner.subscription
  if subscription.notes then subscription:handed(message) end
  return message
end

--- The next message of any subscription that has neither a handler nor a waiter
-- of its own.
-- @tparam[opt] number timeout seconds; for ever without it
-- @treturn[1] message
-- @treturn[2] nil, message, err: timeout
function methods:receive(timeout)
  check.timeout(timeout, 2)
  local pump, others = self.pump, self.router.others
  local frame = self.router:take()
  if frame then return handed(frame) end
  if pump.ended then return failures.over(pump.ended, "no message") end
  if self.draining then
    return errors.failure("closed", "no message: the client drains")
  end
  local waiter = pump:waiter("no message")
  waiter.holder = self.router
  queue.push(others, waiter)
  if pump:wait(waiter, timeout and pump.loop.now() + timeout) then
    if waiter.value then return handed(waiter.value) end
    return nil, waiter.message, waiter.err
  end
  queue.remove(others, waiter)
  if pump.ended then return failures.over(pump.ended, "no message") end
  return failures.late("no message", timeout)
end

--- Let handlers run until the connection is closed for good.
-- @tparam[opt] number timeout seconds; for ever without it
-- @treturn[1] true after our own disconnect, drain or close
-- @treturn[2] nil, message, err: timeout (it is still connected), or how it ended
function methods:run(timeout)
  check.timeout(timeout, 2)
  local pump = self.pump
  if not pump.ended then
    if not timeout then leaving.excuse_messages(self) end
    pump:wait(pump:waiter("run"), timeout and pump.loop.now() + timeout)
  end
  local ended = pump.ended
  if not ended then
    return errors.failure("timeout", ("run: still connected after %g s"):format(timeout))
  end
  leaving.settle(self)
  if ended.clean then return true end
  return nil, ended.message, ended.err
end

--- Call `f` at each event. These may wait, one after the other in a task of their
-- own: error(message, err): what failed where nobody waited; disconnect(message,
-- err): an end that was not asked for, before any reconnect; connected(client,
-- url); reconnect(client, url, attempt): connected and subscribed again;
-- close(clean, message, err): once, when it is over for good; unhandled(message,
-- client): a message of no subscription. These may not: sent(command, headers,
-- body), received(frame), acked(message, "ack" or "nack"), receipt(id).
-- @tparam string event its name
-- @tparam function f an error in it goes to `error`
-- @treturn function takes it off again
function methods:on(event, f)
  local off = self.events:on(event, f, 2)
  local function watch()
    self.pump.observed = self.trace ~= nil or self.events:has("received")
    self.watched = self.trace ~= nil or self.events:has("sent")
  end
  watch()
  return function()
    off()
    watch()
  end
end

-- ---- The way down ----

--- Leave without losing anything: hand out nothing more, let handlers finish and
-- acknowledge (but the one that calls this), wait until what other coroutines took by
-- receive or messages is acknowledged or refused, wait for outstanding receipts and,
-- while reconnecting, for a connection on which queued sends go out, DISCONNECT. What
-- was not handled comes back to others. Coroutines in receive and messages are told at
-- once. Whatever happens, it is closed afterwards, but where another drain is under way:
-- then this one waits for it.
-- @tparam[opt] number timeout seconds; confirm_timeout without it
-- @treturn[1] true [, "no receipt"] also when it was closed already
-- @treturn[2] nil, message, err: timeout (handlers still run, messages are not
-- acknowledged, receipts are missing, sends are queued and there is no connection)
-- @standard STOMP 1.2, "DISCONNECT"
function methods:drain(timeout)
  check.timeout(timeout, 2)
  return leaving.drain(self, timeout)
end

--- Wait for outstanding receipts, send DISCONNECT, wait for its RECEIPT, close. The last
-- fifth of the time, one second at most, is for DISCONNECT alone. Whatever happens, it is
-- closed afterwards. While reconnecting it returns at once, with "no receipt" where no
-- sends were queued.
-- @tparam[opt] number timeout seconds [5]; functions that are told of the end
-- (on_close) have up to 5 s more
-- @treturn[1] true [, "no receipt"] also when it was closed already
-- @treturn[2] nil, message, err: timeout (which RECEIPTs are missing, or that of
-- DISCONNECT), limit, or how a send that it waited for failed; closed where another task
-- closed it meanwhile, queued sends are lost by it (while reconnecting), or sends with
-- confirm = "later" got no RECEIPT
-- @standard STOMP 1.2, "DISCONNECT"
function methods:disconnect(timeout)
  check.timeout(timeout, 2)
  return leaving.disconnect(self, timeout)
end

--- Close at once, without DISCONNECT. Never fails, may be called twice; leaving
-- the scope of a `<close>` variable (Lua 5.4) calls it.
-- @treturn boolean true
function methods:close()
  local pump = self.pump
  self.leaving = true
  if pump.link then pump.link:close() end
  if pump.ended then return true end
  pump:finish(true)
  -- A plain script may end here: what was told of the end runs now.
  if self.events:has("close") and not pump.loop.running() then
    pump.loop.sleep(0)
  end
  return true
end

--- Numbers, docs/stats.md has them all. Counted over all connections:
-- frames_sent, frames_received, messages, bytes_sent, bytes_received,
-- heartbeats_sent, heartbeats_received, paused_seconds (reading was stopped),
-- unknown_receipts, reconnects, late_replies. As they are now: inbox_bytes,
-- outbox_bytes, receipts_outstanding, queued (sends that wait for a connection),
-- unacked (messages), oldest_unacked (seconds), round_trip (seconds of the last
-- WebSocket ping, 0: none yet).
-- @treturn table
function methods:stats()
  return statistics.of(self)
end

function mt:__tostring()
  return ("stomp.client %s %s%s"):format(self.url or "?", self.state,
    self.version and " STOMP " .. self.version or "")
end

function mt:__close()
  self:close()
end

return { new = new }
