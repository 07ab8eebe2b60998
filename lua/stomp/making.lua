-- SPDX-License-Identifier: MIT
-- How the maker of a connection, who resumes what the last one had, sends on it and
-- waits: before all others, who line up until the pump rises. `self`: the reconnector.
-- Knows pump and receipts through the client.

local SOON = 1 -- seconds after which an end is not blamed on what was sent

-- Queue a frame before all others, for as long as the link lives. `entry`: the RECEIPT
-- without which it need not go out any more, asked whenever it had to wait; or nil.
-- @treturn[1] true; "unwanted" where it was not sent
-- @treturn[2] nil, message, err of the link, which lives
-- @treturn[3] false it has ended
local function push_first(self, command, headers, body, options, entry)
  local pump, receipts = self.pump, self.client.receipts
  local reads_on = true -- beyond limits.inbox, to limits.inbox_hard
  while not pump.ended and not pump.link_ended do
    local link = pump.link
    local ok, message, err = link:send(command, headers, body, options)
    if ok then return true end
    if ok == nil then
      pump:notice_end()
      if pump.ended or pump.link_ended then return false end
      return nil, message, err
    end
    local waiter = pump:waiter("room", reads_on)
    waiter.making, pump.making_room = true, waiter
    pump:wait(waiter)
    if waiter.err then reads_on = false end -- there, too: wait till somebody reads
    if entry and not receipts:is_open(entry) then return true, "unwanted" end
  end
  return false
end

--- The same, and whoever watches is told.
local function push(self, headers, command, body, options, entry)
  local ok, message, err = push_first(self, command, headers, body, options, entry)
  if ok and not message and self.client.watched then self.client:sent(command, headers, body) end
  return ok, message, err
end

local function make(waiter) waiter.making = true end

--- Wait until this RECEIPT is here or given up, for at most so many seconds.
-- @treturn boolean whether the link lives
-- @treturn boolean whether the RECEIPT may lie behind what nobody reads
local function await(self, entry, seconds)
  local pump = self.pump
  local stalled = self.client.receipts:watch(entry, seconds, make)
  return not pump.link_ended and not pump.ended, stalled
end

return { SOON = SOON, push = push, await = await }
