-- SPDX-License-Identifier: MIT
-- What each destination has seen, for tests to ask. A destination that nobody
-- uses any more is remembered, until there are too many of them.
-- Knows nothing.
local methods = {}
local mt = { __index = methods }

-- Destinations that are remembered at least.
local remembered = 1024

--- Figures by destination; `in_use(destination)`: it must not be forgotten.
local function new(in_use)
  return setmetatable({ in_use = in_use, by_destination = {}, n = 0, sweep_at = remembered }, mt)
end

local function zeros()
  return { published = 0, delivered = 0, redelivered = 0, acknowledged = 0, nacked = 0 }
end

-- Half of them stay at most until the next time: O(1) for each that was added.
local function sweep(self)
  for destination in pairs(self.by_destination) do
    if not self.in_use(destination) then
      self.by_destination[destination] = nil
      self.n = self.n - 1
    end
  end
  self.sweep_at = math.max(remembered, 2 * self.n)
end

local function of(self, destination)
  local figures = self.by_destination[destination]
  if figures then return figures end
  if self.n >= self.sweep_at then sweep(self) end
  figures = zeros()
  self.by_destination[destination] = figures
  self.n = self.n + 1
  return figures
end

--- One more of what happened to a destination: "published", "delivered" …
function methods:count(destination, what)
  local figures = of(self, destination)
  figures[what] = figures[what] + 1
end

--- It is used, though nothing happened to it yet.
function methods:mention(destination) of(self, destination) end

--- A copy of a destination's figures.
function methods:read(destination)
  local copy = zeros()
  for name, value in pairs(self.by_destination[destination] or {}) do
    copy[name] = value
  end
  return copy
end

--- The destinations that are remembered, as a list.
function methods:names()
  local names = {}
  for name in pairs(self.by_destination) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return { new = new }
