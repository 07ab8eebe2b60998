-- SPDX-License-Identifier: MIT
-- Loops with two doors (docs/loops.md): tasks that are coroutines, timers,
-- descriptors and conditions, over a clock and a poll that the host gives.
-- Inside `run`, or any spawned task, a wait yields to the loop; outside of tasks
-- a wait drives it until the awaited thing has come. A coroutine that is none of
-- its tasks is never yielded. stomp.loop.scheduler is the one on the system's
-- clock, stomp.testing has one on a virtual clock.
--
-- A *waiter* is one wait: `{task, done, value}`. Whatever it waits for (a
-- descriptor, a time, a condition) wakes it once; the others find it done.
-- Errors are caught by coroutine.resume, because Lua 5.1 cannot yield across
-- pcall. Knows check, guard, queue, show and timers.
local check = require "stomp.check"
local once = require "stomp.guard".once
local queue = require "stomp.queue"
local show = require "stomp.show"
local timers_module = require "stomp.loop.timers"

local running = coroutine.running

-- Its fields at once: a table that grows by them one by one costs twice as much.
local function new_waiter()
  return {
    done = false, value = nil, task = nil, time = 0, serial = 0, timed = nil,
    slot = nil,
  }
end

-- ---- Waiters that are ready: a queue of tasks to resume

local function enqueue(self, task)
  queue.push(self.ready, task)
end

local function wake(self, waiter, value)
  if waiter.done then return end
  waiter.done = true
  waiter.value = value
  if waiter.task then enqueue(self, waiter.task) end
end

-- ---- Descriptors: parallel lists, as poll wants them

local function watch(self, waiter, fd, events)
  local n = #self.fds + 1
  self.fds[n], self.fd_events[n], self.fd_waiters[n] = fd, events, waiter
  waiter.slot = n
end

local function unwatch(self, waiter)
  local fds, events, waiters = self.fds, self.fd_events, self.fd_waiters
  local i, n = waiter.slot, #fds
  if not i then return end
  waiter.slot = nil
  fds[i], events[i], waiters[i] = fds[n], events[n], waiters[n]
  waiters[i].slot = i
  if i == n then waiter.slot = nil end
  fds[n], events[n], waiters[n] = nil, nil, nil
end

-- ---- Times

local function set_timer(self, waiter, seconds)
  self.timers:set(waiter, self.now() + seconds)
  waiter.timed = true
end

-- Seconds until the next is due, nil when there is none.
local function until_next(self)
  local time = self.timers:next_time()
  return time and math.max(time - self.now(), 0)
end

-- Wake what is due.
local function fire_timers(self)
  local timers = self.timers
  local time = timers:next_time()
  local now = time and self.now()
  while time and time <= now do
    local waiter = timers:pop()
    waiter.timed = nil
    wake(self, waiter, false)
    time = timers:next_time()
  end
end

-- ---- Tasks

-- The program closed the coroutine of a task, which waited or had not begun: it waits
-- for nothing any more, and `run` does not wait for it. Who is told of its errors is
-- told of this.
local function closed(self, task)
  local waiter = task.waiter
  task.ended = true
  if waiter then
    unwatch(self, waiter)
    waiter.done = true
    if waiter.timed then self.timers:drop() end
  end
  if task.epoch == self.epoch and not task.daemon then self.alive = self.alive - 1 end
  if task.on_error then
    local text = "the task was closed (coroutine.close)"
    task.on_error(text, text)
  end
end

local task_mt = {}

function task_mt.__close(task)
  if not task.ended then closed(task.loop, task) end
end

-- The task is the closing value, see guard.
local function body(task)
  for _ in once, nil, nil, task do
    task.f()
    task.ended = true
  end
end

-- An error leaves a coroutine as it is; its `<close>` variables (Lua 5.4) end with it.
-- They may wait: they run outside of any task, so that a wait drives the loop.
local close = coroutine.close -- luacheck: ignore 143 (from 5.4 on)

local function failed(task, value)
  local text = debug.traceback(task.co, show.value(value))
  local ok, last = true, value
  if close then ok, last = close(task.co) end
  if not ok and not rawequal(last, value) then -- an error in one of them is the task's, as in a scope
    value, text = last, ("%s\n(while its scopes were left after: %s)"):format(show.value(last), text)
  end
  if task.on_error then return task.on_error(text, value) end
  error(text, 0)
end

local function resume(self, task)
  local before = self.current
  self.current = task
  local ok, value = coroutine.resume(task.co, task)
  self.current = before
  if coroutine.status(task.co) == "dead" then
    if task.epoch == self.epoch and not task.daemon then
      self.alive = self.alive - 1
    end
    task.ended = true
    if not ok then failed(task, value) end
  end
end

-- `daemon`: it serves others, `run` does not wait for its end.
local function spawn(self, f, on_error, daemon)
  if type(f) ~= "function" then
    error("spawn: function expected, got " .. type(f), 3)
  end
  if not daemon then self.alive = self.alive + 1 end
  local task = setmetatable({
    co = coroutine.create(body), f = f, on_error = on_error, epoch = self.epoch,
    daemon = daemon, loop = self, ended = false, waiter = nil,
  }, task_mt)
  enqueue(self, task)
  return task
end

local function is_running(self)
  return self.current ~= nil and running() == self.current.co
end

-- ---- The loop

-- Resume every task that is ready now (those made ready meanwhile come in the
-- next round). A task that is being run further up the stack stays queued. A
-- drive within a task may have emptied the queue meanwhile.
local function run_ready(self)
  local ready = self.ready
  for _ = 1, queue.size(ready) do
    local task = queue.pop(ready)
    if not task then return end
    local status = coroutine.status(task.co)
    if status == "suspended" then
      resume(self, task)
    elseif status ~= "dead" then
      enqueue(self, task)
    elseif not task.ended then -- closed before it began
      closed(self, task)
    end
  end
end

local function poll(self, timeout)
  local ready = self.ready_fds
  local n = self.poll(self.fds, self.fd_events, timeout, ready)
  -- waking takes waiters off the lists: look them up first
  for i = 1, n do ready[i] = self.fd_waiters[ready[i]] end
  for i = 1, n do
    local waiter = ready[i]
    ready[i] = nil
    unwatch(self, waiter)
    wake(self, waiter, true)
  end
end

-- One round; false when nothing can ever happen any more. Descriptors come before
-- times: what is ready when its time is over is ready.
local function step(self, may_block)
  run_ready(self)
  local timeout = until_next(self)
  if queue.size(self.ready) > 0 or not may_block() then
    timeout = 0
  elseif #self.fds == 0 and not timeout and not self.always_poll then
    return false
  end
  if #self.fds > 0 or timeout ~= 0 or self.always_poll then poll(self, timeout) end
  fire_timers(self)
  return true
end

local function drive(self, waiter)
  local function may_block() return not waiter.done end
  while not waiter.done do
    if not step(self, may_block) and not waiter.done then
      error("waiting for something that no task, timer or descriptor can bring", 0)
    end
  end
end

-- Wait until the waiter is woken; its value.
local function suspend(self, waiter)
  if is_running(self) then
    local task = self.current
    waiter.task, task.waiter = task, waiter
    coroutine.yield()
  else
    drive(self, waiter)
  end
  unwatch(self, waiter)
  if waiter.timed then self.timers:drop() end
  return waiter.value
end

-- ---- Waiting

local function wait(self, pollable, timeout)
  local fd, events = pollable.pollfd, pollable.events
  if type(fd) == "function" then fd = fd(pollable) end
  if type(events) == "function" then events = events(pollable) end
  local waiter = new_waiter()
  watch(self, waiter, fd, events)
  if timeout then set_timer(self, waiter, timeout) end
  return suspend(self, waiter)
end

local function sleep(self, seconds)
  local waiter = new_waiter()
  set_timer(self, waiter, seconds)
  suspend(self, waiter)
end

local condition = {}
local condition_mt = { __index = condition }

function condition:wait(timeout)
  local loop = self.loop
  local waiter = new_waiter()
  local n = self.n + 1
  self.n, self[n] = n, waiter
  if timeout then set_timer(loop, waiter, timeout) end
  if suspend(loop, waiter) then return true end
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
    wake(self.loop, waiter, true)
  end
end

-- ---- run

-- Rounds until the task has ended and no other can go on.
local function run_until_done(self, main)
  local function may_block() return self.alive > 0 end
  while self.alive > 0 do
    if not step(self, may_block) then
      if main.ended then return end -- the rest waits for nobody
      error("stomp.run: every task waits for something that nobody can bring", 0)
    end
  end
end

local function run(self, f, ...)
  check.argument("run", f, "function", 3)
  if self.in_run then error("stomp.run is running already: use stomp.spawn", 3) end
  if self.current then error("stomp.run inside a task: use stomp.spawn", 3) end
  local arguments = { n = select("#", ...), ... }
  local results = { n = 0 }
  local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (5.1 and later)
  self.in_run = true
  local problem
  local main = spawn(self, function()
    local function keep(...) results = { n = select("#", ...), ... } end
    keep(f(unpack(arguments, 1, arguments.n)))
  end)
  -- tasks run in coroutines of their own: no yield crosses this pcall
  local ok, text = pcall(run_until_done, self, main)
  if not ok then problem = text end
  self.in_run = false
  if problem then
    self.epoch, self.alive = self.epoch + 1, 0
    error(problem, 0)
  end
  return unpack(results, 1, results.n)
end

--- A loop over `host`: now() → seconds; poll(fds, events, timeout, ready) → n, as
-- stomp.lws has it; always_poll: also in rounds in which nothing is to wait for.
-- @treturn table the members of docs/loops.md but name and random, and run
local function new(host)
  local self = {
    now = host.now, poll = host.poll, always_poll = host.always_poll or false,
    current = nil, -- the task that runs now, nil outside of tasks
    ready = queue.new(),
    fds = {}, fd_events = {}, fd_waiters = {}, ready_fds = {},
    timers = timers_module.new(),
    alive = 0, -- tasks that have not ended
    epoch = 0, -- tasks of a run that failed do not count for the next
    in_run = false,
  }
  return {
    now = host.now,
    wait = function(pollable, timeout) return wait(self, pollable, timeout) end,
    sleep = function(seconds)
      check.seconds("sleep", seconds, 2)
      sleep(self, seconds)
    end,
    spawn = function(f, on_error, daemon)
      local task = spawn(self, f, on_error, daemon) -- no tail call: levels count
      return task
    end,
    running = function() return is_running(self) end,
    condition = function()
      return setmetatable({ n = 0, loop = self }, condition_mt)
    end,
    run = function(f, ...)
      return (function(...) return ... end)(run(self, f, ...))
    end,
  }
end

return { new = new }
