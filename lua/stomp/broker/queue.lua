-- SPDX-License-Identifier: MIT
-- One queue of the embedded broker: messages in the order in which they came,
-- and the subscriptions that take turns. A message that comes back goes where it
-- was, not merely to the front.
-- Knows nothing.
local methods = {}
local mt = { __index = methods }

--- An empty queue of this destination.
local function new(destination)
  return setmetatable({
    destination = destination,
    first = 1, last = 0,   -- self[first .. last] are the messages
    n_put = 0,
    subscriptions = {},
    n_held = 0,            -- subscriptions that are over, of which messages may come back
    turn = 0,              -- the index of who took the last message
  }, mt)
end

function methods:size()
  return self.last - self.first + 1
end

--- Whether nobody would miss it.
function methods:is_idle()
  return self.first > self.last and #self.subscriptions == 0 and self.n_held == 0
end

function methods:put(message)
  self.n_put = self.n_put + 1
  message.place = self.n_put
  self.last = self.last + 1
  self[self.last] = message
end

--- A message that was taken comes back; costs its distance from the front.
function methods:put_back(message)
  self.first = self.first - 1
  local i = self.first
  while i < self.last and self[i + 1].place < message.place do
    self[i] = self[i + 1]
    i = i + 1
  end
  self[i] = message
end

function methods:take()
  local message = self[self.first]
  self[self.first] = nil
  self.first = self.first + 1
  if self.first > self.last then self.first, self.last = 1, 0 end
  return message
end

function methods:join(subscription)
  self.subscriptions[#self.subscriptions + 1] = subscription
end

function methods:leave(subscription)
  for i, one in ipairs(self.subscriptions) do
    if one == subscription then
      table.remove(self.subscriptions, i)
      if i <= self.turn then self.turn = self.turn - 1 end
      return
    end
  end
end

--- The next subscription in turn for which can_take says so, `avoided` only
-- when there is no other; nil when there is none.
function methods:next_taker(can_take, avoided)
  local n, last_resort = #self.subscriptions, nil
  for i = 1, n do
    local k = (self.turn + i - 1) % n + 1
    local one = self.subscriptions[k]
    if can_take(one) then
      if one ~= avoided then
        self.turn = k
        return one
      end
      last_resort = k
    end
  end
  if not last_resort then return nil end
  self.turn = last_resort
  return self.subscriptions[last_resort]
end

return { new = new }
