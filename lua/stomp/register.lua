-- SPDX-License-Identifier: MIT
-- A map whose keys come and go. Lua's own table, once all its places were used,
-- counts and moves every key to find room for a new one; with a thousand keys in a
-- table for 1,024 that happens every few new ones. Here a key that is gone leaves
-- `false` in its place, and the table is made anew when those are the most of it:
-- O(1) for each key, however many there are. Knows nothing.

--- An empty one. `register.of[key]` is open to readers in a hurry: the value, nil
-- or false; `register.n` is how many there are.
local function new()
  return { of = {}, n = 0, n_gone = 0 }
end

-- What is gone leaves no place behind.
local function sweep(register)
  local of = {}
  for key, value in pairs(register.of) do
    if value then of[key] = value end
  end
  register.of, register.n_gone = of, 0
end

--- Enter a key that is not there. Its value is neither nil nor false.
local function put(register, key, value)
  local of = register.of
  if of[key] == false then register.n_gone = register.n_gone - 1 end
  of[key] = value
  register.n = register.n + 1
end

--- Take a key out.
-- @return its value, or nil
local function take(register, key)
  local of = register.of
  local value = of[key]
  if not value then return nil end
  of[key] = false
  register.n, register.n_gone = register.n - 1, register.n_gone + 1
  if register.n_gone > 64 and register.n_gone > register.n then sweep(register) end
  return value
end

--- The values, in no order.
-- @treturn table list
local function values(register)
  local list = {}
  for _, value in pairs(register.of) do
    if value then list[#list + 1] = value end
  end
  return list
end

return { new = new, put = put, take = take, values = values }
