-- SPDX-License-Identifier: MIT
-- RECEIPTs that somebody waits for. A RECEIPT answers its own id only: earlier
-- frames need not be processed yet (STOMP 1.2, "RECEIPT"; RabbitMQ answers out
-- of order), so each frame is awaited by itself. Ids are of [A-Za-z0-9-] only:
-- no broker's escaping can change one.
--
-- An entry that has `again` (command, headers, body, options) outlives its
-- connection: it is sent again on the next one.
-- Knows pump, failures and register.
local failures = require "stomp.failures"
local register = require "stomp.register"

local methods = {}
local mt = { __index = methods }

local UNKNOWN = { outcome = "unknown" }
local NONE = {}

local function new(pump)
  return setmetatable({
    pump = pump, open = register.new(), serial = 0,
    backlog = nil, -- the client's
    command = nil, what = nil, text = nil, -- of the last that was expected
  }, mt)
end

-- What is missing while it has not come. Many in turn go to one destination.
local function text_for(self, command, what)
  if what ~= self.what or command ~= self.command then
    self.command, self.what = command, what
    self.text = "no RECEIPT for " .. command .. (what and " " .. what or "")
  end
  return self.text
end

--- Expect a RECEIPT for a frame, of which `what` may tell more ("SEND",
-- "/queue/a"). Its id is entry.id.
function methods:expect(command, what, id)
  if not id then
    self.serial = self.serial + 1
    id = "r-" .. self.serial
  end
  local entry = self.pump:waiter(text_for(self, command, what), true)
  entry.id = id
  entry.serial = self.serial
  -- and, where it is so (few are, and a table that grows costs):
  --   again       what is sent again after a reconnect
  --   kept        another one sends it again
  --   keeper      is told when it fails: nobody waits for it alone
  --   within      the fate of the transaction after whose COMMIT it comes
  --   connection  on which it was sent last, sent_at: when
  --   suspect     it may have ended a connection
  --   answered    called when its RECEIPT comes
  --   copies      of it that went out, see proof: they end with it
  --   original    of which it is a copy: a RECEIPT for this one answers that
  register.put(self.open, id, entry)
  return entry
end

-- Whether it was expected until now.
local function drop(self, entry)
  if self.open.of[entry.id] ~= entry then return false end
  register.take(self.open, entry.id)
  if entry.copies then -- few have some
    for _, copy in ipairs(entry.copies) do drop(self, copy) end
  end
  entry.again = nil -- who keeps the entry need not keep the body
  return true
end

local function tell(self, follower, message, err)
  follower.left = follower.left - 1
  if err and not follower.err then
    follower.message, follower.err = message, err
  end
  if follower.left == 0 then self.pump:deliver(follower) end
end

-- Tell those who flush, and whoever keeps it, that this one is answered, or that it
-- never will be.
local function tell_followers(self, entry, message, err)
  if err and entry.keeper then entry.keeper:failed(entry, message, err) end
  if entry.follower then tell(self, entry.follower, message, err) end
  for _, follower in ipairs(entry.followers or NONE) do
    tell(self, follower, message, err)
  end
end

--- Expect a RECEIPT for a copy of this one's frame, which answers it as well.
function methods:copy(entry)
  entry.copies = entry.copies or {}
  local copy = self.pump:waiter(entry.what, true)
  copy.id, copy.serial = ("%s-%d"):format(entry.id, #entry.copies + 2), entry.serial
  copy.original = entry
  entry.copies[#entry.copies + 1] = copy
  register.put(self.open, copy.id, copy)
  return copy
end

--- What awaits the RECEIPT with this id, or nil.
function methods:awaited(id)
  return id and self.open.of[id] or nil
end

--- A RECEIPT with this id came; false when nobody waits for it.
function methods:settle(id, frame)
  local entry = self:awaited(id)
  if not entry then return false end
  drop(self, entry)
  self.pump:deliver(entry, frame)
  tell_followers(self, entry)
  if entry.answered then entry.answered() end
  if entry.original then self:settle(entry.original.id, frame) end
  return true
end

--- Expect it no longer: the frame was not sent, or it does not matter any more;
-- with `message, err`: the RECEIPT will not come. Those who flush are told.
function methods:forget(entry, message, err)
  if drop(self, entry) then tell_followers(self, entry, message, err) end
end

--- Nobody waits for it any more: where it waits for a connection it need not go out.
function methods:withdraw(entry)
  if entry.item then self.backlog:remove(entry.item) end
end

--- The coroutine that sends or sent this frame will not come for its RECEIPT, see pump.
function methods:abandon(entry)
  self:forget(entry)
  self:withdraw(entry)
end

local function give_up(self, entry, _, message, err)
  self:forget(entry, message, err)
  return nil, message, err
end

-- What is to be said of a frame that was not answered: one that never went out was
-- certainly not taken.
local function outcome_of(entry)
  return entry.connection and UNKNOWN or nil
end

-- What was missing all the time: a frame that waits for a connection is not sent yet.
local function missing(entry)
  if entry.connection or not entry.item then return entry.what end
  return entry.item.what .. " was not sent: no connection"
end

--- Wait for the RECEIPT, until `deadline`, which is `seconds` after the start.
-- @treturn[1] true
-- @treturn[2] nil, message, err: timeout, limit, or how the connection ended;
-- err.outcome is "unknown" where the frame went out
function methods:await(entry, deadline, seconds)
  local pump = self.pump
  entry.holder = self
  if not pump:wait(entry, deadline) then
    if pump.ended then
      return give_up(self, entry,
        failures.over(pump.ended, entry.what, outcome_of(entry)))
    end
    return give_up(self, entry,
      failures.late(missing(entry), seconds, outcome_of(entry)))
  end
  if entry.err then
    if entry.connection then entry.err.outcome = "unknown" end
    return give_up(self, entry, nil, entry.message, entry.err)
  end
  return true
end

--- Waiter `follower` is delivered when `entry` and what else it follows are
-- answered or given up. `follower.left`: how many that are.
function methods:follow(entry, follower)
  follower.left = follower.left or 0
  if self.open.of[entry.id] ~= entry then return end
  follower.left = follower.left + 1
  if not entry.follower then -- nearly always there is one at most
    entry.follower = follower
    return
  end
  entry.followers = entry.followers or {}
  table.insert(entry.followers, follower)
end

local function unfollow(entry, follower)
  if entry.follower == follower then entry.follower = nil end
  local followers = entry.followers or NONE
  for i = #followers, 1, -1 do
    if followers[i] == follower then table.remove(followers, i) end
  end
end

local function by_serial(a, b) return a.serial < b.serial end

-- Which of these are not answered, the first two or three of them: "SEND /queue/a, …".
local function names_of(self, entries)
  local left, names, seen = {}, {}, {}
  for _, entry in ipairs(entries) do
    if self:is_open(entry) then left[#left + 1] = entry end
  end
  table.sort(left, by_serial)
  for _, entry in ipairs(left) do
    local name = entry.what:gsub("^no RECEIPT for ", "")
    if not seen[name] then names[#names + 1], seen[name] = name, true end
  end
  if #names > 3 then names[3] = "…" end
  return table.concat(names, ", ", 1, math.min(#names, 3))
end

--- Wait until each of these entries is answered: one wake-up for all of them.
-- @treturn[1] true
-- @treturn[2] nil, message, err: of the first that failed; timeout; err.outcome
-- is "unknown"
function methods:await_all(entries, what, deadline, seconds)
  local pump = self.pump
  local waiter = pump:waiter(what, true)
  waiter.left = 0
  for _, entry in ipairs(entries) do self:follow(entry, waiter) end
  if waiter.left == 0 then return true end
  if not pump:wait(waiter, deadline) then
    for _, entry in ipairs(entries) do unfollow(entry, waiter) end
    if pump.ended then return failures.over(pump.ended, what, UNKNOWN) end
    return failures.late(("%d of %s not here (%s)"):format(waiter.left, what,
      names_of(self, entries)), seconds, UNKNOWN)
  end
  if waiter.err then return failures.over(waiter, what, UNKNOWN) end
  return true
end

--- Wait until this one is answered or given up, for at most so many seconds: as one
-- who did not send it. `note(waiter)` is called with what it waits by.
-- @treturn boolean whether the RECEIPT may lie behind what nobody reads
function methods:watch(entry, seconds, note)
  local pump = self.pump
  local deadline = pump.loop.now() + seconds
  local stalled = false
  -- reading goes on beyond limits.inbox for it; from inbox_hard on others must read
  for _, reads_on in ipairs { true, false } do
    if not self:is_open(entry) then return false end
    local waiter = pump:waiter(entry.what, reads_on)
    note(waiter)
    self:follow(entry, waiter)
    pump:wait(waiter, deadline)
    unfollow(entry, waiter)
    stalled = reads_on and waiter.err ~= nil or stalled
    if not stalled then return false end
  end
  return stalled
end

-- Those that may come now: what was sent in a transaction is answered after its
-- COMMIT, which waits for it. Of copies the original is enough: they end with a
-- connection that it outlives.
local function due(self)
  local entries = {}
  for _, entry in ipairs(register.values(self.open)) do
    if not (entry.original or entry.within and entry.within.is_open) then
      entries[#entries + 1] = entry
    end
  end
  return entries
end

--- Wait until all that is expected now has come, but what waits for a COMMIT.
-- @treturn[1] true
-- @treturn[2] nil, message, err: of the first that failed; timeout
function methods:flush(deadline, seconds)
  local entries = due(self)
  return self:await_all(entries, #entries .. " RECEIPTs", deadline, seconds)
end

-- ---- One connection after another ----

--- Whether its RECEIPT is still awaited.
function methods:is_open(entry)
  return self.open.of[entry.id] == entry
end

--- The frame of this entry went out on the present connection.
function methods:sent(entry)
  entry.connection, entry.sent_at = self.pump.connection, self.pump.loop.now()
end

--- It will not be answered: its waiter gets this error.
function methods:refuse(entry, message, err)
  if not drop(self, entry) then return end
  local _, text, told = failures.over({ message = message, err = err },
    entry.what, outcome_of(entry))
  self.pump:fail(entry, text, told)
  tell_followers(self, entry, text, told)
end

--- A connection was lost: what is not sent again gets no RECEIPT any more.
function methods:lost(ended)
  local gone = {}
  for _, entry in ipairs(register.values(self.open)) do
    entry.copies = nil
    if entry.connection and not (entry.again or entry.kept) then gone[#gone + 1] = entry end
  end
  for _, entry in ipairs(gone) do self:refuse(entry, ended.message, ended.err) end
end

--- What was sent on the last connection after `since` may have ended it.
function methods:suspect(since)
  local connection = self.pump.connection
  for _, entry in ipairs(register.values(self.open)) do
    if entry.connection == connection then
      entry.suspect = entry.again ~= nil and entry.sent_at >= since
    end
  end
end

--- Those that were sent on an earlier connection and are to be sent again, in
-- the order in which they were made.
function methods:unanswered()
  local list = {}
  for _, entry in ipairs(register.values(self.open)) do
    if entry.again and entry.connection
      and entry.connection ~= self.pump.connection then
      list[#list + 1] = entry
    end
  end
  table.sort(list, by_serial)
  return list
end

--- How many flush would wait for.
function methods:due()
  return #due(self)
end

--- Which they are, as text.
function methods:missing()
  return names_of(self, due(self))
end

--- How many are expected. O(1).
function methods:outstanding()
  return self.open.n
end

return { new = new }
