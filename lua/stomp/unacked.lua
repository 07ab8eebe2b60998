-- SPDX-License-Identifier: MIT
-- Which messages of a subscription the program has not acknowledged: since when,
-- for client:stats(), and which of them coroutines took, for drain. One a
-- subscription and connection: a later connection cannot acknowledge them, they come
-- again. Knows queue.
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

-- So many are known: the oldest ones, so what is asked for stays right.
local MOST = 65536

-- Coroutine -> a number in its place: what it took does not keep it in memory.
local numbers, n_numbers = setmetatable({}, { __mode = "k" }), 0

local function number_of_caller()
  local me = coroutine.running() or "main"
  local number = numbers[me]
  if not number then
    n_numbers = n_numbers + 1
    number = n_numbers
    numbers[me] = number
  end
  return number
end

--- `cumulative`: an ACK covers all before it (ack mode client).
local function new(cumulative)
  return setmetatable({
    since = {}, -- sequence number of the frame -> when it came
    taker = {}, -- sequence number -> the coroutine that took it, as a number
    n = 0,
    order = cumulative and queue.new() or nil, -- sequence numbers
  }, mt)
end

--- A message came.
function methods:came(frame, now)
  if self.n >= MOST then return end
  local sequence = frame.sequence
  self.since[sequence] = now
  self.n = self.n + 1
  if self.order then queue.push(self.order, sequence) end
end

local function forget(self, sequence)
  if not self.since[sequence] then return end
  self.since[sequence], self.taker[sequence] = nil, nil
  self.n = self.n - 1
end

--- An ACK or NACK of this one was sent; in a transaction: its COMMIT.
function methods:settled(sequence)
  local order = self.order
  if not order then return forget(self, sequence) end
  while order.first <= order.last and order[order.first] <= sequence do
    forget(self, queue.pop(order))
  end
end

--- The calling coroutine took it: from now on it is worked on.
function methods:taken(frame)
  local sequence = frame.sequence
  if self.since[sequence] then self.taker[sequence] = number_of_caller() end
end

--- The calling coroutine waits for the end: what it took is not worked on any more.
function methods:excuse()
  local taker, me = self.taker, number_of_caller()
  for sequence, number in pairs(taker) do
    if number == me then taker[sequence] = nil end
  end
end

--- How many were taken. O(n).
function methods:in_hand()
  local n = 0
  for _ in pairs(self.taker) do n = n + 1 end
  return n
end

--- When the oldest of them came; nil where there is none. O(n).
function methods:oldest()
  local first
  for _, since in pairs(self.since) do
    if not first or since < first then first = since end
  end
  return first
end

return { new = new }
