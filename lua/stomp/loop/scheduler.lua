-- SPDX-License-Identifier: MIT
--- The built-in loop: one loop with two doors (docs/loops.md). Inside
-- `stomp.run`, or any spawned task, a wait yields to it; outside of tasks a wait
-- drives it until the awaited thing has come. A coroutine that is none of its
-- tasks is never yielded.
--
-- A *waiter* is one wait: `{task, done, value}`. Whatever it waits for (a
-- descriptor, a time, a condition) wakes it once; the others find it done.
-- Errors are caught by coroutine.resume, because Lua 5.1 cannot yield across
-- pcall.
-- @module stomp.loop.scheduler
local lws = require "stomp.lws"

local scheduler = { name = "scheduler", now = lws.now, random = lws.random }

local running = coroutine.running
local current -- the task that runs now, nil outside of tasks

-- ---- Waiters that are ready: a queue of tasks to resume

local ready, ready_first, ready_last = {}, 1, 0

local function enqueue(task)
  ready_last = ready_last + 1
  ready[ready_last] = task
end

local function wake(waiter, value)
  if waiter.done then return end
  waiter.done = true
  waiter.value = value
  if waiter.task then enqueue(waiter.task) end
end

-- ---- Descriptors: parallel lists, as poll wants them

local fds, fd_events, fd_waiters = {}, {}, {}

local function watch(waiter, fd, events)
  local n = #fds + 1
  fds[n], fd_events[n], fd_waiters[n] = fd, events, waiter
  waiter.slot = n
end

local function unwatch(waiter)
  local i, n = waiter.slot, #fds
  if not i then return end
  waiter.slot = nil
  fds[i], fd_events[i], fd_waiters[i] = fds[n], fd_events[n], fd_waiters[n]
  fd_waiters[i].slot = i
  if i == n then waiter.slot = nil end
  fds[n], fd_events[n], fd_waiters[n] = nil, nil, nil
end

-- ---- Times: a binary heap; a waiter that is done is dropped when it comes up

local heap, heap_size = {}, 0

local function sift_up(i)
  while i > 1 do
    local parent = math.floor(i / 2)
    if heap[parent].time <= heap[i].time then return end
    heap[parent], heap[i] = heap[i], heap[parent]
    i = parent
  end
end

local function sift_down(i)
  while true do
    local least, left = i, 2 * i
    if left <= heap_size and heap[left].time < heap[least].time then least = left end
    if left < heap_size and heap[left + 1].time < heap[least].time then least = left + 1 end
    if least == i then return end
    heap[least], heap[i] = heap[i], heap[least]
    i = least
  end
end

local function pop_timer()
  heap[1] = heap[heap_size]
  heap[heap_size] = nil
  heap_size = heap_size - 1
  if heap_size > 1 then sift_down(1) end
end

-- Timers of waits that ended early stay in the heap until their time; when they
-- are most of it, it is made anew.
local heap_done = 0

local function rebuild()
  local old, n = heap, heap_size
  heap, heap_size, heap_done = {}, 0, 0
  for i = 1, n do
    if not old[i].waiter.done then
      heap_size = heap_size + 1
      heap[heap_size] = old[i]
      sift_up(heap_size)
    end
  end
end

local function set_timer(waiter, seconds)
  heap_size = heap_size + 1
  heap[heap_size] = { time = scheduler.now() + seconds, waiter = waiter }
  waiter.timed = true
  sift_up(heap_size)
end

local function drop_timer(waiter)
  if not waiter.timed then return end
  heap_done = heap_done + 1
  if heap_done > 64 and heap_done > heap_size / 2 then rebuild() end
end

-- Wake what is due; seconds until the next, nil when there is none.
local function fire_timers()
  local now
  while heap_size > 0 do
    local timer = heap[1]
    if timer.waiter.done then
      pop_timer()
      heap_done = math.max(heap_done - 1, 0)
    else
      now = now or scheduler.now()
      if timer.time > now then return timer.time - now end
      pop_timer()
      timer.waiter.timed = nil
      wake(timer.waiter, false)
    end
  end
  return nil
end

-- ---- Tasks

local alive = 0 -- tasks that have not ended
local epoch = 0 -- tasks of a run that failed do not count for the next

local function failed(task, value)
  local text = debug.traceback(task.co, tostring(value))
  if task.on_error then return task.on_error(text, value) end
  error(text, 0)
end

local function resume(task)
  local before = current
  current = task
  local ok, value = coroutine.resume(task.co)
  current = before
  if coroutine.status(task.co) == "dead" then
    if task.epoch == epoch then alive = alive - 1 end
    task.ended = true
    if not ok then failed(task, value) end
  end
end

--- Run `f()` as a task.
-- @tparam function f
-- @tparam[opt] function on_error function(text_with_traceback, value)
function scheduler.spawn(f, on_error)
  if type(f) ~= "function" then
    error("spawn: function expected, got " .. type(f), 2)
  end
  alive = alive + 1
  local task = { co = coroutine.create(f), on_error = on_error, epoch = epoch }
  enqueue(task)
  return task
end

--- Whether the caller is a task of this loop.
function scheduler.running()
  return current ~= nil and running() == current.co
end

-- ---- The loop

-- Resume every task that is ready now (those made ready meanwhile come in the
-- next round). A task that is being run further up the stack stays queued. A
-- drive within a task may have emptied the queue meanwhile, hence ready_last.
local function run_ready()
  local last = ready_last
  while ready_first <= last and ready_first <= ready_last do
    local task = ready[ready_first]
    ready[ready_first] = nil
    ready_first = ready_first + 1
    local status = coroutine.status(task.co)
    if status == "suspended" then
      resume(task)
    elseif status ~= "dead" then
      enqueue(task)
    end
  end
  if ready_first > ready_last then ready_first, ready_last = 1, 0 end
end

local ready_fds = {}

local function poll(timeout)
  local n = lws.poll(fds, fd_events, timeout, ready_fds)
  -- waking takes waiters off the lists: look them up first
  for i = 1, n do ready_fds[i] = fd_waiters[ready_fds[i]] end
  for i = 1, n do
    local waiter = ready_fds[i]
    ready_fds[i] = nil
    unwatch(waiter)
    wake(waiter, true)
  end
end

-- One round; false when nothing can ever happen any more.
local function step(may_block)
  run_ready()
  local timeout = fire_timers()
  if ready_first <= ready_last or not may_block() then
    timeout = 0
  elseif #fds == 0 and not timeout then
    return false
  end
  if #fds > 0 or timeout ~= 0 then poll(timeout) end
  return true
end

local function drive(waiter)
  local function may_block() return not waiter.done end
  while not waiter.done do
    if not step(may_block) and not waiter.done then
      error("waiting for something that no task, timer or descriptor can bring", 0)
    end
  end
end

-- Wait until the waiter is woken; its value.
local function suspend(waiter)
  if current and running() == current.co then
    waiter.task = current
    coroutine.yield()
  else
    drive(waiter)
  end
  unwatch(waiter)
  drop_timer(waiter)
  return waiter.value
end

--- Wait until a pollable is ready.
-- @param pollable has pollfd and events, as functions or values
-- @tparam[opt] number timeout seconds; nil waits for ever
-- @treturn boolean false when the time is over
function scheduler.wait(pollable, timeout)
  local fd, events = pollable.pollfd, pollable.events
  if type(fd) == "function" then fd = fd(pollable) end
  if type(events) == "function" then events = events(pollable) end
  local waiter = { done = false }
  watch(waiter, fd, events)
  if timeout then set_timer(waiter, timeout) end
  return suspend(waiter)
end

--- Let `seconds` pass; 0 lets the others run once.
function scheduler.sleep(seconds)
  local waiter = { done = false }
  set_timer(waiter, seconds)
  suspend(waiter)
end

local condition = {}
local condition_mt = { __index = condition }

function condition:wait(timeout)
  local waiter = { done = false }
  local n = self.n + 1
  self.n, self[n] = n, waiter
  if timeout then set_timer(waiter, timeout) end
  if suspend(waiter) then return true end
  for i = 1, self.n do -- after a time-out only
    if self[i] == waiter then
      table.remove(self, i)
      self.n = self.n - 1
      break
    end
  end
  return false
end

function condition:signal()
  local n = self.n
  self.n = 0
  for i = 1, n do
    local waiter = self[i]
    self[i] = nil
    wake(waiter, true)
  end
end

--- Something to wait for that others signal.
function scheduler.condition()
  return setmetatable({ n = 0 }, condition_mt)
end

local in_run = false

-- Rounds until the task has ended and no other can go on.
local function run_until_done(main)
  local function may_block() return alive > 0 end
  while alive > 0 do
    if not step(may_block) then
      if main.ended then return end -- the rest waits for nobody
      error("stomp.run: every task waits for something that nobody can bring", 0)
    end
  end
end

--- Run `f(...)` as a task; its results once every task has ended.
-- An error in a task is raised with its traceback.
function scheduler.run(f, ...)
  if in_run then error("stomp.run is running already: use stomp.spawn", 2) end
  if current then error("stomp.run inside a task: use stomp.spawn", 2) end
  local arguments = { n = select("#", ...), ... }
  local results = { n = 0 }
  local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (5.1 and later)
  in_run = true
  local problem
  local main = scheduler.spawn(function()
    local function keep(...) results = { n = select("#", ...), ... } end
    keep(f(unpack(arguments, 1, arguments.n)))
  end)
  -- tasks run in coroutines of their own: no yield crosses this pcall
  local ok, text = pcall(run_until_done, main)
  if not ok then problem = text end
  in_run = false
  if problem then
    epoch, alive = epoch + 1, 0
    error(problem, 0)
  end
  return unpack(results, 1, results.n)
end

return scheduler
