-- SPDX-License-Identifier: MIT
-- Which frame is for whom. Knows the subscriptions of one client by id, the
-- receipts awaited and the coroutines that take messages of any subscription;
-- what is for nobody is told to `unhandled`, or warned about once.
-- Knows errors, hints, queue and events; never waits.
local errors = require "stomp.errors"
local events_module = require "stomp.events"
local hints = require "stomp.hints"
local pump_module = require "stomp.pump"
local queue = require "stomp.queue"

local TURN = pump_module.TURN

local methods = {}
local mt = { __index = methods }

-- Ids to remember for warnings, errors to keep that a peer makes: it cannot fill
-- memory.
local REMEMBER = 256

local function new(client, receipts, events)
  return setmetatable({
    client = client,
    receipts = receipts,
    events = events,
    subscriptions = {},   -- by id
    others = queue.new(), -- waiters in client:receive
    connecting = nil,     -- waiter for CONNECTED
    left = {},            -- ids that we unsubscribed
    warned = {},          -- ids that were warned about
    n_left = 0, n_warned = 0,
    n_added = 0,
    n_messages = 0,       -- routed so far: their order over subscriptions
  }, mt)
end

function methods:add(subscription)
  self.subscriptions[subscription.id] = subscription
  self.n_added = self.n_added + 1
  subscription.serial = self.n_added
  self.left[subscription.id] = nil
end

function methods:remove(subscription)
  local id = subscription.id
  if self.subscriptions[id] ~= subscription then return end
  self.subscriptions[id] = nil
  if self.n_left >= REMEMBER then self.left, self.n_left = {}, 0 end
  self.left[id], self.n_left = true, self.n_left + 1
  self.client:fewer_in_hand()
end

-- ---- One connection after another ----

--- The subscriptions that were sent and go on, in the order in which they were made.
function methods:in_order()
  local list = {}
  for _, subscription in pairs(self.subscriptions) do
    if subscription.sent_at and not subscription.stopped then
      list[#list + 1] = subscription
    end
  end
  table.sort(list, function(a, b) return a.serial < b.serial end)
  return list
end

--- The connection was lost.
function methods:lost()
  for _, subscription in pairs(self.subscriptions) do subscription:lost() end
end

--- A new link: what is still held counts towards its inbox.
function methods:adopt_held(link)
  for _, subscription in pairs(self.subscriptions) do
    subscription:adopt_held(link)
  end
end

-- ---- MESSAGE ----

-- At 1.0 a MESSAGE need not name its subscription: by destination, where only
-- one fits.
local function find_by_destination(self, destination)
  local found
  for _, subscription in pairs(self.subscriptions) do
    if subscription.destination == destination then
      if found then return nil end
      found = subscription
    end
  end
  return found
end

local function warn(self, frame, id)
  local client = self.client
  local text = ("MESSAGE %s of subscription %s, which this client does not have")
    :format(tostring(frame.destination), tostring(id))
  client:inform(text)
  if self.left[id] or self.warned[id] or self.n_warned >= REMEMBER then return end
  self.warned[id], self.n_warned = true, self.n_warned + 1
  events_module.complain(text .. " (told once; see on_unhandled)")
end

local function unhandled(self, frame, id)
  if not self.events:has("unhandled") then
    warn(self, frame, tostring(id))
    return
  end
  local link = self.client.pump.link
  link:hold(frame)
  self.events:fire("unhandled", frame, self.client, nil, function()
    link:release(frame)
  end)
end

local function route_message(self, frame)
  local id = frame.subscription
  local subscription
  if id then
    subscription = self.subscriptions[id]
  else
    subscription = find_by_destination(self, frame.destination)
  end
  if subscription then
    self.n_messages = self.n_messages + 1
    subscription:offer(frame, self.others, self.n_messages)
  elseif not self.client.requests:offer(frame) then
    unhandled(self, frame, id)
  end
end

-- ---- ERROR ----

local function first_line(text)
  local line = text:match("^[^\r\n]*")
  return #line > 200 and line:sub(1, 200) .. " …" or line
end

-- What the broker said: its message header and the first line of the body, which
-- on ActiveMQ is the same, or ends so behind the name of an exception.
local function sentence(frame)
  local said, line = frame.headers.message, first_line(frame.body or "")
  if not said or said == "" then
    return line == "" and "the broker answered with ERROR" or line
  end
  if line:sub(-#said) == said then return line end
  return line == "" and said or said .. ": " .. line
end

-- Words of an ERROR that answers CONNECT, but not for good.
local passing = { "unavailable", "starting", "shutting", "try again", "overload",
  "too many", "limit", "timeout", "timed out" }

local function is_for_good(text)
  text = text:lower()
  for _, word in ipairs(passing) do
    if text:find(word, 1, true) then return false end
  end
  return true
end

-- The session lives on after this ERROR (src/core/session_receive.c): messages went
-- to a subscription that has ended, and come again when the connection does.
local function route_late_news(self, frame)
  local err = errors.new("broker", sentence(frame), { frame = frame })
  self.client:inform(err.message)
  if self.events:has("error") then self.events:fire("error", err.message, err) end
end

-- An ERROR is the end, though RabbitMQ goes on after it (STOMP 1.2, "ERROR": the
-- server MUST close; we do not wait for that).
local function route_error(self, frame)
  local client = self.client
  local link = client.pump.link
  if link:info().state ~= "closed" then return route_late_news(self, frame) end
  local _, _, told = link:next() -- the link's own words know the last frames
  local said = sentence(frame)
  local err = errors.new("broker", said, {
    frame = frame,
    after = told and told.after,
    permanent = self.connecting ~= nil and is_for_good(said) or nil,
  })
  link:close()
  self:explain(err) -- for whoever waits, too
  local entry = self.receipts:awaited(frame.headers["receipt-id"])
  if entry then self.receipts:refuse(entry.original or entry, err.message, err) end
  client.pump:link_over(false, nil, err.message, err)
end

-- ---- All ----

local routes = { MESSAGE = route_message, ERROR = route_error }

function routes.RECEIPT(self, frame)
  local id = frame.receipt
  if not self.receipts:settle(id, frame) then
    self.client:inform(("RECEIPT %s, for which nobody waits"):format(tostring(id)))
  end
  self.events:notify("receipt", id)
end

function routes.CONNECTED(self, frame)
  self.client.greeted = true
  if self.connecting then self.client.pump:deliver(self.connecting, frame) end
end

--- A frame came.
function methods:route(frame)
  local pump = self.client.pump
  if pump.observed then self.client:received(frame) end
  local route = routes[frame.command]
  if route then route(self, frame) end
end

--- The link ignored a frame that cannot be read (nil: none): it is told to
-- `error`, for nobody waits for it. A peer that sends many does not fill memory where
-- on_error is slow.
function methods:ignored(message, err)
  if not message then return end
  if self.events:waiting() < REMEMBER then
    self.events:fire("error", message, err)
  else
    self.client:inform(message .. " (not told to on_error, which has not kept up)")
  end
end

--- The message of an unclean end, with what is known about such answers.
function methods:explain(err)
  local client = self.client
  return hints.add(err, client.settings, not client.greeted, client.server)
end

--- The pump has come to the end.
function methods:ended(ended)
  if ended.clean then -- we ended it: nothing more is handed out
    for _, subscription in pairs(self.subscriptions) do
      subscription:drop_all()
    end
  end
  self.client:ended(ended)
end

-- ---- Reading stopped ----

local function most_unread(self)
  local found, most = nil, 0
  for _, subscription in pairs(self.subscriptions) do
    local n = subscription:unread()
    if n > most then found, most = subscription, n end
  end
  return found, most
end

--- message, err for a wait that cannot be fulfilled: what it waits for lies
-- behind messages that nobody reads.
function methods:stalled(what)
  local subscription, n = most_unread(self)
  local who = subscription and ("nobody reads subscription %s (%s, %d messages)")
    :format(subscription.id, subscription.destination, n)
    or "nobody reads the messages before it"
  return select(2, errors.failure("limit",
    ("%s: reading stopped at limits.inbox_hard, %s"):format(what, who)))
end

-- ---- client:receive ----

--- Hand out nothing more: whoever waits in client:receive is told.
function methods:stop()
  local _, message, err =
    errors.failure("closed", "no message: the client drains")
  local waiter = queue.pop(self.others)
  while waiter do
    if not waiter.done then
      self.client.pump:fail(waiter, message, err)
    end
    waiter = queue.pop(self.others)
  end
end

--- The coroutine of a waiter in client:receive will not come for it, see pump.
function methods:abandon(waiter)
  queue.remove(self.others, waiter)
  local frame = waiter.value
  if frame then frame.owner.subscription:give_back(frame) end
end

-- The oldest message that waits in a queue, over all subscriptions.
local function oldest(self)
  local found, first
  for _, subscription in pairs(self.subscriptions) do
    local order = subscription.order
    local n = order[order.first]
    if n and (not first or n < first) then found, first = subscription, n end
  end
  return found and found:pop()
end

--- The next message of any subscription without handler, without waiting.
function methods:take()
  local pump = self.client.pump
  if pump.turn >= TURN then pump:give_turn() end
  while true do
    local frame = oldest(self)
    if frame or pump.owner or pump.down or pump.ended then return frame end
    pump.turn = pump.turn + 1
    if not pump:accept(pump.link:next()) or pump.turn >= TURN then
      return oldest(self)
    end
  end
end

return { new = new }
