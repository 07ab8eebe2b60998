-- SPDX-License-Identifier: MIT
-- What is due when: a binary heap of timers, those of the same time in the order
-- in which they were set. A timer that is done with (`timer.done`) stays in the
-- heap until its time; when such timers are most of it, the heap is made anew.
-- Knows nothing.
local methods = {}
local mt = { __index = methods }

local function new()
  return setmetatable({ n = 0, n_done = 0, serial = 0 }, mt)
end

local function is_before(a, b)
  return a.time < b.time or (a.time == b.time and a.serial < b.serial)
end

local function sift_up(self, i)
  while i > 1 do
    local parent = math.floor(i / 2)
    if not is_before(self[i], self[parent]) then return end
    self[parent], self[i] = self[i], self[parent]
    i = parent
  end
end

local function sift_down(self, i)
  local n = self.n
  while true do
    local least, left = i, 2 * i
    if left <= n and is_before(self[left], self[least]) then least = left end
    if left < n and is_before(self[left + 1], self[least]) then least = left + 1 end
    if least == i then return end
    self[least], self[i] = self[i], self[least]
    i = least
  end
end

local function add(self, timer)
  self.n = self.n + 1
  self[self.n] = timer
  sift_up(self, self.n)
end

--- Put a timer in: a table that gets `time` and `serial`.
function methods:set(timer, time)
  self.serial = self.serial + 1
  timer.time, timer.serial = time, self.serial
  add(self, timer)
end

local function pop(self)
  local timer = self[1]
  self[1] = self[self.n]
  self[self.n] = nil
  self.n = self.n - 1
  if self.n > 1 then sift_down(self, 1) end
  return timer
end

--- The time of the next one that is not done; nil when there is none.
function methods:next_time()
  while self.n > 0 and self[1].done do
    pop(self)
    self.n_done = math.max(self.n_done - 1, 0)
  end
  return self.n > 0 and self[1].time or nil
end

--- Take out the next one, which next_time told of.
function methods:pop()
  return pop(self)
end

local function rebuild(self)
  local old, n = {}, self.n
  for i = 1, n do old[i], self[i] = self[i], nil end
  self.n, self.n_done = 0, 0
  for i = 1, n do
    if not old[i].done then add(self, old[i]) end
  end
end

--- A timer that is in became done before its time.
function methods:drop()
  self.n_done = self.n_done + 1
  if self.n_done > 64 and self.n_done > self.n / 2 then rebuild(self) end
end

return { new = new }
