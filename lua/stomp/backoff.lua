-- SPDX-License-Identifier: MIT
-- How long to wait before the next attempt to connect: doubling from `min` to
-- `max`, a random part of it taken off, so that the clients of a broker that comes
-- back do not all come at once. It grows until a connection has lasted: one that
-- is refused a moment after it was made must not start it anew. Arithmetic alone;
-- knows nothing.
local methods = {}
local mt = { __index = methods }

--- A back-off.
-- @tparam table options min, max (seconds), jitter (0 to 1: the random part)
-- @tparam function random random() gives a number from 0 up to 1
-- @tparam number n_urls URLs that take turns: each gets one attempt a round
local function new(options, random, n_urls)
  return setmetatable({
    min = options.min, max = options.max, jitter = options.jitter,
    random = random, n_urls = n_urls, tries = 0, last = 0,
  }, mt)
end

--- Seconds until the next attempt.
function methods:next()
  local round = math.floor(self.tries / self.n_urls)
  self.tries = self.tries + 1
  local full = math.min(self.max, self.min * 2 ^ math.min(round, 60))
  self.last = full
  return full * (1 - self.jitter * self.random())
end

--- A connection was lost that had been up for so long.
function methods:lasted(seconds)
  if seconds >= math.max(self.last, 1) then self.tries, self.last = 0, 0 end
end

return { new = new }
