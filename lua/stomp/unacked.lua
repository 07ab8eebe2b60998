-- SPDX-License-Identifier: MIT
-- Which messages of a subscription the program has not acknowledged, and since
-- when, for client:stats(). One a subscription and connection: a later connection
-- cannot acknowledge them, they come again. Knows queue.
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

-- So many are known: the oldest ones, so what is asked for stays right.
local MOST = 65536

--- `cumulative`: an ACK covers all before it (ack mode client).
local function new(cumulative)
  return setmetatable({
    since = {}, -- sequence number of the frame -> when it came
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
  self.since[sequence] = nil
  self.n = self.n - 1
end

--- An ACK or NACK was sent.
function methods:settled(frame)
  local sequence, order = frame.sequence, self.order
  if not order then return forget(self, sequence) end
  while order.first <= order.last and order[order.first] <= sequence do
    forget(self, queue.pop(order))
  end
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
