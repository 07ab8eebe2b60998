-- SPDX-License-Identifier: MIT
-- Several things at a time: what a worker is, with up to `n` tasks. Where items
-- have a key, those of equal key stay in order, one at a time: they stand in a
-- *lane*, and a task takes the first item of the first lane that nobody works on.
-- An item without a key has a lane of its own.
-- (As with a worker a task exists only while there is something to do, and is the
-- boundary of an error.)
-- Knows queue and the loop seam.
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

--- A pool of up to `n` tasks that call handle(item), and failed(item, traceback,
-- value) after an error in it. `key_of(item)`: its key or nil; without it no item
-- has one.
local function new(loop, handle, failed, n, key_of)
  return setmetatable({
    loop = loop,
    handle = handle,
    failed = failed,
    n = n,
    key_of = key_of,
    idle = loop.condition(),
    ready = queue.new(), -- lanes with items that nobody works on, longest first
    lanes = {},          -- by key
    tasks = {},          -- coroutine -> "busy" or "excused"
    n_tasks = 0,         -- of both
    n_busy = 0,
    n_waiting = 0,       -- items not begun
  }, mt)
end

-- The next lane and its first item.
local function take(self)
  local lane = queue.pop(self.ready)
  if not lane then return nil end
  self.n_waiting = self.n_waiting - 1
  return lane, queue.pop(lane.items)
end

-- An item of this lane is done.
local function leave(self, lane)
  if queue.size(lane.items) > 0 then
    queue.push(self.ready, lane)
  elseif lane.key ~= nil then
    self.lanes[lane.key] = nil
  end
end

local function start(self)
  local thread, lane, item
  local function rest()
    if self.tasks[thread] == "busy" then self.n_busy = self.n_busy - 1 end
    self.tasks[thread] = nil
    self.n_tasks = self.n_tasks - 1
    self.idle:signal()
  end
  self.n_tasks, self.n_busy = self.n_tasks + 1, self.n_busy + 1
  self.loop.spawn(function()
    thread = coroutine.running()
    self.tasks[thread] = "busy"
    lane, item = take(self)
    while lane do
      self.handle(item)
      leave(self, lane)
      lane, item = take(self)
    end
    rest()
  end, function(traceback, value)
    rest()
    leave(self, lane)
    self.failed(item, traceback, value)
    if queue.size(self.ready) > 0 and self.n_tasks < self.n then start(self) end
  end)
end

function methods:push(item)
  local key, lane = nil, nil
  if self.key_of then key = self.key_of(item) end
  if key ~= nil then lane = self.lanes[key] end
  self.n_waiting = self.n_waiting + 1
  if lane then -- it stands in `ready`, or a task works on it
    queue.push(lane.items, item)
    return
  end
  lane = { items = queue.new(), key = key }
  queue.push(lane.items, item)
  if key ~= nil then self.lanes[key] = lane end
  queue.push(self.ready, lane)
  if self.n_tasks < self.n then start(self) end
end

--- How many items were not begun.
function methods:waiting()
  return self.n_waiting
end

-- Those that have items or a key.
local function all_lanes(self)
  local lanes = {}
  for _, lane in pairs(self.lanes) do lanes[lane] = true end
  for i = self.ready.first, self.ready.last do lanes[self.ready[i]] = true end
  return lanes
end

--- Call `f` with each item that was not begun.
function methods:each(f)
  for lane in pairs(all_lanes(self)) do
    for i = lane.items.first, lane.items.last do f(lane.items[i]) end
  end
end

--- Forget what was not begun, and tell it to `f`.
function methods:clear(f)
  local lanes = all_lanes(self)
  local lane = queue.pop(self.ready)
  while lane do -- nobody works on these
    if lane.key ~= nil then self.lanes[lane.key] = nil end
    lane = queue.pop(self.ready)
  end
  self.n_waiting = 0
  for each in pairs(lanes) do
    local item = queue.pop(each.items)
    while item ~= nil do
      f(item)
      item = queue.pop(each.items)
    end
  end
end

-- What the caller is here: "busy", "excused", or nil.
local function role(self)
  local thread = coroutine.running()
  return thread and self.tasks[thread]
end

--- Where the caller is one of these tasks: settle no longer waits for it.
function methods:excuse()
  if role(self) ~= "busy" then return end
  self.tasks[coroutine.running()] = "excused"
  self.n_busy = self.n_busy - 1
  self.idle:signal()
end

--- Whether the caller is one of its tasks, for which settle waits.
function methods:is_current()
  return role(self) == "busy"
end

--- Its tasks, in a list.
function methods:threads()
  local list = {}
  for thread in pairs(self.tasks) do list[#list + 1] = thread end
  return list
end

-- How many tasks are to be waited for.
local function n_others(self, spares)
  local n = self.n_busy - (role(self) == "busy" and 1 or 0)
  if n == 0 or not spares then return n end
  for thread, each in pairs(self.tasks) do
    if each == "busy" and thread ~= coroutine.running() and spares(thread) then n = n - 1 end
  end
  return n
end

--- Wait until nothing is left to do (but what the caller does, where it is one of
-- these tasks, and what one does that `spares`, a function or nil, is true of), at most
-- until `deadline`; whether that is so.
function methods:settle(deadline, spares)
  while n_others(self, spares) > 0 do
    local left = deadline - self.loop.now()
    if left <= 0 or not self.idle:wait(left) then return n_others(self, spares) == 0 end
  end
  return true
end

return { new = new }
