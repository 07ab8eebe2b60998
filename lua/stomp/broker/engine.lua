-- SPDX-License-Identifier: MIT
--- The embedded broker without sockets: frames in, frames out. A *peer* is what
-- a session's frames go to: `peer:send(command, headers, body)` returns true, or
-- false when it has no room now (then `engine:flush(session)` is called later).
--
-- `/topic/x` goes to every subscription, `/queue/x` (or a bare name) to one of
-- them; a queue keeps what nobody takes, up to a limit. What was not acknowledged
-- when its session ends comes again, in order, with redelivered:true. Replies go
-- as on RabbitMQ: `reply-to:/temp-queue/x` needs no SUBSCRIBE.
-- Knows destinations and session of this folder; no socket, no clock, no
-- randomness. Frames have the headers that their version demands: the connection
-- sees to that.
-- @module stomp.broker.engine
local destinations = require "stomp.broker.destinations"
local sessions = require "stomp.broker.session"

local engine = {}

local methods = {}
local mt = { __index = methods }

local kind_of = destinations.kind_of

-- Bytes of the messages in queues, unacknowledged, and in transactions. Beyond
-- it a SEND is refused.
local held_most = 67108864

-- Subscriptions of one session, and its open transactions.
local each_most = 65536

--- A new broker engine.
-- @tparam[opt] table options `logins` (login -> passcode), `queue_limit` (bytes
-- of all messages that are kept, 64 MiB)
function engine.new(options)
  options = options or {}
  return setmetatable({
    logins = options.logins,
    destinations = destinations.new(options.queue_limit or held_most),
    sessions = {}, -- session -> true
    last_session = 0,
    last_subscription = 0,
    frames_received = 0,
  }, mt)
end

-- ---- Sessions

--- A session for a peer.
function methods:open(peer)
  self.last_session = self.last_session + 1
  local session = sessions.new("session-" .. self.last_session, peer)
  self.sessions[session] = true
  return session
end

--- Whether a CONNECT's login is right.
function methods:admits(headers)
  if not self.logins then return true end
  local passcode = headers.login and self.logins[headers.login]
  return passcode ~= nil and passcode == headers.passcode
end

-- ---- Transactions

local nothing = { size = 256 } -- what an ACK in a transaction holds

-- Now, or at COMMIT; the message is held until then.
local function do_or_defer(self, session, frame, message, action)
  local id = frame.headers.transaction
  if not id then return action() end
  local list = session.transactions[id]
  if not list then
    return session:refuse("Bad transaction", "no transaction " .. id, frame)
  elseif not self.destinations:has_room(message) then
    return session:refuse("Broker is full", "transaction " .. id, frame)
  end
  self.destinations:hold(message)
  list[#list + 1] = { action = action, message = message }
end

-- A transaction ends; its actions.
local function take_transaction(self, session, id)
  local list = session.transactions[id]
  session.transactions[id] = nil
  session.n_transactions = session.n_transactions - 1
  for _, deferred in ipairs(list) do self.destinations:let_go(deferred.message) end
  return list
end

local function end_transaction(self, session, frame, commit)
  local id = frame.headers.transaction
  if not session.transactions[id] then
    return session:refuse("Bad transaction", "no transaction " .. id, frame)
  end
  local list = take_transaction(self, session, id)
  for _, deferred in ipairs(commit and list or {}) do deferred.action() end
end

-- ---- The frames of a client

local commands = {}

function commands:SEND(session, frame)
  local destination = frame.headers.destination
  local kind = kind_of(destination)
  if not kind then
    return session:refuse("Unknown destination", destination, frame)
  end
  local message = destinations.new_message(frame.headers, frame.body)
  if kind == "queue" and not self.destinations:has_room(message) then
    return session:refuse("Broker is full", destination, frame)
  elseif not self.destinations:rewrite_reply(session, message) then
    return session:refuse("Too many reply queues", destination, frame)
  end
  do_or_defer(self, session, frame, message, function()
    self.destinations:publish(message)
  end)
end

function commands:SUBSCRIBE(session, frame)
  local headers = frame.headers
  local destination = headers.destination
  local id, kind = headers.id or destination, kind_of(destination)
  if kind ~= "topic" and kind ~= "queue" then
    return session:refuse("Invalid destination", destination, frame)
  elseif session.subscriptions[id] then
    return session:refuse("Duplicated subscription identifier", id, frame)
  elseif session.n_subscriptions == each_most then
    return session:refuse("Too many subscriptions", id, frame)
  end
  local prefetch = tonumber(headers["prefetch-count"] or headers["activemq.prefetchSize"])
  self.last_subscription = self.last_subscription + 1
  local s = {
    id = id, session = session, destination = destination,
    ack = headers.ack or "auto", unacked = {}, serial = self.last_subscription,
    prefetch = prefetch and prefetch >= 1 and prefetch or nil, -- 0: no limit
  }
  session.subscriptions[id] = s
  session.n_subscriptions = session.n_subscriptions + 1
  self.destinations:join(s)
  session.to_serve = s.queue -- after its RECEIPT
end

function commands:UNSUBSCRIBE(session, frame)
  local id = frame.headers.id or frame.headers.destination
  local s = id and session.subscriptions[id]
  if not s then
    return session:refuse("No subscription found", tostring(id), frame)
  end
  session.subscriptions[id] = nil
  session.n_subscriptions = session.n_subscriptions - 1
  self.destinations:leave(session, { s })
end

local function acknowledge(self, session, frame)
  local id = frame.headers.id or frame.headers["message-id"]
  local delivery = session.deliveries[id]
  if not delivery then
    return session:refuse("Unexpected " .. frame.command, "no message " .. id, frame)
  end
  do_or_defer(self, session, frame, nothing, function()
    if session.deliveries[id] then
      self.destinations:settle(session, delivery, frame.command == "NACK")
    end
  end)
end

commands.ACK = acknowledge
commands.NACK = acknowledge

function commands.BEGIN(_, session, frame)
  local id = frame.headers.transaction
  if session.transactions[id] then
    return session:refuse("Bad transaction", id .. " is open already", frame)
  elseif session.n_transactions == each_most then
    return session:refuse("Too many transactions", id, frame)
  end
  session.transactions[id] = {}
  session.n_transactions = session.n_transactions + 1
end

function commands:COMMIT(session, frame)
  end_transaction(self, session, frame, true)
end

function commands:ABORT(session, frame)
  end_transaction(self, session, frame, false)
end

function commands.DISCONNECT(_, session)
  session.ending = true
end

-- ---- What the listener calls

--- A frame of a session that is connected.
function methods:frame(session, frame)
  self.frames_received = self.frames_received + 1
  if session.refused then return end
  commands[frame.command](self, session, frame)
  local receipt = frame.headers.receipt
  if receipt then session:write("RECEIPT", { { "receipt-id", receipt } }, "") end
  local queue = session.to_serve
  if queue then
    session.to_serve = nil
    self.destinations:serve(queue)
  end
end

--- Write what waited for room, and what its queues hold for it.
function methods:flush(session)
  if not session:flush() then return end
  for _, s in ipairs(session:in_order()) do
    if s.queue then self.destinations:serve(s.queue) end
  end
end

--- A session is over: what it held goes to others.
function methods:close(session)
  self.sessions[session] = nil
  session:finish()
  for _, destination in ipairs(session.replies) do
    self.destinations.replies[destination] = nil
  end
  for id in pairs(session.transactions) do take_transaction(self, session, id) end
  self.destinations:leave(session, session:in_order())
end

--- Figures: sessions, subscriptions, queued messages, frames and messages.
function methods:stats()
  local all = self.destinations
  local stats = {
    sessions = 0, subscriptions = 0, unacknowledged = 0, queued = all:queued(),
    held_bytes = all.held, frames_received = self.frames_received,
    messages_in = all.n_in, messages_out = all.n_out,
  }
  for session in pairs(self.sessions) do
    stats.sessions = stats.sessions + 1
    stats.subscriptions = stats.subscriptions + session.n_subscriptions
    for _, s in pairs(session.subscriptions) do
      stats.unacknowledged = stats.unacknowledged + #s.unacked
    end
  end
  return stats
end

return engine
