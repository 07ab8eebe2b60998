-- SPDX-License-Identifier: MIT
-- One thing after the other, in order, in a task of its own. The task exists
-- only while there is something to do, so an idle worker keeps neither
-- `stomp.run` nor its client alive. An error in one item ends that item alone:
-- it is told to `failed`, and another task goes on with the next.
-- (The task is the boundary, not pcall: in Lua 5.1 nothing can wait inside it.)
-- Knows queue and the loop seam.
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

local function start(self)
  self.busy = true
  self.loop.spawn(self.body, self.on_error)
end

local function rest(self)
  self.busy, self.thread, self.item, self.excused = false, nil, nil, false
  self.idle:signal()
end

--- A worker that calls handle(item), and failed(item, traceback, value) after
-- an error in it.
local function new(loop, handle, failed)
  local self = setmetatable({
    loop = loop,
    idle = loop.condition(),
    items = queue.new(),
    busy = false,
    excused = false, -- nobody waits for what it does
  }, mt)
  self.body = function()
    self.thread = coroutine.running()
    self.item = queue.pop(self.items)
    while self.item ~= nil do
      handle(self.item)
      self.item = queue.pop(self.items)
    end
    rest(self)
  end
  self.on_error = function(traceback, value)
    local item = self.item
    rest(self)
    failed(item, traceback, value)
    if queue.size(self.items) > 0 and not self.busy then start(self) end
  end
  return self
end

function methods:push(item)
  queue.push(self.items, item)
  if not self.busy then start(self) end
end

--- How many items were not begun.
function methods:waiting()
  return queue.size(self.items)
end

--- Call `f` with each item that was not begun.
function methods:each(f)
  for i = self.items.first, self.items.last do f(self.items[i]) end
end

--- Forget what was not begun, and tell it to `f`.
function methods:clear(f)
  local item = queue.pop(self.items)
  while item ~= nil do
    f(item)
    item = queue.pop(self.items)
  end
end

--- Whether the caller is this worker's own task.
function methods:is_current()
  return self.thread ~= nil and self.thread == coroutine.running()
end

--- Where the caller is this worker's task: settle no longer waits for it.
function methods:excuse()
  if not self:is_current() then return end
  self.excused = true
  self.idle:signal()
end

--- Its task, in a list, where it has one.
function methods:threads()
  return { self.thread }
end

local function is_settled(self, spares)
  return not self.busy or self.excused or self:is_current()
    or spares ~= nil and self.thread ~= nil and spares(self.thread)
end

--- Wait until nothing is left to do (but what the caller does, where it is this
-- worker's task, and what a task does that `spares`, a function or nil, is true of), at
-- most until `deadline`; whether that is so.
function methods:settle(deadline, spares)
  while not is_settled(self, spares) do
    local left = deadline - self.loop.now()
    if left <= 0 or not self.idle:wait(left) then return is_settled(self, spares) end
  end
  return true
end

return { new = new }
