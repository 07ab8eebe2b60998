-- SPDX-License-Identifier: MIT
-- Whether the RECEIPTs of a new connection can be believed. While a queue has no
-- leader, because its node is lost, RabbitMQ refuses what is published to it through
-- a new connection, and sends the RECEIPT all the same as soon as it has taken
-- whatever comes later (docs/brokers.md). So the first confirmed SEND to each
-- destination goes alone, again and again, until its RECEIPT comes: nothing later can
-- have brought that but a copy of it. The others follow then.
--
-- `self`: the reconnector, whose `proven` has the destinations that are known.
-- Knows dialect, headers and making; receipts through the client.
local dialect = require "stomp.dialect"
local headers_of = require "stomp.headers"
local making = require "stomp.making"

-- Seconds until the next copy: at first, and at most. (A publisher that is blocked by
-- an alarm of its broker gets no RECEIPT for as long as that lasts.)
local FIRST, MOST = 1, 30

-- The destination whose proof this SEND is to bring; nil: there is no need.
local function unproven(self, frame)
  if frame.command ~= "SEND" or not dialect.of(self.client.server).answers_refused then
    return nil
  end
  local destination = headers_of.get(frame.headers, "destination")
  return not self.proven[destination] and destination or nil
end

-- With a RECEIPT of its own, for an id is in use until it is answered.
local function copy_of(self, frame, entry, n)
  local copy = self.client.receipts:expect(frame.command,
    headers_of.get(frame.headers, "destination"), ("%s-%d"):format(entry.id, n))
  copy.original = entry
  return copy, headers_of.with(frame.headers, "receipt", copy.id)
end

-- @treturn[1] true
-- @treturn[2] nil, message, err it cannot be sent
-- @treturn[3] false the link has ended
local function send_again(self, frame, entry, copies)
  local copy, headers = copy_of(self, frame, entry, #copies + 2)
  copies[#copies + 1] = copy
  local ok, message, err =
    making.push(self, headers, frame.command, frame.body, frame.options, entry)
  if ok and message ~= "unwanted" then
    self.client.receipts:sent(copy)
    self.client.receipts:sent(entry)
  end
  return ok, message, err
end

-- Until it is answered or given up, or the link ends.
local function repeat_until_answered(self, frame, entry, copies)
  local receipts, seconds = self.client.receipts, FIRST
  while making.await(self, entry, seconds) do
    if not receipts:is_open(entry) then return true end
    seconds = math.min(2 * seconds, MOST)
    if entry.again then -- else it is to go out once
      local ok, message, err = send_again(self, frame, entry, copies)
      if ok == false then return false end
      if ok == nil then receipts:refuse(entry, message, err) end
    end
  end
  return false
end

--- A confirmed frame (command, headers, body, options) just went out on the new
-- connection: wait, where it has to prove its destination.
-- @treturn boolean whether the link lives
local function await(self, frame, entry)
  local destination = unproven(self, frame)
  if not destination then return not self.pump.link_ended end
  local receipts, copies = self.client.receipts, {}
  self.proving = true
  local alive = repeat_until_answered(self, frame, entry, copies)
  self.proving = false
  for _, copy in ipairs(copies) do receipts:forget(copy) end
  if entry.value then self.proven[destination] = true end
  return alive
end

return { await = await }
