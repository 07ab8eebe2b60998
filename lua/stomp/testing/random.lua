-- SPDX-License-Identifier: MIT

--- Random numbers that a seed replays, the same on every Lua: two multiplicative
-- generators of 31 bits combined (L'Ecuyer 1988), period 2^61, in doubles. Not
-- for secrets. (Knows nothing.)
-- @classmod random
-- @alias methods

local floor, char = math.floor, string.char

local methods = {}
local mt = { __index = methods }

function mt.__tostring()
  return "stomp.testing.random"
end

local M1, A1 = 2147483563, 40014
local M2, A2 = 2147483399, 40692

--- A generator; any number is a seed.
-- @local
local function new(seed)
  local whole = floor(math.abs(seed))
  local self = setmetatable({
    a = whole % (M1 - 1) + 1,
    b = floor(whole / (M1 - 1)) % (M2 - 1) + 1,
  }, mt)
  for _ = 1, 8 do self:draw() end -- near seeds part
  return self
end

--- A whole number of 0 .. 2147483561.
-- @treturn number
function methods:draw()
  local a, b = self.a * A1 % M1, self.b * A2 % M2
  self.a, self.b = a, b
  local z = a - b
  return z < 1 and z + (M1 - 1) - 1 or z - 1
end

--- A whole number of 1 .. n.
-- @tparam number n
-- @treturn number
function methods:upto(n)
  return self:draw() % n + 1
end

--- A number of 0 .. 1, 1 excluded.
-- @treturn number
function methods:part()
  return self:draw() / (M1 - 1)
end

--- Whether something of this probability happens.
-- @tparam number p 0 to 1
-- @treturn boolean
function methods:chance(p)
  return self:part() < p
end

--- One value of a list.
-- @tparam table list
-- @return the value
function methods:one_of(list)
  return list[self:draw() % #list + 1]
end

--- A generator of its own, made of this one's next numbers.
-- @treturn random
function methods:fork()
  return new(self:draw() * 1048576 + self:draw() % 1048576)
end

--- Random bytes.
-- @tparam number n how many
-- @treturn string
function methods:bytes(n)
  if n == 4 then -- a WebSocket mask
    local x, y = self:draw(), self:draw()
    return char(floor(x / 8) % 256, floor(x / 4096) % 256, floor(y / 8) % 256,
      floor(y / 4096) % 256)
  end
  local list = {}
  for i = 1, n do list[i] = char(floor(self:draw() / 64) % 256) end
  return table.concat(list)
end

return { new = new }
