-- SPDX-License-Identifier: MIT
-- First in, first out, O(1) each way. Holds no nil. Knows nothing.

--- An empty queue. `first` and `last` are open to readers in a hurry until the next
-- push: it is empty when first > last, and nothing true is at `first` then.
local function new()
  return { first = 1, last = 0 }
end

-- Places that were left hold `false`: with nil in them Lua would no longer take the
-- table for an array, and with keys that only ever rise it would look for places for
-- all of them again and again. So it goes back to the places from 1 on.
local function move_back(queue)
  local before, n = queue.first - 1, queue.last - queue.first + 1
  for i = 1, n do queue[i], queue[before + i] = queue[before + i], false end
  queue.first, queue.last = 1, n
end

local function push(queue, value)
  local first, last = queue.first, queue.last + 1
  if first > 64 and first > last - first then -- more empty places than others
    move_back(queue)
    last = queue.last + 1
  end
  queue.last = last
  queue[last] = value
end

--- Put back what was taken off the front.
local function push_front(queue, value)
  local first = queue.first - 1
  queue.first = first
  queue[first] = value
end

--- The oldest value, or nil when there is none.
local function pop(queue)
  local first = queue.first
  if first > queue.last then return nil end
  local value = queue[first]
  queue[first] = false
  if first == queue.last then
    queue.first, queue.last = 1, 0 -- numbers stay small, the array part lives
    queue[1] = nil
  else
    queue.first = first + 1
  end
  return value
end

--- Take one value out, wherever it stands. O(length).
local function remove(queue, value)
  for i = queue.first, queue.last do
    if queue[i] == value then
      for k = i, queue.last - 1 do queue[k] = queue[k + 1] end
      queue[queue.last] = false
      queue.last = queue.last - 1
      return true
    end
  end
  return false
end

local function size(queue)
  return queue.last - queue.first + 1
end

return {
  new = new, push = push, push_front = push_front, pop = pop, remove = remove,
  size = size,
}
