-- SPDX-License-Identifier: MIT
-- How the maker of a connection, who resumes what the last one had, sends on it and
-- waits: before all others, who line up until the pump rises. `self`: the reconnector.
-- Knows receipts; pump through the client.
local receipts_module = require "stomp.receipts"

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

-- One wait for it; `reads_on` beyond limits.inbox, to limits.inbox_hard.
local function await_once(self, entry, deadline, reads_on)
  local waiter = self.pump:waiter("verdict", reads_on)
  waiter.making = true
  self.client.receipts:follow(entry, waiter)
  self.pump:wait(waiter, deadline)
  receipts_module.unfollow(entry, waiter)
end

--- Wait until this RECEIPT is here or given up, for at most so many seconds.
-- @treturn boolean whether the link lives
local function await(self, entry, seconds)
  local pump, receipts = self.pump, self.client.receipts
  local deadline = pump.loop.now() + seconds
  local function is_over()
    return pump.link_ended or pump.ended or not receipts:is_open(entry)
  end
  if not is_over() then await_once(self, entry, deadline, true) end
  -- it may have come to inbox_hard: from there on it is others who must read
  if not is_over() then await_once(self, entry, deadline, false) end
  return not pump.link_ended and not pump.ended
end

return { SOON = SOON, push = push, await = await }
