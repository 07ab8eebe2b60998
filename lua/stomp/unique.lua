-- SPDX-License-Identifier: MIT
-- Ids that nobody else makes: 16 random hexadecimal digits and a number. Of
-- [0-9a-f-] only: no broker's escaping can change one.
-- Knows nothing; random bytes come from the loop.

local function hexadecimal(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

--- A function that makes such ids. `random(n)` gives n random bytes; it is called
-- once, for the first id.
local function new(random)
  local prefix, n = nil, 0
  return function()
    prefix = prefix or hexadecimal(random(8))
    n = n + 1
    return ("%s-%d"):format(prefix, n)
  end
end

return { new = new }
