-- SPDX-License-Identifier: MIT
-- Random numbers out of a loop's random bytes. Knows nothing.

--- A function that gives numbers from 0 up to, but not, 1. `random(n)` gives n
-- random bytes.
local function fractions(random)
  return function()
    local a, b, c = random(3):byte(1, 3)
    return (a * 65536 + b * 256 + c) / 16777216
  end
end

return { fractions = fractions }
