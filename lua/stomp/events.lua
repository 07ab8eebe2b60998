-- SPDX-License-Identifier: MIT
-- Functions that a program wants to be called: on_error, on_close … of connect
-- and client:on. Two ways to call them:
--   fire    error close disconnect connected reconnect unhandled: one after the other in a task of
--           their own, so they may wait and call any client function
--   notify  sent received acked receipt: at once, in the middle of the matter;
--           they may not wait (for counters and logs)
-- An error in one goes to `error`, one in `error` itself to stderr, with the one that it
-- was told of.
-- Knows worker, failures and show.
local failures = require "stomp.failures"
local show = require "stomp.show"
local worker = require "stomp.worker"

local methods = {}
local mt = { __index = methods }

local known = {
  error = true, close = true, disconnect = true, unhandled = true,
  reconnect = true, connected = true,
  sent = true, received = true, acked = true, receipt = true,
}

local function complain(text)
  io.stderr:write("stomp: ", text, "\n")
end

local function complain_about(err)
  complain(err.traceback and err.message .. "\n" .. err.traceback
    or err.message)
end

local function failed(self, call, traceback, value)
  local err = failures.raised(value, traceback)
  if call.event == "error" then
    complain_about(call[2]) -- maybe nobody else saw it
    complain_about(err)
  else
    self:fire("error", err.message, err)
  end
end

local function new(loop)
  local self = setmetatable({ list = {} }, mt)
  self.worker = worker.new(loop, function(call)
    call.f(call[1], call[2], call[3])
  end, function(call, traceback, value)
    failed(self, call, traceback, value)
  end)
  return self
end

--- Call `f` at each `event`; returns a function that takes it off.
function methods:on(event, f, level)
  if not known[event] then
    error(("unknown event '%s'"):format(show.value(event)), level + 1)
  end
  if type(f) ~= "function" then
    error(("on '%s': function expected, got %s"):format(event, type(f)),
      level + 1)
  end
  local list = {}
  for i, other in ipairs(self.list[event] or {}) do list[i] = other end
  local entry = { f = f } -- the same function may be on twice
  list[#list + 1] = entry
  self.list[event] = list -- a new list: one that is being walked stays whole
  return function()
    local rest = {}
    for _, other in ipairs(self.list[event] or {}) do
      if other ~= entry then rest[#rest + 1] = other end
    end
    self.list[event] = #rest > 0 and rest or nil
  end
end

function methods:has(event)
  return self.list[event] ~= nil
end

--- Call them in the events' own task, and `after(a)` when they have been
-- called. Errors that nobody listens to are said on stderr.
function methods:fire(event, a, b, c, after)
  local list = self.list[event]
  if not list and event == "error" then complain_about(b) end
  for _, entry in ipairs(list or {}) do
    self.worker:push { event = event, f = entry.f, a, b, c }
  end
  if after then self.worker:push { event = event, f = after, a } end
end

--- Call them now.
function methods:notify(event, a, b, c)
  local list = self.list[event]
  if not list then return end
  for _, entry in ipairs(list) do
    local ok, traceback = xpcall(function()
      entry.f(a, b, c)
    end, function(value)
      return { value = value, traceback = debug.traceback(show.value(value), 2) }
    end)
    if not ok then
      failed(self, { event = event }, traceback.traceback, traceback.value)
    end
  end
end

--- How many calls were fired and not begun.
function methods:waiting()
  return self.worker:waiting()
end

--- Wait until all that was fired has been told, at most until `deadline`.
function methods:settle(deadline)
  self.worker:settle(deadline)
end

return { new = new, complain = complain }
