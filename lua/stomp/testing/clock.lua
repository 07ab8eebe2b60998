-- SPDX-License-Identifier: MIT
-- A virtual clock and what is due on it: functions of the virtual network, as the
-- kernel and the I/O thread are of a real one. It moves when it is told to.
-- Knows timers.
local timers_module = require "stomp.loop.timers"

local methods = {}
local mt = { __index = methods }

-- Seconds that a clock shows at first: of a machine that has run for a while.
local START = 1000

local function new()
  return setmetatable({ time = START, timers = timers_module.new() }, mt)
end

--- Call f(a, b) after so many seconds. Returns an event for `cancel`.
function methods:after(seconds, f, a, b)
  local event = { done = false, f = f, a = a, b = b }
  self.timers:set(event, self.time + seconds)
  return event
end

--- Forget an event; nothing happens when it was called or nil.
function methods:cancel(event)
  if not event or event.done then return end
  event.done = true
  self.timers:drop()
end

--- When the next event is due, or nil.
function methods:next_time()
  return self.timers:next_time()
end

--- Call what is due now.
function methods:run_due()
  local timers, time = self.timers, self.timers:next_time()
  while time and time <= self.time do
    local event = timers:pop()
    event.done = true
    event.f(event.a, event.b)
    time = timers:next_time()
  end
end

return { new = new }
