-- SPDX-License-Identifier: MIT
-- pairs in an order of its own: numbers, then strings, each sorted. Lua's own
-- order depends on the process (strings are hashed with a random seed), and a
-- seed of the simulation has to replay exactly. Objects as keys come in Lua's
-- order.
local unordered = pairs

local function before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return x < y end
  return (x == "string" or x == "number") and a < b
end

local function ordered(t)
  local keys, n = {}, 0
  for key in next, t do
    n = n + 1
    keys[n] = key
  end
  if n < 2 then return next, t end
  if n > 8 then
    table.sort(keys, before)
  else -- most are short: table.sort costs more
    for i = 2, n do
      local key, j = keys[i], i - 1
      while j > 0 and before(key, keys[j]) do
        keys[j + 1], j = keys[j], j - 1
      end
      keys[j + 1] = key
    end
  end
  local i = 0
  return function()
    while i < n do
      i = i + 1
      local value = t[keys[i]]
      if value ~= nil then return keys[i], value end
    end
  end
end

--- Call f(...) with this `pairs`; its results.
local function with(f, ...)
  local function back(...)
    pairs = unordered -- luacheck: ignore 121
    return ...
  end
  pairs = ordered -- luacheck: ignore 121
  return back(f(...))
end

return { pairs = ordered, with = with }
