-- SPDX-License-Identifier: MIT
--- The embedded broker without sockets: frames in, frames out. A *peer* is what
-- a session's frames go to: `peer:send(command, headers, body)` returns true, or
-- false when it has no room now (then `engine:flush(session)` is called later).
--
-- `/topic/x` goes to every subscription, `/queue/x` (or a bare name) to one of
-- them; a queue keeps what nobody takes, up to a limit. What was not acknowledged
-- when its session ends comes again, in order, with redelivered:true. Replies go
-- as on RabbitMQ: `reply-to:/temp-queue/x` needs no SUBSCRIBE.
-- @module stomp.broker.engine
local engine = {}

local methods = {}
local mt = { __index = methods }

-- Bytes that wait for one session that does not read: then it is refused.
local pending_most = 8388608

--- A new broker engine.
-- @tparam[opt] table options `logins` (login -> passcode), `queue_limit` (bytes)
function engine.new(options)
  return setmetatable({
    options = options or {},
    topics = {},   -- destination -> list of subscriptions
    queues = {},   -- destination -> queue
    sessions = {}, -- session -> true
    replies = {},  -- reply destination -> {session, name}
    last_session = 0,
    last_delivery = 0,
    counts = { frames_received = 0, messages_in = 0, messages_out = 0 },
  }, mt)
end

-- ---- Sessions

--- A session for a peer.
function methods:open(peer)
  self.last_session = self.last_session + 1
  local session = {
    id = "session-" .. self.last_session,
    peer = peer,
    subscriptions = {}, -- id -> subscription
    deliveries = {},    -- delivery id -> {subscription, message, id}
    transactions = {},  -- id -> list of functions
    pending = {}, pending_bytes = 0,
  }
  self.sessions[session] = true
  return session
end

--- Whether a CONNECT's login is right.
function methods:admits(headers)
  local logins = self.options.logins
  return not logins or (headers.login ~= nil and logins[headers.login] == headers.passcode)
end

local function write(session, command, headers, body)
  if #session.pending == 0 and session.peer:send(command, headers, body) then return end
  session.pending[#session.pending + 1] = { command, headers, body }
  session.pending_bytes = session.pending_bytes + #body + 256
end

--- Write what waited, as far as there is room.
function methods:flush(session)
  local pending, done = session.pending, 0
  for i = 1, #pending do
    if not session.peer:send(pending[i][1], pending[i][2], pending[i][3]) then break end
    session.pending_bytes = session.pending_bytes - #pending[i][3] - 256
    done = i
  end
  if done == 0 then return end
  local rest = {}
  for i = done + 1, #pending do rest[#rest + 1] = pending[i] end
  session.pending = rest
  if #rest == 0 then
    for _, s in pairs(session.subscriptions) do
      if s.queue then self:serve(s.queue) end
    end
  end
end

--- Answer with ERROR; the session is over with it.
function methods:refuse(session, text, body, frame)
  local headers = { { "message", text }, { "content-type", "text/plain" } }
  local receipt = frame and frame.headers.receipt
  if receipt then headers[#headers + 1] = { "receipt-id", receipt } end
  session.refused = true
  write(session, "ERROR", headers, body or "")
end

-- ---- Messages

-- Headers that the broker sets, or that are for it alone.
local own = {
  subscription = true, destination = true, ["message-id"] = true, redelivered = true, ack = true, receipt = true,
  transaction = true, ["content-length"] = true,
}

local function new_message(destination, headers, body)
  local kept = {}
  for name, value in pairs(headers) do
    if not own[name] then kept[#kept + 1] = { name, value } end
  end
  return { destination = destination, headers = kept, body = body }
end

local function deliver(self, subscription, message)
  local session = subscription.session
  self.last_delivery = self.last_delivery + 1
  local id = session.id .. "@" .. self.last_delivery
  local headers = {
    { "subscription", subscription.id },
    { "destination", message.destination },
    { "message-id", id },
    { "redelivered", message.redelivered and "true" or "false" },
  }
  if subscription.ack ~= "auto" then
    headers[#headers + 1] = { "ack", id }
    local delivery = { subscription = subscription, message = message, id = id }
    session.deliveries[id] = delivery
    subscription.unacked[#subscription.unacked + 1] = delivery
  end
  for _, pair in ipairs(message.headers) do headers[#headers + 1] = pair end
  self.counts.messages_out = self.counts.messages_out + 1
  write(session, "MESSAGE", headers, message.body)
end

local function can_take(subscription)
  return #subscription.session.pending == 0
    and (not subscription.prefetch or #subscription.unacked < subscription.prefetch)
end

-- The next subscription in turn that can take a message, nil when none can.
local function next_taker(queue)
  local n = #queue.subscriptions
  for i = 1, n do
    local k = (queue.turn + i - 1) % n + 1
    local s = queue.subscriptions[k]
    if can_take(s) then
      queue.turn = k
      return s
    end
  end
  return nil
end

--- Hand out what a queue holds, to one taker after the other.
function methods:serve(queue)
  while queue.first <= queue.last do
    local taker = next_taker(queue)
    if not taker then return end
    local message = queue[queue.first]
    queue[queue.first] = nil
    queue.first = queue.first + 1
    queue.bytes = queue.bytes - #message.body
    deliver(self, taker, message)
  end
end

local function queue_of(self, destination)
  local queue = self.queues[destination]
  if not queue then
    queue = { first = 1, last = 0, bytes = 0, subscriptions = {}, turn = 0 }
    self.queues[destination] = queue
  end
  return queue
end

local function put_last(queue, message)
  queue.last = queue.last + 1
  queue[queue.last] = message
  queue.bytes = queue.bytes + #message.body
end

local function put_first(queue, message)
  queue.first = queue.first - 1
  queue[queue.first] = message
  queue.bytes = queue.bytes + #message.body
end

-- What kind of destination it is: "topic", "queue", "reply", or nil.
local function kind_of(destination)
  if destination:match("^/topic/.") then return "topic" end
  if destination:match("^/queue/.") or destination:match("^[^/]") then return "queue" end
  if destination:match("^/reply%-queue/.") then return "reply" end
  return nil
end

local function publish_to_topic(self, message)
  for _, s in ipairs(self.topics[message.destination] or {}) do
    if s.session.pending_bytes > pending_most then
      self:refuse(s.session, "Slow consumer", s.session.id .. " does not read")
    else
      deliver(self, s, message)
    end
  end
end

local function publish_to_reply(self, message)
  local reply = self.replies[message.destination]
  if not reply then return end -- its session is gone: dropped, as on RabbitMQ
  deliver(self, { id = reply.name, session = reply.session, ack = "auto" }, message)
end

local function publish(self, message)
  self.counts.messages_in = self.counts.messages_in + 1
  local kind = kind_of(message.destination)
  if kind == "topic" then
    publish_to_topic(self, message)
  elseif kind == "reply" then
    publish_to_reply(self, message)
  else
    local queue = queue_of(self, message.destination)
    put_last(queue, message)
    self:serve(queue)
  end
end

-- reply-to:/temp-queue/x becomes a destination that reaches this session.
local function rewrite_reply(self, session, message)
  for i, pair in ipairs(message.headers) do
    local name = pair[1] == "reply-to" and pair[2]:match("^/temp%-queue/.+")
    if name then
      local destination = "/reply-queue/" .. session.id .. "-" .. name:sub(13)
      self.replies[destination] = { session = session, name = name }
      message.headers[i] = { "reply-to", destination }
    end
  end
end

-- ---- Acknowledgement

-- The deliveries that an ACK or NACK names, taken off what is unacknowledged.
local function take_deliveries(session, delivery)
  local s, taken, rest = delivery.subscription, {}, {}
  local upto = s.ack == "client"
  for _, d in ipairs(s.unacked) do
    if d == delivery or upto then
      taken[#taken + 1] = d
      session.deliveries[d.id] = nil
    else
      rest[#rest + 1] = d
    end
    if d == delivery then upto = false end
  end
  s.unacked = rest
  return taken
end

-- Give messages back to their queue, in front and in order.
local function requeue(self, deliveries)
  local touched = {}
  for i = #deliveries, 1, -1 do
    local d = deliveries[i]
    local queue = d.subscription.queue
    d.message.redelivered = true
    if queue then
      put_first(queue, d.message)
      touched[queue] = true
    end
  end
  for queue in pairs(touched) do self:serve(queue) end
end

local function settle(self, session, delivery, nack)
  local taken = take_deliveries(session, delivery)
  if nack then
    -- somebody else's turn, where there is somebody else
    requeue(self, taken)
  elseif delivery.subscription.queue then
    self:serve(delivery.subscription.queue)
  end
end

-- ---- The frames of a client

local commands = {}

-- Now, or at COMMIT.
local function do_or_defer(self, session, frame, action)
  local id = frame.headers.transaction
  if not id then return action() end
  local list = session.transactions[id]
  if not list then return self:refuse(session, "Bad transaction", "no transaction " .. id, frame) end
  list[#list + 1] = action
end

function commands:SEND(session, frame)
  local headers = frame.headers
  local destination = headers.destination
  local kind = kind_of(destination)
  if not kind then return self:refuse(session, "Unknown destination", destination, frame) end
  local queue = kind == "queue" and queue_of(self, destination)
  if queue and queue.bytes + #frame.body > (self.options.queue_limit or 67108864) then
    return self:refuse(session, "Queue is full", destination, frame)
  end
  local message = new_message(destination, headers, frame.body)
  rewrite_reply(self, session, message)
  do_or_defer(self, session, frame, function() publish(self, message) end)
end

function commands:SUBSCRIBE(session, frame)
  local headers = frame.headers
  local id, kind = headers.id or headers.destination, kind_of(headers.destination)
  if kind ~= "topic" and kind ~= "queue" then
    return self:refuse(session, "Invalid destination", headers.destination, frame)
  end
  if session.subscriptions[id] then
    return self:refuse(session, "Duplicated subscription identifier", id, frame)
  end
  local s = {
    id = id, session = session, destination = headers.destination, ack = headers.ack or "auto", unacked = {},
    prefetch = tonumber(headers["prefetch-count"] or headers["activemq.prefetchSize"]),
  }
  session.subscriptions[id] = s
  if kind == "topic" then
    local list = self.topics[s.destination] or {}
    self.topics[s.destination] = list
    list[#list + 1] = s
  else
    s.queue = queue_of(self, s.destination)
    table.insert(s.queue.subscriptions, s)
    session.to_serve = s.queue -- after its RECEIPT
  end
end

local function remove(list, item)
  for i = 1, #list do
    if list[i] == item then return table.remove(list, i) end
  end
end

local function unsubscribe(self, session, s)
  session.subscriptions[s.id] = nil
  if s.queue then
    remove(s.queue.subscriptions, s)
  else
    remove(self.topics[s.destination], s)
    if #self.topics[s.destination] == 0 then self.topics[s.destination] = nil end
  end
  for _, d in ipairs(s.unacked) do session.deliveries[d.id] = nil end
  requeue(self, s.unacked)
  s.unacked = {}
end

function commands:UNSUBSCRIBE(session, frame)
  local id = frame.headers.id or frame.headers.destination
  local s = session.subscriptions[id]
  if not s then return self:refuse(session, "No subscription found", tostring(id), frame) end
  unsubscribe(self, session, s)
end

local function acknowledge(self, session, frame, nack)
  local id = frame.headers.id or frame.headers["message-id"]
  local delivery = session.deliveries[id]
  if not delivery then return self:refuse(session, "Unexpected ACK", "no message " .. tostring(id), frame) end
  do_or_defer(self, session, frame, function()
    if session.deliveries[id] then settle(self, session, delivery, nack) end
  end)
end

function commands:ACK(session, frame)
  acknowledge(self, session, frame, false)
end

function commands:NACK(session, frame)
  acknowledge(self, session, frame, true)
end

function commands:BEGIN(session, frame)
  session.transactions[frame.headers.transaction] = {}
end

local function end_transaction(self, session, frame, commit)
  local id = frame.headers.transaction
  local list = session.transactions[id]
  if not list then return self:refuse(session, "Bad transaction", "no transaction " .. id, frame) end
  session.transactions[id] = nil
  for _, action in ipairs(commit and list or {}) do action() end
end

function commands:COMMIT(session, frame)
  end_transaction(self, session, frame, true)
end

function commands:ABORT(session, frame)
  end_transaction(self, session, frame, false)
end

function commands:DISCONNECT(session)
  session.disconnecting = true
end

--- A frame of a session that is connected.
function methods:frame(session, frame)
  local command = commands[frame.command]
  self.counts.frames_received = self.counts.frames_received + 1
  if session.refused then return end
  command(self, session, frame)
  local receipt = frame.headers.receipt
  if receipt and not session.refused then write(session, "RECEIPT", { { "receipt-id", receipt } }, "") end
  if session.to_serve then
    local queue = session.to_serve
    session.to_serve = nil
    self:serve(queue)
  end
end

--- A session is over: what it held goes to others.
function methods:close(session)
  self.sessions[session] = nil
  session.pending, session.pending_bytes = {}, 0
  for destination, reply in pairs(self.replies) do
    if reply.session == session then self.replies[destination] = nil end
  end
  local ended = {}
  for _, s in pairs(session.subscriptions) do ended[#ended + 1] = s end
  for _, s in ipairs(ended) do unsubscribe(self, session, s) end
end

--- Figures: sessions, subscriptions, queued messages, frames and messages.
function methods:stats()
  local stats = { sessions = 0, subscriptions = 0, queued = 0, unacknowledged = 0 }
  for name, value in pairs(self.counts) do stats[name] = value end
  for session in pairs(self.sessions) do
    stats.sessions = stats.sessions + 1
    for _, s in pairs(session.subscriptions) do
      stats.subscriptions = stats.subscriptions + 1
      stats.unacknowledged = stats.unacknowledged + #s.unacked
    end
  end
  for _, queue in pairs(self.queues) do stats.queued = stats.queued + queue.last - queue.first + 1 end
  return stats
end

return engine
