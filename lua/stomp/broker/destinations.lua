-- SPDX-License-Identifier: MIT
-- Where messages of the embedded broker go and stay: topics, queues, reply
-- queues, and what is unacknowledged. All that stays has a limit: queues and
-- transactions for the broker as a whole (`held`), what a topic's subscriber does
-- not acknowledge for its session.
--
-- A session's `/temp-queue/x` is the reply queue `/reply-queue/session-n-x` to
-- everybody else. What comes there goes to the session that owns it, as on
-- RabbitMQ without SUBSCRIBE; to its subscription where it has made one, as on
-- ActiveMQ.
-- Knows figures, queue, session and unacked of this folder.
local new_figures = require "stomp.broker.figures".new
local new_queue = require "stomp.broker.queue".new
local new_unacked = require "stomp.broker.unacked".new
local size_of = require "stomp.broker.session".size_of

local methods = {}
local mt = { __index = methods }

-- Reply destinations of one session.
local replies_most = 65536

--- Destinations that keep at most `most` bytes; `counts`: the broker's.
local function new(most, counts)
  local self = setmetatable({
    most = most,
    counts = counts,
    held = 0,     -- bytes of the messages that are kept
    topics = {},  -- destination -> list of subscriptions
    queues = {},  -- destination -> queue
    replies = {}, -- reply destination -> {session, name}
    parted = {},  -- subscriptions that are over, see park
    last_delivery = 0,
  }, mt)
  self.figures = new_figures(function(destination)
    return self.topics[destination] ~= nil or self.queues[destination] ~= nil
  end)
  return self
end

local kinds = { topic = "topic", queue = "queue", ["temp-queue"] = "temporary",
  ["reply-queue"] = "reply" }

--- What kind of destination it is: "topic", "queue", "temporary", "reply", or nil.
local function kind_of(destination)
  local prefix = destination:match("^/([^/]+)/.")
  if prefix then return kinds[prefix] end
  return destination:find("^[^/]") and "queue" or nil
end

-- ---- Messages

-- Headers that the broker sets, or that are for it alone.
local own = {
  subscription = true, destination = true, ["message-id"] = true,
  redelivered = true, ack = true, receipt = true, transaction = true,
  ["content-length"] = true,
}

local function by_name(a, b) return a[1] < b[1] end

--- The message that a SEND to a destination of this kind makes.
local function new_message(headers, body, kind)
  local kept = {}
  for name, value in pairs(headers) do
    if not own[name] then kept[#kept + 1] = { name, value } end
  end
  table.sort(kept, by_name) -- the same run gives the same bytes
  return {
    destination = headers.destination, kind = kind, headers = kept, body = body,
    size = size_of(kept, body) + #headers.destination,
  }
end

function methods:has_room(message)
  return self.held + message.size <= self.most
end

function methods:hold(message) self.held = self.held + message.size end

function methods:let_go(message) self.held = self.held - message.size end

-- A queue's message stays held; a topic's counts for its session.
local function keep_unacknowledged(s, message, key)
  local delivery = { subscription = s, message = message, key = key }
  s.session.deliveries[key] = delivery
  s.unacked:add(delivery)
  if not s.queue then s.session:keep(message.size) end
end

-- A delivery is done with.
local function forget(self, delivery)
  local s, message = delivery.subscription, delivery.message
  if s.queue then self:let_go(message) else s.session:keep(-message.size) end
end

local function count_delivery(self, message)
  self.figures:count(message.destination, "delivered")
  if not message.redelivered then return end
  self.counts.redelivered = self.counts.redelivered + 1
  self.figures:count(message.destination, "redelivered")
end

-- Without an id (STOMP 1.0) a subscription is not named. At 1.2 an ACK names the
-- header `ack`, before it `message-id`: they differ here, as on ActiveMQ.
local function headers_for(s, message, n)
  local session, headers = s.session, {}
  local id, ack = session.id .. "@" .. n, n .. "@" .. session.id
  local at_1_2 = session.version == "1.2"
  if s.id then headers[1] = { "subscription", s.id } end
  headers[#headers + 1] = { "destination", s.shown or message.destination }
  headers[#headers + 1] = { "message-id", id }
  headers[#headers + 1] = { "redelivered", message.redelivered and "true" or "false" }
  if s.ack ~= "auto" and at_1_2 then headers[#headers + 1] = { "ack", ack } end
  for _, pair in ipairs(message.headers) do headers[#headers + 1] = pair end
  return headers, at_1_2 and ack or id
end

local function deliver(self, s, message)
  self.last_delivery = self.last_delivery + 1
  local headers, key = headers_for(s, message, self.last_delivery)
  if s.ack ~= "auto" then
    keep_unacknowledged(s, message, key)
  elseif s.queue then
    self:let_go(message)
  end
  count_delivery(self, message)
  s.session:write("MESSAGE", headers, message.body)
end

-- ---- Queues

local function can_take(s)
  return s.session:has_room() and (not s.prefetch or s.unacked.n < s.prefetch)
end

--- Hand out what a queue holds, to one taker after the other. A queue that
-- nobody would miss is forgotten.
function methods:serve(queue)
  while queue:size() > 0 do
    local message = queue[queue.first]
    local taker = queue:next_taker(can_take, message.avoided)
    if not taker then return end
    queue:take()
    message.avoided = nil
    deliver(self, taker, message)
  end
  if queue:is_idle() then self.queues[queue.destination] = nil end
end

local function queue_of(self, destination)
  local queue = self.queues[destination]
  if not queue then
    queue = new_queue(destination)
    self.queues[destination] = queue
  end
  return queue
end

-- ---- Publishing

local function enqueue(self, queue, message)
  self:hold(message)
  queue:put(message)
  self:serve(queue)
end

local function publish_to_reply(self, message)
  local reply = self.replies[message.destination]
  local queue = self.queues[message.destination]
  if not reply or reply.session.ending then
    return -- its session is gone: dropped, as on RabbitMQ
  elseif queue then
    return enqueue(self, queue, message)
  end
  deliver(self, { id = reply.name, session = reply.session, ack = "auto" }, message)
end

function methods:publish(message)
  local destination, kind = message.destination, message.kind
  self.counts.messages_in = self.counts.messages_in + 1
  self.figures:count(destination, "published")
  if kind == "topic" then
    for _, s in ipairs(self.topics[destination] or {}) do
      if not s.session.ending then deliver(self, s, message) end
    end
  elseif kind ~= "queue" then
    publish_to_reply(self, message)
  else
    enqueue(self, queue_of(self, destination), message)
  end
end

--- The reply queue behind a session's /temp-queue/x; nil when it has too many.
function methods:reply_queue(session, temporary)
  local destination = ("/reply-queue/%s-%s"):format(session.id,
    temporary:match("^/temp%-queue/(.+)"))
  if not self.replies[destination] then
    if #session.replies == replies_most then return nil end
    session.replies[#session.replies + 1] = destination
    self.replies[destination] = { session = session, name = temporary }
  end
  return destination
end

--- reply-to:/temp-queue/x becomes a destination that reaches this session; false
-- when it has too many of them.
function methods:rewrite_reply(session, message)
  for i, pair in ipairs(message.headers) do
    if pair[1] == "reply-to" and kind_of(pair[2]) == "temporary" then
      local destination = self:reply_queue(session, pair[2])
      if not destination then return false end
      message.headers[i] = { "reply-to", destination }
    end
  end
  return true
end

--- Reply queues of a session that is over go, and what is in them.
function methods:drop_replies(session)
  for _, destination in ipairs(session.replies) do
    local queue = self.queues[destination]
    while queue and queue:size() > 0 do self:let_go(queue:take()) end
    self.queues[destination], self.replies[destination] = nil, nil
  end
  session.replies = {}
end

-- ---- Subscriptions

--- A subscription begins; its queue is served later, by the caller.
function methods:join(s)
  s.unacked = new_unacked()
  self.figures:mention(s.destination)
  if kind_of(s.destination) ~= "topic" then
    s.queue = queue_of(self, s.destination)
    s.queue:join(s)
  else
    local list = self.topics[s.destination] or {}
    self.topics[s.destination] = list
    list[#list + 1] = s
  end
end

local function leave_topic(self, s)
  local list = self.topics[s.destination]
  for i = #list, 1, -1 do
    if list[i] == s then table.remove(list, i) end
  end
  if #list == 0 then self.topics[s.destination] = nil end
end

-- Messages go back to where they were in their queues; a topic's are dropped.
-- Somebody else than `avoided` gets them, where there is somebody else.
local function give_back(self, deliveries, avoided)
  local touched, queues = {}, {}
  for _, d in ipairs(deliveries) do
    local queue = d.subscription.queue
    if queue then
      d.message.redelivered, d.message.avoided = true, avoided
      queue:put_back(d.message)
      if not touched[queue] then queues[#queues + 1] = queue end
      touched[queue] = true
    else
      forget(self, d)
    end
  end
  for _, queue in ipairs(queues) do self:serve(queue) end
end

-- What a subscription that is over need not keep, added to `list`: all but what open
-- transactions hold; at the end of its session all.
local function take_from(session, s, list)
  local taken = session.closed and s.unacked:take_all()
    or s.unacked:take_free(s.ack == "client")
  for _, d in ipairs(taken) do
    session.deliveries[d.key] = nil
    list[#list + 1] = d
  end
end

-- A subscription is over, and an open transaction holds some of what it was given.
local function park(self, s)
  table.insert(s.session.parted, s)
  self.parted[s] = true
  if s.queue then s.queue.n_held = s.queue.n_held + 1 end
end

-- As take_from of those that are over; the queues that they do not keep any more.
local function take_from_parted(self, session, list)
  local parted, queues = session.parted, {}
  session.parted = {}
  for _, s in ipairs(parted) do
    take_from(session, s, list)
    if s.unacked.n > 0 then
      table.insert(session.parted, s)
    else
      self.parted[s] = nil
      if s.queue then
        s.queue.n_held = s.queue.n_held - 1
        queues[#queues + 1] = s.queue
      end
    end
  end
  return queues
end

--- A transaction has ended: what it held of subscriptions that are over is settled, or
-- goes to others.
function methods:release(session)
  local unacked = {}
  local queues = take_from_parted(self, session, unacked)
  give_back(self, unacked)
  for _, queue in ipairs(queues) do self:serve(queue) end
end

--- Subscriptions of a session end: nothing comes to them any more, and what they
-- did not acknowledge goes to others; what they did in a transaction when that ends, or
-- the session.
function methods:leave(session, list)
  local unacked, queues = {}, {}
  if session.closed then queues = take_from_parted(self, session, unacked) end
  for _, s in ipairs(list) do
    if s.queue then s.queue:leave(s) else leave_topic(self, s) end
    take_from(session, s, unacked)
    if s.unacked.n > 0 then park(self, s) end
    queues[#queues + 1] = s.queue
  end
  give_back(self, unacked)
  for _, queue in ipairs(queues) do self:serve(queue) end
end

-- ---- Acknowledgement

--- An ACK, or a NACK: then somebody else's turn, or, with `discard`, nobody's.
function methods:settle(session, delivery, nack, discard)
  local s = delivery.subscription
  local taken = s.unacked:take(delivery, s.ack == "client")
  for _, d in ipairs(taken) do
    session.deliveries[d.key] = nil
    self.figures:count(d.message.destination, nack and "nacked" or "acknowledged")
  end
  if nack and not discard then return give_back(self, taken, s) end
  for _, d in ipairs(taken) do forget(self, d) end
  if s.queue then self:serve(s.queue) end
end

-- ---- Questions

--- How many messages wait in queues.
function methods:queued()
  local n = 0
  for _, queue in pairs(self.queues) do n = n + queue:size() end
  return n
end

--- Figures of one destination.
function methods:stats(destination)
  local figures = self.figures:read(destination)
  local queue = self.queues[destination]
  local consumers = queue and queue.subscriptions or self.topics[destination] or {}
  figures.queued = queue and queue:size() or 0
  figures.consumers, figures.unacknowledged = #consumers, 0
  for _, s in ipairs(consumers) do
    figures.unacknowledged = figures.unacknowledged + s.unacked.n
  end
  for s in pairs(self.parted) do
    if s.destination == destination then
      figures.unacknowledged = figures.unacknowledged + s.unacked.n
    end
  end
  return figures
end

--- The destinations that were used, by name.
function methods:all_stats()
  local all = {}
  for _, name in ipairs(self.figures:names()) do all[name] = self:stats(name) end
  return all
end

return { new = new, kind_of = kind_of, new_message = new_message }
