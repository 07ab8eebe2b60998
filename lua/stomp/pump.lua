-- SPDX-License-Identifier: MIT
-- Who waits for the link. Any number of coroutines may wait for things that come
-- through one link: one of them pumps (it waits for the link, takes frames off
-- it and has them routed), the others rest on a condition each and are woken
-- only by what they wait for. Whoever leaves hands the pump to one other.
--
-- The promise that everything here keeps: while anybody waits, somebody owns
-- the pump or has been woken to take it.
--
-- While the pump is `down` its link is lost and another one is being made: only
-- the maker (whose waiters have `making`) pumps, the others rest until `rise`.
--
-- No pcall round a wait that yields (Lua 5.1 cannot), nothing in globals: a pump
-- nobody waits on is the collector's. Knows guard, queue, waiters and
-- both seams.
local guard = require "stomp.guard"
local queue = require "stomp.queue"
local waiters = require "stomp.waiters"

local once = guard.once
local enlist, delist, wake = waiters.enlist, waiters.delist, waiters.wake

local methods = {}
local mt = { __index = methods }

-- Frames that one coroutine may take before the others get a turn.
local TURN = 256
--- A pump whose link is still to be made: it is down. `router` gets
-- `route(frame)`, `ended(ended)` once, `explain(err)` for the message of an unclean
-- end, and `stalled(what)`; `lost(ended)` is asked at an end of the link whether
-- another one will be made.
local function new(loop)
  return setmetatable({
    link = nil,
    loop = loop,
    router = nil,       -- set by the client
    lost = nil,         -- too
    connection = 0,     -- how many links there were, this one included
    down = true,        -- there is no link to send on
    link_ended = nil,   -- how the present link ended, as `ended`
    maker = nil,        -- what the maker of the next link waits for
    making_room = nil,  -- the same where that is room in the outbox
    tether = nil,       -- by which the maker's task holds this pump, or not
    owner = nil,        -- coroutine (or "main") that waits for the link
    owner_drives = false, -- it is no task: it drives the loop from beneath
    waiting = {},       -- waiters, dense
    of = setmetatable({}, { __mode = "k" }), -- coroutine -> its waiter, or false
    conditions = setmetatable({}, { __mode = "k" }), -- coroutine -> what it rests on
    control = 0,        -- how many of them wait for a control frame or for room
    room = queue.new(), -- waiters for room in the outbox, in order
    gate = nil,         -- before which others wait for one RECEIPT, see gate
    ended = nil,        -- { clean, note, message, err } once it is over
    turn = 0,           -- frames taken since the others had a turn
    tolerant = false,   -- invalid frames are ignored, and told
    observed = false,   -- frames must go through the router: somebody watches
  }, mt)
end

local function current() return coroutine.running() or "main" end

-- ---- Waiters ----

methods.waiter = waiters.new

-- Its coroutine was torn out of the wait, and will not come for it.
local function abandon(self, waiter)
  local room = self.room
  local was_first = room[room.first] == waiter
  delist(self, waiter)
  queue.remove(waiter.moved or room, waiter)
  waiter.done, waiter.pumping = true, nil
  if was_first then self:offer_room() end -- it may have been its turn
  if waiter.holder then waiter.holder:abandon(waiter) end
end

-- A coroutine waits for one thing at a time: where `me` comes with another, an
-- error (of a task that its wait was driving) tore it out of the first.
local function replace(self, waiter, me)
  local torn = self.of[me]
  if torn then abandon(self, torn) end
  self.of[me] = waiter
end

--- What a waiter waited for has come.
function methods:deliver(waiter, value)
  waiter.done, waiter.value = true, value
  delist(self, waiter)
  wake(waiter)
end

--- What a waiter waits for will not come.
function methods:fail(waiter, message, err)
  waiter.message, waiter.err = message, err
  self:deliver(waiter, nil)
end

--- Wake one waiter to pump, unless somebody does.
function methods:hand_over()
  local waiter = self.waiting[#self.waiting]
  if self.down then waiter = self.maker end
  if waiter and not self.owner and waiter.condition then
    waiter.condition:signal() -- without one it is not at rest: it looks itself
  end
end

-- ---- The end ----

local function finish(self, ended)
  if self.ended then return end
  self.ended = ended
  for _, waiter in ipairs(self.waiting) do wake(waiter) end
  self.router:ended(ended)
end

--- It is over for good: tell everybody. The first end counts.
function methods:finish(clean, note, message, err)
  if self.ended then return end
  if err then message = self.router:explain(err) end
  finish(self, { clean = clean, note = note, message = message, err = err })
end

-- The owner may wait for a link that is none any more.
local function wake_owner(self)
  if self.owner then self.link:nudge() end
end

--- The link has ended: for good, unless `lost` says that another one is made.
function methods:link_over(clean, note, message, err)
  if self.ended or self.link_ended then return end
  if err then message = self.router:explain(err) end
  local ended = { clean = clean, note = note, message = message, err = err }
  self.link_ended = ended
  if self.down then
    wake_owner(self)
  elseif self.lost(ended) then
    self.down = true
    self.link:close()
    wake_owner(self)
  else
    finish(self, ended)
  end
end

--- Take what link:next() gave: route a frame, note an end. True for a frame.
function methods:accept(frame, message, err)
  if frame then
    self.router:route(frame)
    return true
  end
  if frame == false then
    self:link_over(true, message)
  elseif message then
    self:link_over(false, nil, message, err)
  end
  return false
end

--- The link would not take a frame: look whether it has ended.
function methods:notice_end()
  local link = self.link
  while self.link == link and self:accept(link:next()) do
    -- frames that came before the end are routed
    if self.ended then return end
  end
end

-- ---- One link after another ----

--- A new link takes the place of the last; the pump stays down.
function methods:attach(link)
  self.link, self.link_ended = link, nil
  self.connection = self.connection + 1
  if self.control > 0 then link:awaiting(true) end
end

--- The maker pauses. While somebody waits here, `tether.pump` holds this pump, and
-- him with it: only the maker can wake him.
function methods:tie_to(tether)
  self.tether, tether.pump = tether, #self.waiting > 0 and self or nil
end

--- All that the maker had to send is on its way: the others may go on.
function methods:rise()
  self.down, self.tether = false, nil
  self:offer_room()
  self:hand_over()
end

-- ---- Pumping ----

-- An error may have torn the owner out of its wait: then it is none.
local function drop_torn_owner(self, me)
  local owner = self.owner
  if owner and (owner == me
    or (owner ~= "main" and coroutine.status(owner) == "dead")) then
    self.owner, self.owner_drives = nil, false
  end
end

-- The owner that drives the loop and in whose driving we run, if there is one.
local function owner_beneath(self)
  return self.owner_drives and not self.loop.running() and self.owner or nil
end

local function is_free(self)
  return not self.owner or owner_beneath(self) ~= nil
end

--- There may be room in the outbox: let the first who waits for it try. It stays
-- the first until its frame has gone. False when it was told already.
function methods:offer_room()
  local waiter
  if self.down then
    waiter, self.making_room = self.making_room, nil
  else
    waiter = self.room[self.room.first]
  end
  if not waiter or waiter.done then return false end
  self:deliver(waiter)
  return true
end

local function wants_room(self)
  return queue.size(self.room) > 0 or self.making_room ~= nil
end

-- Nothing more comes to this waiter through the link.
local function is_over(self, waiter) return self.ended or waiter.making and self.link_ended end

local function wait_for_link(self, waiter, left)
  local drives, beneath = not self.loop.running(), owner_beneath(self)
  self.owner, self.owner_drives = current(), drives
  waiter.pumping = self.link
  self.loop.wait(self.link, left)
  waiter.pumping = nil
  self.owner, self.owner_drives = beneath, beneath ~= nil
end

-- Reading stopped at the hard limit while a control frame is awaited: it lies
-- behind messages that nobody takes.
local function fail_control(self)
  local stalled = {}
  for _, waiter in ipairs(self.waiting) do
    if waiter.control then stalled[#stalled + 1] = waiter end
  end
  for _, waiter in ipairs(stalled) do
    self:fail(waiter, self.router:stalled(waiter.what))
  end
end

-- Route what is there; true when there may be more.
local function take_all(self, waiter)
  local link = self.link
  for _ = 1, TURN do
    if not self:accept(link:next()) then return false end
    if waiter.done or self.ended then return false end
  end
  return not is_over(self, waiter)
end

local function left_until(self, deadline) return deadline and deadline - self.loop.now() end

-- One round of the owner; true when the time is over.
local function pump(self, waiter, deadline)
  local more = take_all(self, waiter)
  if waiter.done or is_over(self, waiter) then return false end
  if self.down and not waiter.making then return false end
  if self.tolerant then self.router:ignored(self.link:warning()) end
  if self.control > 0 and self.link:stalled() then fail_control(self) end
  if waiter.done then return false end
  if wants_room(self) and not self.link:wants_room() and self:offer_room() then
    return false -- it came before: taking frames took its signal, too
  end
  local left = left_until(self, deadline)
  if left and left <= 0 then return true end
  if more then
    self.loop.sleep(0)
    return false
  end
  wait_for_link(self, waiter, left)
  self:offer_room()
  return false
end

-- A coroutine rests on one thing at a time, so it needs one condition.
local function condition_of(self, me)
  local condition = self.conditions[me]
  if not condition then
    condition = self.loop.condition()
    self.conditions[me] = condition
  end
  return condition
end

local function rest(self, waiter, deadline, me)
  if self.down then self:hand_over() end
  if self.tether then self:tie_to(self.tether) end
  local left = left_until(self, deadline)
  if left and left <= 0 and waiter.rested then return true end
  waiter.rested = true -- a time-out of 0, too, gives the others one turn
  local condition = condition_of(self, me)
  waiter.condition = condition
  condition:wait(left and math.max(left, 0))
  return false
end

local function wait(self, waiter, deadline)
  local me, late = current(), false
  drop_torn_owner(self, me)
  replace(self, waiter, me)
  enlist(self, waiter)
  if waiter.making then self.maker = waiter end
  while not waiter.done and not is_over(self, waiter) and not late do
    if is_free(self) and (not self.down or waiter.making) then
      late = pump(self, waiter, deadline)
    else
      late = rest(self, waiter, deadline, me)
    end
  end
  delist(self, waiter)
  if self.tether then self:tie_to(self.tether) end
  if waiter.making then self.maker = nil end
  self.of[me] = false -- not nil: the place is used again
  if owner_beneath(self) and self.link then self.link:nudge() end -- what came may be its own
  self:hand_over()
  return waiter.done
end

-- An error of another task tore this coroutine out of its wait, or the program closed
-- it there.
local function tear_out(self, waiter, beneath)
  local me = current()
  if self.owner == me then
    self.owner, self.owner_drives = beneath, beneath ~= nil
  end
  self.of[me] = false
  abandon(self, waiter)
  if self.tether then self:tie_to(self.tether) end
  if self.maker == waiter then self.maker = nil end
  self:hand_over()
end

-- A wait in a task is over, in whatever way (Lua 5.4).
function mt:__close()
  local waiter = self.of[current()]
  if waiter then tear_out(self, waiter) end
end

--- Wait until the waiter is done, the connection has ended or the time has come.
-- @treturn boolean whether it is done (its value, or message and err)
function methods:wait(waiter, deadline)
  if waiter.done then return true end
  if self.loop.running() then
    for _ in once, nil, nil, self do wait(self, waiter, deadline) end
    return waiter.done
  end
  -- It drives the loop, so errors of the tasks that it drives come out here; and
  -- it does not yield, so in Lua 5.1, too, pcall may be round it.
  local beneath = owner_beneath(self)
  local ok, done = pcall(wait, self, waiter, deadline)
  if ok then return done end
  tear_out(self, waiter, beneath)
  error(done, 0)
end

--- Frames were taken TURN times without waiting: under a flood the others would
-- never run, so let them.
function methods:give_turn()
  self.turn = 0
  self:hand_over()
  self.loop.sleep(0)
end

return { new = new, TURN = TURN }
