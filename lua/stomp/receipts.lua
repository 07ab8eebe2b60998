-- SPDX-License-Identifier: MIT
-- RECEIPTs that somebody waits for. A RECEIPT answers its own id only: earlier
-- frames need not be processed yet (STOMP 1.2, "RECEIPT"; RabbitMQ answers out
-- of order), so each frame is awaited by itself. Ids are of [A-Za-z0-9-] only:
-- no broker's escaping can change one.
-- Knows pump and failures.
local failures = require "stomp.failures"

local methods = {}
local mt = { __index = methods }

local UNKNOWN = { outcome = "unknown" }

local function new(pump)
  return setmetatable({ pump = pump, open = {}, serial = 0 }, mt)
end

--- Expect a RECEIPT for `what` ("SEND /queue/a"). Its id is entry.id.
function methods:expect(what, id)
  if not id then
    self.serial = self.serial + 1
    id = "r-" .. self.serial
  end
  local entry = self.pump:waiter("no RECEIPT for " .. what, true)
  entry.id = id
  self.open[id] = entry
  return entry
end

-- Tell those who flush that this one is answered, or that it never will be.
local function tell_followers(self, entry, message, err)
  for _, follower in ipairs(entry.followers or {}) do
    follower.left = follower.left - 1
    if err and not follower.err then
      follower.message, follower.err = message, err
    end
    if follower.left == 0 then self.pump:deliver(follower) end
  end
end

--- A RECEIPT with this id came; false when nobody waits for it.
function methods:settle(id, frame)
  local entry = id and self.open[id]
  if not entry then return false end
  self.open[id] = nil
  self.pump:deliver(entry, frame)
  tell_followers(self, entry)
  return true
end

--- The frame was not sent: expect nothing.
function methods:forget(entry)
  self.open[entry.id] = nil
  tell_followers(self, entry)
end

local function give_up(self, entry, _, message, err)
  self.open[entry.id] = nil
  tell_followers(self, entry, message, err)
  return nil, message, err
end

--- Wait for the RECEIPT, until `deadline`, which is `seconds` after the start.
-- @treturn[1] true
-- @treturn[2] nil, message, err: timeout, limit, or how the connection ended;
-- err.outcome is "unknown"
function methods:await(entry, deadline, seconds)
  local pump = self.pump
  if not pump:wait(entry, deadline) then
    if pump.ended then
      return give_up(self, entry, failures.over(pump.ended, entry.what, UNKNOWN))
    end
    return give_up(self, entry, failures.late(entry.what, seconds, UNKNOWN))
  end
  if entry.err then
    entry.err.outcome = "unknown"
    return give_up(self, entry, nil, entry.message, entry.err)
  end
  return true
end

--- Wait until all that is expected now has come.
-- @treturn[1] true
-- @treturn[2] nil, message, err: of the first that failed; timeout
function methods:flush(deadline, seconds)
  local pump, left = self.pump, 0
  local waiter = pump:waiter("RECEIPTs still missing", true)
  for _, entry in pairs(self.open) do
    entry.followers = entry.followers or {}
    entry.followers[#entry.followers + 1] = waiter
    left = left + 1
  end
  if left == 0 then return true end
  waiter.left = left
  if not pump:wait(waiter, deadline) then
    if pump.ended then return failures.over(pump.ended, waiter.what) end
    return failures.late(left .. " RECEIPTs not all here", seconds)
  end
  if waiter.err then return nil, waiter.message, waiter.err end
  return true
end

function methods:outstanding()
  local n = 0
  for _ in pairs(self.open) do n = n + 1 end
  return n
end

return { new = new }
