-- SPDX-License-Identifier: MIT
-- What a program sends while its client has no connection: kept in order up to
-- limits.outbox; beyond it `send` waits, as it does for the outbox of a link.
-- What cannot be sent at the version that was spoken last is refused at once.
-- Knows core (to encode), errors, failures, queue and pump.
local core = require "stomp.core"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

--- An empty one for this pump, of at most `limit` bytes.
local function new(pump, limit)
  return setmetatable({
    pump = pump,
    limit = limit,
    bytes = 0,
    items = queue.new(),  -- { command, what, headers, body, options, size, … }
    room = queue.new(),   -- waiters for room, in order
  }, mt)
end

local function fits(self, size)
  return self.bytes + size <= self.limit
end

local function keep(self, item)
  self.bytes = self.bytes + item.size
  queue.push(self.items, item)
end

-- There may be room: keep what those who wait for it brought, in order. (Woken to
-- look for themselves, they would overtake one another.)
local function serve_room(self)
  local room = self.room
  local waiter = room[room.first]
  while waiter and (waiter.done or fits(self, waiter.item.size)) do
    queue.pop(room)
    if not waiter.done then -- else an error tore its coroutine out
      keep(self, waiter.item)
      self.pump:deliver(waiter, true)
    end
    waiter = room[room.first]
  end
end

local function wait_for_room(self, item, timeout)
  local pump = self.pump
  local waiter = pump:waiter(item.what)
  waiter.item, waiter.holder = item, self
  queue.push(self.room, waiter)
  if pump:wait(waiter, pump.loop.now() + timeout) then return waiter.value end
  queue.remove(self.room, waiter)
  if pump.ended then return failures.over(pump.ended, item.what) end
  return failures.late(item.what .. ": no room while reconnecting", timeout)
end

--- The coroutine of this waiter will not come for it, see pump.
function methods:abandon(waiter)
  queue.remove(self.room, waiter)
end

--- Keep a frame. `item`: command, what ("SEND /queue/a"), headers, body, options
-- of link:send, and entry, its receipt, or nil.
-- @treturn[1] true
-- @treturn[2] false there is a connection again: send it
-- @treturn[3] nil, message, err: invalid, limit, timeout, closed
function methods:add(item, version, timeout)
  local bytes, message, err =
    core.encode(item.command, item.headers, item.body or "", version)
  if not bytes then return nil, message, err end
  item.size = #bytes
  if item.size > self.limit then
    return errors.failure("limit", ("%s: %d bytes are more than limits.outbox")
      :format(item.what, item.size))
  end
  if queue.size(self.room) > 0 or not fits(self, item.size) then
    return wait_for_room(self, item, timeout)
  end
  keep(self, item)
  return true
end

--- A waiter that waited for room in the outbox of the connection that is lost; its
-- `item` is kept here, or waits here for room. False: it cannot be.
function methods:take_over(waiter, version)
  local item = waiter.item
  local bytes = core.encode(item.command, item.headers, item.body or "", version)
  if not bytes or #bytes > self.limit then return false end
  item.size = #bytes
  local has_room = queue.size(self.room) == 0 and fits(self, item.size)
  if not has_room and waiter.done then return false end -- it is on its way already
  if item.entry then item.entry.item = item end
  if has_room then
    keep(self, item)
    self.pump:deliver(waiter, true)
  else
    waiter.moved = self.room
    queue.push(self.room, waiter)
  end
  return true
end

--- The oldest, without taking it; nil when there is none.
function methods:first()
  return self.items[self.items.first]
end

--- How many there are.
function methods:size()
  return queue.size(self.items)
end

--- This one is sent, or nobody wants it any more.
function methods:remove(item)
  local items = self.items
  if items[items.first] == item then
    queue.pop(items)
  elseif not queue.remove(items, item) then
    return
  end
  self.bytes = self.bytes - item.size
  serve_room(self)
end

--- There is a connection again: who waits for room sends there.
function methods:rise()
  local waiter = queue.pop(self.room)
  while waiter do
    self.pump:deliver(waiter, false)
    waiter = queue.pop(self.room)
  end
end

return { new = new }
