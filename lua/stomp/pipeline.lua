-- SPDX-License-Identifier: MIT
-- Confirmed sends that nobody waits for one by one (`confirm = "later"`): a program
-- without tasks sends as many as it likes, and `flush` waits for all of them, with
-- one wake-up. What fails meanwhile is told to on_error and by the next flush.
-- At most MOST are in flight, and, where they are kept to be sent again, bodies of
-- limits.outbox bytes; at that, a send waits for the older half of them, and who
-- comes meanwhile stands behind.
-- Knows errors, failures, guard and queue; its client's receipts and events through
-- `self.client`.
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local guard = require "stomp.guard"
local queue = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

local MOST = 4096

--- The pipeline of a client.
local function new(client)
  return setmetatable({
    client = client,
    entries = queue.new(), -- in the order in which they were sent
    bytes = 0,             -- of the bodies that are kept with them
    limit = client.settings.outbox,
    line = queue.new(),    -- waiters of those who wait for room; the first waits for
                           -- RECEIPTs, the others for their turn
    failures = queue.new(), -- { serial, message, err } that no flush has told
  }, mt)
end

-- Those at the front that are answered go.
local function trim(self)
  local entries, receipts = self.entries, self.client.receipts
  local first = entries[entries.first]
  while first and not receipts:is_open(first) do
    queue.pop(entries)
    self.bytes = self.bytes - (first.size or 0)
    first = entries[entries.first]
  end
end

local function has_room(self, size)
  local n = queue.size(self.entries)
  return n == 0 or (n < MOST and self.bytes + size <= self.limit)
end

local function older_half(self)
  local entries, older = self.entries, {}
  for i = entries.first, entries.first + math.ceil(queue.size(entries) / 2) - 1 do
    older[#older + 1] = entries[i]
  end
  return older
end

-- As the first of the line: wait for RECEIPTs until there is room.
local function await_room(self, size, deadline, timeout)
  while not has_room(self, size) do
    local older = older_half(self)
    local ok, message, err = self.client.receipts:await_all(older,
      ("the older %d RECEIPTs"):format(#older), deadline, timeout)
    trim(self)
    if not ok and not has_room(self, size) then
      err.outcome = nil -- of the older ones; this one was not sent
      return nil, message, err
    end
  end
  return true
end

-- Who stood in line goes; the next is the first.
local function leave(self, waiter)
  local line = self.line
  if line[line.first] ~= waiter then
    queue.remove(line, waiter)
    return
  end
  queue.pop(line)
  local next_one = line[line.first]
  if next_one then self.client.pump:deliver(next_one, true) end
end

local function await_turn(self, waiter, deadline, timeout)
  local pump = self.client.pump
  if self.line[self.line.first] == waiter or pump:wait(waiter, deadline) then
    return true
  end
  if pump.ended then return failures.over(pump.ended, waiter.what) end
  return failures.late(waiter.what, timeout)
end

local function await_room_in_turn(self, waiter, size, deadline, timeout)
  local ok, message, err = await_turn(self, waiter, deadline, timeout)
  if not ok then return nil, message, err end
  return await_room(self, size, deadline, timeout)
end

--- Wait for at most `timeout` seconds until one more may be sent, of which `size`
-- bytes are kept.
-- @treturn[1] number the seconds that are left
-- @treturn[2] nil, message, err: timeout, or how the connection ended
function methods:make_room(size, timeout)
  if queue.size(self.line) == 0 then
    if has_room(self, size) then return timeout end
    trim(self)
    if has_room(self, size) then return timeout end
  end
  local now = self.client.pump.loop.now
  local deadline = now() + timeout
  local waiter = self.client.pump:waiter("too many sends in flight", true)
  queue.push(self.line, waiter)
  local ok, message, err = guard.run(leave, self, waiter, await_room_in_turn, self, waiter,
    size, deadline, timeout)
  leave(self, waiter)
  if not ok then return nil, message, err end
  return math.max(deadline - now(), 0)
end

--- This one is being sent. entry.size: the bytes that are kept with it, or nil.
function methods:expect(entry)
  queue.push(self.entries, entry)
  self.bytes = self.bytes + (entry.size or 0)
end

--- The RECEIPT of one of them will not come.
function methods:failed(entry, message, err)
  if queue.size(self.failures) < MOST then
    queue.push(self.failures,
      { serial = entry.serial, message = message, err = err })
  end
  self.client.events:fire("error", message, err)
end

-- The first failure of those that were sent up to `serial`; they are told then.
-- What another task sent later is for a flush that begins later.
local function take_failure(self, serial)
  local found
  for _ = 1, queue.size(self.failures) do
    local failure = queue.pop(self.failures)
    if failure.serial > serial then
      queue.push(self.failures, failure)
    else
      found = found or failure
    end
  end
  return found
end

--- What flush returns, after its wait returned these. `serial`: receipts.serial
-- when it began.
function methods:verdict(serial, ok, message, err)
  local failure = take_failure(self, serial)
  trim(self)
  if failure then return nil, failure.message, failure.err end
  return ok, message, err
end

--- The client leaves: true, or how the first of them failed; or that some got no
-- RECEIPT, though it was waited for.
-- @treturn[1] true
-- @treturn[2] nil, message, err: err.outcome is "unknown"
function methods:last_verdict()
  local ok, message, err = self:verdict(math.huge, true)
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
