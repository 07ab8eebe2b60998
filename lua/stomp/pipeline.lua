-- SPDX-License-Identifier: MIT
-- Confirmed sends that nobody waits for one by one (`confirm = "later"`): a program
-- without tasks sends as many as it likes, and `flush` waits for all of them, with
-- one wake-up. What fails meanwhile is told to on_error and by the next flush.
-- At most MOST are in flight; at that, a send waits for the older half of them.
-- Knows errors and queue; its client's receipts and events through `self.client`.
local errors = require "stomp.errors"
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

local MOST = 4096

--- The pipeline of a client.
local function new(client)
  return setmetatable({
    client = client,
    entries = queue.new(), -- in the order in which they were sent
    failure = nil,         -- { message, err }: the first since the last flush
  }, mt)
end

-- Those at the front that are answered go.
local function trim(self)
  local entries, receipts = self.entries, self.client.receipts
  local first = entries[entries.first]
  while first and not receipts:is_open(first) do
    queue.pop(entries)
    first = entries[entries.first]
  end
end

--- Wait until one more may be sent.
-- @treturn[1] true
-- @treturn[2] nil, message, err: timeout, or how the connection ended
function methods:make_room(deadline, timeout)
  local entries = self.entries
  if queue.size(entries) < MOST then return true end
  trim(self)
  if queue.size(entries) < MOST then return true end
  local older = {}
  for i = entries.first, entries.first + MOST / 2 - 1 do
    older[#older + 1] = entries[i]
  end
  local ok, message, err = self.client.receipts:await_all(older,
    ("the older %d RECEIPTs"):format(#older), deadline, timeout)
  trim(self)
  if ok or queue.size(entries) < MOST then return true end
  err.outcome = nil -- of the older ones; this one was not sent
  return nil, message, err
end

--- This one was sent.
function methods:expect(entry)
  queue.push(self.entries, entry)
end

--- The RECEIPT of one of them will not come.
function methods:failed(message, err)
  self.failure = self.failure or { message = message, err = err }
  self.client.events:fire("error", message, err)
end

--- What flush returns, after its wait returned these.
function methods:verdict(ok, message, err)
  local failure = self.failure
  self.failure = nil
  trim(self)
  if failure then return nil, failure.message, failure.err end
  return ok, message, err
end

--- The client leaves: true, or how the first of them failed; or that some got no
-- RECEIPT, though it was waited for.
-- @treturn[1] true
-- @treturn[2] nil, message, err: err.outcome is "unknown"
function methods:last_verdict()
  local ok, message, err = self:verdict(true)
  if not ok then return nil, message, err end
  local entries, receipts, left = self.entries, self.client.receipts, 0
  for i = entries.first, entries.last do
    if receipts:is_open(entries[i]) then left = left + 1 end
  end
  if left == 0 then return true end
  return errors.failure("closed",
    ("%d sends with confirm = \"later\" got no RECEIPT"):format(left),
    { outcome = "unknown" })
end

return { new = new }
