-- SPDX-License-Identifier: MIT
-- A loop (docs/loops.md) on a virtual clock. Time moves only when no task can go
-- on, and then at once to what is due next: a minute of waiting takes no time.
-- Where nothing is due either, nobody will ever go on: that raises.
--
-- A *descriptor* stands for a file descriptor: `readable` and `writable` say
-- what it is ready for. pollfd() of a virtual pollable returns one.
-- Knows tasks.
local tasks = require "stomp.loop.tasks"

-- Rounds in which some task was busy before the clock moves by a millisecond:
-- computing takes time, too, so one who never rests does not stop it.
local BUSY_ROUNDS, BUSY_SECONDS = 1000, 0.001

--- A new descriptor.
local function descriptor()
  return { readable = false, writable = true }
end

local function is_ready(fd, events)
  return fd.readable and (events == "r" or events:find("r", 1, true) ~= nil)
    or fd.writable and events:find("w", 1, true) ~= nil
end

local function collect(fds, events, ready)
  local n = 0
  for i, fd in ipairs(fds) do
    if type(fd) ~= "table" then
      error("a virtual loop cannot wait for a descriptor of the system", 0)
    end
    if is_ready(fd, events[i]) then
      n = n + 1
      ready[n] = i
    end
  end
  return n
end

local function count_busy(self)
  self.busy = self.busy + 1
  if self.busy < BUSY_ROUNDS then return end
  self.busy = 0
  self.clock.time = self.clock.time + BUSY_SECONDS
end

-- Go on to what is due next, until `limit`; false when it is reached.
local function advance(self, limit)
  local clock = self.clock
  local time = clock:next_time()
  self.busy = 0
  if limit and (not time or time > limit) then
    clock.time = limit
    return false
  elseif not time then
    error("waiting for something that no task, timer or link can bring", 0)
  end
  clock.time = math.max(clock.time, time)
  return true
end

-- What poll is to the scheduler.
local function poll(self, fds, events, timeout, ready)
  local clock = self.clock
  local limit = timeout and clock.time + timeout
  self.settle()
  clock:run_due()
  self.settle()
  local n = collect(fds, events, ready)
  if n == 0 and timeout == 0 then count_busy(self) end
  while n == 0 and timeout ~= 0 do
    if not advance(self, limit) then return 0 end
    clock:run_due()
    self.settle()
    n = collect(fds, events, ready)
  end
  return n
end

--- A loop on `clock`; `random` is a generator of stomp.testing.random; `settle()`
-- lets the network do what is due without time.
local function new(clock, random, settle)
  local self = { clock = clock, settle = settle, busy = 0 }
  local loop = tasks.new {
    now = function() return clock.time end,
    poll = function(fds, events, timeout, ready)
      return poll(self, fds, events, timeout, ready)
    end,
    always_poll = true,
  }
  loop.name = "virtual"
  loop.random = function(n) return random:bytes(n) end
  return loop
end

return { new = new, descriptor = descriptor }
