-- SPDX-License-Identifier: MIT
-- Where messages of the embedded broker go and stay: topics, queues, reply
-- queues, and what is unacknowledged. All that stays has a limit: queues and
-- transactions for the broker as a whole (`held`), what a topic's subscriber does
-- not acknowledge for its session.
-- Knows queue and session of this folder.
local new_queue = require "stomp.broker.queue".new
local size_of = require "stomp.broker.session".size_of

local methods = {}
local mt = { __index = methods }

-- Reply destinations of one session.
local replies_most = 65536

--- Destinations that keep at most `most` bytes.
local function new(most)
  return setmetatable({
    most = most,
    held = 0,     -- bytes of the messages that are kept
    topics = {},  -- destination -> list of subscriptions
    queues = {},  -- destination -> queue
    replies = {}, -- reply destination -> {session, name}
    last_delivery = 0,
    n_in = 0, n_out = 0,
  }, mt)
end

--- What kind of destination it is: "topic", "queue", "reply", or nil.
local function kind_of(destination)
  if destination:match("^/topic/.") then return "topic" end
  if destination:match("^/queue/.") or destination:match("^[^/]") then
    return "queue"
  end
  if destination:match("^/reply%-queue/.") then return "reply" end
  return nil
end

-- ---- Messages

-- Headers that the broker sets, or that are for it alone.
local own = {
  subscription = true, destination = true, ["message-id"] = true,
  redelivered = true, ack = true, receipt = true, transaction = true,
  ["content-length"] = true,
}

local function by_name(a, b) return a[1] < b[1] end

--- The message that a SEND makes.
local function new_message(headers, body)
  local kept = {}
  for name, value in pairs(headers) do
    if not own[name] then kept[#kept + 1] = { name, value } end
  end
  table.sort(kept, by_name) -- the same run gives the same bytes
  return {
    destination = headers.destination, headers = kept, body = body,
    size = size_of(kept, body) + #headers.destination,
  }
end

function methods:has_room(message)
  return self.held + message.size <= self.most
end

function methods:hold(message) self.held = self.held + message.size end

function methods:let_go(message) self.held = self.held - message.size end

-- A queue's message stays held; a topic's counts for its session.
local function keep_unacknowledged(s, message, id)
  local delivery = { subscription = s, message = message, id = id }
  s.session.deliveries[id] = delivery
  s.unacked[#s.unacked + 1] = delivery
  if not s.queue then s.session:keep(message.size) end
end

-- A delivery is done with.
local function forget(self, delivery)
  local s, message = delivery.subscription, delivery.message
  if s.queue then self:let_go(message) else s.session:keep(-message.size) end
end

local function deliver(self, s, message)
  self.last_delivery = self.last_delivery + 1
  local id = s.session.id .. "@" .. self.last_delivery
  local headers = {
    { "subscription", s.id },
    { "destination", message.destination },
    { "message-id", id },
    { "redelivered", message.redelivered and "true" or "false" },
  }
  if s.ack ~= "auto" then
    headers[#headers + 1] = { "ack", id }
    keep_unacknowledged(s, message, id)
  elseif s.queue then
    self:let_go(message)
  end
  for _, pair in ipairs(message.headers) do headers[#headers + 1] = pair end
  self.n_out = self.n_out + 1
  s.session:write("MESSAGE", headers, message.body)
end

-- ---- Queues

local function can_take(s)
  return s.session:has_room()
    and (not s.prefetch or #s.unacked < s.prefetch)
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

local function publish_to_reply(self, message)
  local reply = self.replies[message.destination]
  if not reply or reply.session.ending then
    return -- its session is gone: dropped, as on RabbitMQ
  end
  deliver(self, { id = reply.name, session = reply.session, ack = "auto" }, message)
end

function methods:publish(message)
  local kind = kind_of(message.destination)
  self.n_in = self.n_in + 1
  if kind == "topic" then
    for _, s in ipairs(self.topics[message.destination] or {}) do
      if not s.session.ending then deliver(self, s, message) end
    end
  elseif kind == "reply" then
    publish_to_reply(self, message)
  else
    local queue = queue_of(self, message.destination)
    self:hold(message)
    queue:put(message)
    self:serve(queue)
  end
end

--- reply-to:/temp-queue/x becomes a destination that reaches this session; false
-- when it has too many of them.
function methods:rewrite_reply(session, message)
  for i, pair in ipairs(message.headers) do
    local name = pair[1] == "reply-to" and pair[2]:match("^/temp%-queue/(.+)")
    if name then
      local destination = "/reply-queue/" .. session.id .. "-" .. name
      if not self.replies[destination] then
        if #session.replies == replies_most then return false end
        session.replies[#session.replies + 1] = destination
        self.replies[destination] = { session = session, name = pair[2] }
      end
      message.headers[i] = { "reply-to", destination }
    end
  end
  return true
end

-- ---- Subscriptions

--- A subscription begins; its queue is served later, by the caller.
function methods:join(s)
  if kind_of(s.destination) == "queue" then
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

--- Subscriptions of a session end: nothing comes to them any more, and what they
-- did not acknowledge goes to others.
function methods:leave(session, list)
  local unacked = {}
  for _, s in ipairs(list) do
    if s.queue then s.queue:leave(s) else leave_topic(self, s) end
    for _, d in ipairs(s.unacked) do
      session.deliveries[d.id] = nil
      unacked[#unacked + 1] = d
    end
    s.unacked = {}
  end
  give_back(self, unacked)
  for _, s in ipairs(list) do
    if s.queue then self:serve(s.queue) end
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

--- An ACK, or a NACK: then somebody else's turn.
function methods:settle(session, delivery, nack)
  local taken, s = take_deliveries(session, delivery), delivery.subscription
  if nack then return give_back(self, taken, s) end
  for _, d in ipairs(taken) do forget(self, d) end
  if s.queue then self:serve(s.queue) end
end

--- How many messages wait in queues.
function methods:queued()
  local n = 0
  for _, queue in pairs(self.queues) do n = n + queue:size() end
  return n
end

return { new = new, kind_of = kind_of, new_message = new_message }
