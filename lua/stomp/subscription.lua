-- SPDX-License-Identifier: MIT

--- What a client subscribed to. Its messages go one of three ways: to its handler
-- (in order, one at a time, in a task of its own; `concurrency` allows more), to a
-- coroutine that waits in `receive` or `messages`, or into its queue until somebody
-- asks.
--
-- (The hot path is a loop over receive or messages in one coroutine: the next frame
-- of the link is handed out as it is, no table and no closure a message. Knows
-- acknowledging, check, handling, pump, queue, show, unacked, failures, errors; its client
-- through `self.client`.)
-- @classmod subscription
-- @alias methods

--- What a program may read.
-- @table fields
-- @tfield string id
-- @tfield string destination
-- @tfield string ack `"auto"`, `"client"`, `"client-individual"`

local acknowledging = require "stomp.acknowledging"
local check = require "stomp.check"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local handling = require "stomp.handling"
local pump_module = require "stomp.pump"
local queue = require "stomp.queue"
local show = require "stomp.show"
local unacked = require "stomp.unacked"

local TURN = pump_module.TURN

local methods = {}
local mt = { __name = "stomp.subscription", __index = methods }

--- A subscription of `client`, not yet sent. `options` are checked.
-- @local
local function new(client, id, destination, options, handler)
  local self = setmetatable({
    id = id,
    destination = destination,
    ack = options.ack or "auto",
    options = options,     -- to subscribe again with
    client = client,
    pump = client.pump,
    handler = handler,
    acknowledging = options.acknowledge, -- { destination, header, automatic }
    settled = nil,         -- messages that were settled by it, or are held by a
                           -- transaction, weak; see acknowledging
    items = queue.new(),   -- messages that nobody has asked for yet, held
    order = queue.new(),   -- and when each of them came, see router
    waiters = queue.new(), -- coroutines in receive
    spare = nil,           -- a waiter to use again
    worker = nil,          -- of the handler
    stopped = nil,         -- why nothing more is handed out
    closed = false,        -- we unsubscribed, or it was set aside
    parted = false,        -- UNSUBSCRIBE was sent
    failed = nil,          -- why it was set aside: { message, err }
    stream = options.stream, -- where to begin to read one, or nil
    notes = nil,           -- who takes a message is noted, see handed
    offset = nil,          -- of the last message of a stream that was handled
    tie = nil,             -- what its messages are bound to, see renew
    sent_at = nil,         -- when SUBSCRIBE went out last
    confirming = nil,      -- the entry of its RECEIPT, while that is awaited
    suspect = false,       -- it may have ended a connection
    strikes = 0,           -- how often it did so, alone
  }, mt)
  if handler then self.worker = handling.new(self, options) end
  self.notes = self.stream ~= nil or self.ack ~= "auto"
  return self
end

-- ---- One connection after another ----

--- SUBSCRIBE went out on the present connection. A message is bound to a tie of
-- both: on a later connection it cannot be acknowledged.
-- @local
function methods:renew()
  self.tie = {
    subscription = self, connection = self.pump.connection,
    unacked = self.ack ~= "auto" and unacked.new(self.ack == "client") or nil,
  }
  self.sent_at = self.pump.loop.now()
end

--- Whether it is subscribed on the present connection.
-- @local
function methods:is_current()
  return self.tie ~= nil and self.tie.connection == self.pump.connection
end

--- Messages in its queues count towards the inbox of a new link.
-- @local
function methods:adopt_held(link)
  local items = self.items
  for i = items.first, items.last do link:adopt(items[i]) end
  if self.worker then
    self.worker:each(function(frame) link:adopt(frame) end)
  end
end

--- The calling coroutine took a message, which, where it is to be acknowledged, it
-- now works on.
-- @local
function methods:handed(message)
  if self.stream then handling.handled(self, message) end
  local noted = message.owner.unacked
  if noted then noted:taken(message) end
end

--- The connection was lost. A stream is read again from the last message that was
-- handled, so those that wait come again.
-- @local
function methods:lost()
  if self.stream then self:drop_all() end
end

-- ---- Messages in ----

-- The first who still waits.
local function next_waiter(waiters)
  local waiter = queue.pop(waiters)
  while waiter and waiter.done do waiter = queue.pop(waiters) end
  return waiter
end

local function bind(self, frame)
  local tie = self.tie
  if tie.unacked then tie.unacked:came(frame, self.pump.loop.now()) end
  return frame:bind(tie)
end

-- Give it to the first who waits for one; whether there was one.
local function hand_out(self, frame, others)
  local waiter = next_waiter(self.waiters) or next_waiter(others)
  if waiter then self.pump:deliver(waiter, frame) end
  return waiter ~= nil
end

--- A MESSAGE of this subscription came, the `n`-th of all: hand it on. `others`:
-- coroutines that take messages of any subscription.
-- @local
function methods:offer(frame, others, n)
  if self.stopped then -- its handlers finish; in an ack mode it comes again
    self.client:inform(("MESSAGE of %s, which ends"):format(self.id))
    return
  end
  bind(self, frame)
  if self.handler then
    self.pump.link:hold(frame)
    self.worker:push(frame)
    return
  end
  if not hand_out(self, frame, others) then
    self.pump.link:hold(frame)
    queue.push(self.items, frame)
    queue.push(self.order, n)
  end
end

--- A message was handed to a coroutine that will not come for it: the next one's.
-- @local
function methods:give_back(frame)
  if self.stopped or hand_out(self, frame, self.client.router.others) then return end
  self.pump.link:adopt(frame) -- it was counted as taken
  queue.push_front(self.items, frame)
  queue.push_front(self.order, 0) -- before all others, of any subscription
end

--- The coroutine of this waiter will not come for it, see pump.
-- @local
function methods:abandon(waiter)
  queue.remove(self.waiters, waiter)
  if waiter.value then self:give_back(waiter.value) end
end

--- How many messages nobody has taken.
-- @local
function methods:unread()
  return self.worker and self.worker:waiting() or queue.size(self.items)
end

--- The first message of the queue.
-- @local
function methods:pop()
  local frame = queue.pop(self.items)
  queue.pop(self.order)
  self.pump.link:release(frame)
  return frame
end

--- Hand out nothing more: what is queued no longer counts towards limits.inbox.
-- @local
function methods:drop_all()
  local link, frame = self.pump.link, queue.pop(self.items)
  while frame do
    link:release(frame)
    frame = queue.pop(self.items)
  end
  self.order = queue.new()
  if self.worker then
    self.worker:clear(function(message) link:release(message) end)
  end
end

-- ---- Messages out ----

--- The next message if there is one, without waiting.
-- @local
function methods:take()
  local pump, items, id = self.pump, self.items, self.id
  if pump.turn >= TURN then pump:give_turn() end
  while true do
    if items.first <= items.last then
      return self:pop()
    end
    -- With an owner waiting for the link its frames are the owner's to take.
    if pump.owner or pump.down or pump.ended or pump.observed or self.stopped
      or self.waiters.first <= self.waiters.last then
      return nil
    end
    pump.turn = pump.turn + 1
    local frame, message, err = pump.link:next()
    if frame and frame.route == id then
      return bind(self, frame)
    end
    if not pump:accept(frame, message, err) then return nil end
    if pump.turn >= TURN then return nil end -- let `wait` share the time
  end
end
local take = methods.take

local function stopped(self)
  if self.failed then return nil, self.failed.message, self.failed.err end
  return errors.failure("closed",
    ("subscription %s %s"):format(self.id, self.stopped))
end

local function why_not(self, waiter, timeout)
  local pump = self.pump
  if waiter.err then return nil, waiter.message, waiter.err end
  if pump.ended then
    return failures.over(pump.ended, "no message of " .. self.id)
  end
  return failures.late("no message on " .. self.destination, timeout)
end

local function wait_for_message(self, timeout)
  local pump = self.pump
  if self.stopped then return stopped(self) end
  if pump.ended then
    return failures.over(pump.ended, "no message of " .. self.id)
  end
  local waiter = self.spare or pump:waiter("no message of " .. self.id)
  self.spare = nil
  waiter.done, waiter.value, waiter.holder = false, nil, self
  queue.push(self.waiters, waiter)
  if pump:wait(waiter, timeout and pump.loop.now() + timeout)
    and waiter.value then
    self.spare = waiter
    return waiter.value
  end
  queue.remove(self.waiters, waiter)
  return why_not(self, waiter, timeout)
end

local function check_reader(self, name, timeout, level)
  if self.handler then
    error(("%s: subscription %s has a handler"):format(name, self.id), level + 1)
  end
  check.timeout(timeout, level + 1)
end

--- Wait for the next message of this subscription.
-- @tparam[opt] number timeout seconds; for ever without it
-- @treturn[1] message
-- @treturn[2] nil, message, err: timeout, closed (unsubscribed), or how the
-- connection ended: closed, broker, protocol, heartbeat, limit
function methods:receive(timeout)
  if self.handler or timeout ~= nil then check_reader(self, "receive", timeout, 2) end
  local frame, message, err = take(self), nil, nil
  if not frame then frame, message, err = wait_for_message(self, timeout) end
  if self.notes and frame then self:handed(frame) end
  return frame, message, err
end

-- One step of `for message in subscription:messages()`.
local function next_message(self)
  local frame, message = take(self), nil
  if not frame then frame, message = wait_for_message(self) end
  if frame then
    if self.notes then self:handed(frame) end
    return frame
  end
  local ended = self.pump.ended
  if (self.stopped and not self.failed) or (ended and ended.clean) then return nil end
  error(message, 0)
end

--- `for message in subscription:messages() do`: ends after our own
-- unsubscribe, drain, disconnect or close, raises the message of any other end.
-- (In a task under PUC Lua 5.1 a `for` iterator cannot wait: use receive.)
function methods:messages()
  check_reader(self, "messages", nil, 2)
  return next_message, self
end

--- Acknowledge a message of this subscription, see acknowledging.
-- @local
function methods:settle(message, how, transaction, level)
  local ok, text, err =
    acknowledging.settle(self, message, how, transaction, level + 1)
  return ok, text, err -- no tail call: levels count
end

-- ---- The end ----

--- We unsubscribed.
-- @local
function methods:close_here()
  self.closed = true
  self:stop("is unsubscribed")
end

--- Hand out nothing more, for this reason: whoever waits is told.
-- @local
function methods:stop(why)
  self.stopped = why
  self:drop_all()
  local waiter = next_waiter(self.waiters)
  while waiter do
    self.pump:fail(waiter, select(2, stopped(self)))
    waiter = next_waiter(self.waiters)
  end
end

--- It is set aside: each new connection ended with it, or it cannot be sent.
-- @local
function methods:fail(message, err)
  self.failed = { message = message, err = err }
  if self.confirming then
    self.client.receipts:refuse(self.confirming, message, err)
  end
  self:close_here()
end

--- End it. Messages that nobody took are dropped: in an ack mode they come again
-- when the connection ends.
-- @tparam[opt] table options headers (durable ones must be repeated), confirm,
-- timeout
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid (headers), timeout (also of a connection
-- that is being made, and of which it is already a part), closed
-- @standard STOMP 1.2, "UNSUBSCRIBE"
function methods:unsubscribe(options)
  local ok, message, err = self.client:unsubscribe(self, options, 2)
  return ok, message, err
end

function mt:__tostring()
  local how = self.failed and " (set aside)" or self.closed and " (unsubscribed)" or ""
  return show.line(("stomp.subscription %s %s%s"):format(self.id, self.destination, how))
end

-- Leaving its scope ends it; nobody waits for why that failed.
function mt:__close()
  local ok, message, err = self:unsubscribe()
  if not ok and err.kind ~= "closed" then
    self.client.events:fire("error", message, err)
  end
end

return { new = new }
