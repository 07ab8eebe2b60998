-- SPDX-License-Identifier: MIT
-- What one subscription was given and has not acknowledged, in the order in which
-- it was given. Adding and taking one costs O(1), a cumulative acknowledgement
-- what it covers.
-- Knows nothing.
local methods = {}
local mt = { __index = methods }

local function new()
  return setmetatable({ first = 1, last = 0, n = 0 }, mt) -- self[first .. last]
end

function methods:add(delivery)
  local slot = self.last + 1
  self.last, self[slot], delivery.slot = slot, delivery, slot
  self.n = self.n + 1
end

-- The first slot moves on over what was taken.
local function tidy(self)
  while self.first <= self.last and self[self.first] == nil do
    self.first = self.first + 1
  end
  if self.first > self.last then self.first, self.last = 1, 0 end
end

-- Take what is in these slots and for which f(delivery), or anything without f; in this
-- order.
local function take_where(self, from, to, step, f)
  local taken = {}
  for slot = from, to, step do
    local one = self[slot]
    if one and (not f or f(one)) then
      taken[#taken + 1] = one
      self[slot] = nil
    end
  end
  self.n = self.n - #taken
  tidy(self)
  return taken
end

--- Take one, or all up to it; a list in order.
function methods:take(delivery, upto)
  return take_where(self, upto and self.first or delivery.slot, delivery.slot, 1)
end

--- Take those that no open transaction holds: neither one that is promised to one nor,
-- where an ACK covers all before it, what came before such a one.
function methods:take_free(cumulative)
  local held = false
  return take_where(self, self.last, self.first, -1, function(delivery)
    held = delivery.promised ~= nil or cumulative and held
    return not held
  end)
end

--- Take all of them.
function methods:take_all()
  if self.n == 0 then return {} end
  return self:take({ slot = self.last }, true)
end

return { new = new }
