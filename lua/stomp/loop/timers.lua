-- SPDX-License-Identifier: MIT
-- What is due when: timers, those of the same time in the order in which they were
-- set. One that is not before the last of the *line* goes to its end, in O(1): so
-- do all time-outs of the same length, of which there are many. The others go into
-- a binary heap. A timer that is done with (`timer.done`) stays until its time;
-- when such timers are the most, heap and line are made anew.
-- Knows queue.
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

local function new()
  return setmetatable({
    n = 0, -- of the heap, which is in [1 .. n]
    line = queue.new(),
    n_done = 0, serial = 0,
  }, mt)
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

-- To the end of the line, or into the heap.
local function put(self, timer)
  local line = self.line
  local last = line[line.last]
  if not last or timer.time >= last.time then
    queue.push(line, timer)
  else
    add(self, timer)
  end
end

--- Put a timer in: a table that gets `time` and `serial`.
function methods:set(timer, time)
  self.serial = self.serial + 1
  timer.time, timer.serial = time, self.serial
  put(self, timer)
end

local function pop_heap(self)
  local timer = self[1]
  self[1] = self[self.n]
  self[self.n] = nil
  self.n = self.n - 1
  if self.n > 1 then sift_down(self, 1) end
  return timer
end

-- The next of the heap and of the line that is not done; nil: there is none.
local function next_of_heap(self)
  while self.n > 0 and self[1].done do
    pop_heap(self)
    self.n_done = math.max(self.n_done - 1, 0)
  end
  return self[1]
end

local function next_of_line(self)
  local line = self.line
  while queue.size(line) > 0 and line[line.first].done do
    queue.pop(line)
    self.n_done = math.max(self.n_done - 1, 0)
  end
  return line[line.first]
end

--- The time of the next one that is not done; nil when there is none.
function methods:next_time()
  local a, b = next_of_heap(self), next_of_line(self)
  if a and b then return math.min(a.time, b.time) end
  return (a and a.time) or (b and b.time)
end

--- Take out the next one, which next_time told of.
function methods:pop()
  local a, b = self[1], self.line[self.line.first]
  if a and (not b or is_before(a, b)) then return pop_heap(self) end
  return queue.pop(self.line)
end

local function rebuild(self)
  local heap, n = {}, self.n
  local line = self.line
  for i = 1, n do heap[i], self[i] = self[i], nil end
  self.n, self.n_done = 0, 0
  self.line = queue.new()
  for i = line.first, line.last do
    if not line[i].done then put(self, line[i]) end
  end
  for i = 1, n do
    if not heap[i].done then add(self, heap[i]) end
  end
end

--- A timer that is in became done before its time.
function methods:drop()
  self.n_done = self.n_done + 1
  local most = (self.n + queue.size(self.line)) / 2
  if self.n_done > 64 and self.n_done > most then rebuild(self) end
end

return { new = new }
