-- SPDX-License-Identifier: MIT

--- Transactions: frames that the broker acts on together at COMMIT, or not at all
-- (STOMP 1.2, "BEGIN"). One belongs to the connection on which it began and ends
-- with it: the broker aborts it there, so it is never taken up on another. One that
-- is left to the collector is aborted by a later begin.
--
-- RabbitMQ answers a SEND in a transaction after the COMMIT, and only that
-- RECEIPT says that the message is safe; so a confirmed send in a transaction
-- returns at once, and `commit` waits for them all, with one wake-up.
-- (Knows check, errors, failures, guard, sending, show; its client by `self.client`.)
-- @classmod transaction
-- @alias methods

--- What a program may read.
-- @table fields
-- @tfield string id
-- @tfield string state `"open"`, `"committed"`, `"aborted"`, `"lost"` (its
-- connection ended)

local check = require "stomp.check"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local guard = require "stomp.guard"
local sending = require "stomp.sending"
local show = require "stomp.show"

local methods = {}
local mt = { __name = "stomp.transaction", __index = methods }

local commit_options = { confirm = "boolean", timeout = "number" }
local abort_options = { timeout = "number" }

-- ---- Those of one client ----

local open_methods = {}
local open_mt = { __index = open_methods }

--- The open transactions of a client.
-- @local
local function new(client)
  return setmetatable({
    client = client,
    open = setmetatable({}, { __mode = "v" }), -- by id; the program's to keep
    begun = {},     -- the fates of these, and of those that nobody kept, by id
    n_begun = 0,
    sweep_at = 64,  -- so many fates make us look for those
    beginning = {}, -- ids whose BEGIN has not gone out yet
    ending = {},    -- those whose COMMIT was sent and is not answered
    n = 0,
  }, open_mt)
end

-- The first "tx-n" that is free.
local function next_id(self)
  local id
  repeat
    self.n = self.n + 1
    id = "tx-" .. self.n
  until not (self.begun[id] or self.beginning[id])
  return id
end

-- The state of a transaction, for all to see. What must outlive the object, where
-- the program leaves it to the collector, is its fate: { is_open; entries: RECEIPTs
-- of its confirmed sends; undoing: functions that ABORT calls; holding: functions
-- to be called when COMMIT was answered; settling: what COMMIT acknowledges }.
local function become(self, state)
  self.state = state
  self.fate.is_open = state == "open"
end

-- What was sent in it has no effect: of its ABORT, or with `message, err`.
local function undo(client, fate, message, err)
  fate.is_open = false
  for _, entry in ipairs(fate.entries) do
    client.receipts:forget(entry, message, err)
  end
  if not err then
    for _, f in ipairs(fate.undoing) do f() end
  end
  fate.entries, fate.undoing, fate.holding, fate.settling = {}, {}, {}, {}
end

local function leave(self, id)
  self.open[id], self.begun[id] = nil, nil
  self.n_begun = self.n_begun - 1
end

-- ABORT what the collector took; what finds no room is left for the next time.
local function sweep(self)
  local client, pump = self.client, self.client.pump
  local left = {}
  for id in pairs(self.begun) do
    if not self.open[id] then left[#left + 1] = id end
  end
  for _, id in ipairs(left) do
    local headers = { transaction = id }
    if pump.down or not pump.link:send("ABORT", headers) then break end
    if client.watched then client:sent("ABORT", headers) end
    local fate = self.begun[id]
    leave(self, id)
    undo(client, fate)
  end
  self.sweep_at = math.max(2 * self.n_begun, 64)
end

local function refuse(self)
  if self.state == "lost" then
    return errors.failure("closed",
      ("the connection of transaction %s is closed"):format(self.id))
  end
  return errors.failure("invalid",
    ("transaction %s is finished (%s)"):format(self.id, self.state))
end

--- The transaction that an option or argument means: the object, or the id of an
-- open one. Anything else than these raises at `level`.
-- @treturn[1] transaction that is open
-- @treturn[2] nil, message, err: invalid (finished, no such id), closed (its
-- connection is)
-- @local
function open_methods:find(given, level)
  if type(given) == "string" then
    local found = self.open[given]
    if found and found.state == "open" then return found end
    return errors.failure("invalid", ("no open transaction %s"):format(given))
  elseif getmetatable(given) ~= mt then
    error(("transaction: a transaction or its id expected, got %s")
      :format(type(given)), level + 1)
  elseif given.client ~= self.client then
    return errors.failure("invalid",
      ("transaction %s is another client's"):format(given.id))
  elseif given.state ~= "open" then
    return refuse(given)
  end
  return given
end

local function not_begun(self, id) self.beginning[id] = nil end

--- client:begin; misuse raises at `level`.
-- @local
function open_methods:begin(id, level)
  if id ~= nil then check.argument("id", id, "string", level + 1) end
  if id == "" then return errors.failure("invalid", "the transaction id is empty") end
  id = id or next_id(self)
  if self.n_begun >= self.sweep_at or (self.begun[id] and not self.open[id]) then
    sweep(self)
  end
  if self.begun[id] or self.beginning[id] then
    return errors.failure("invalid", ("already in use: transaction %s"):format(id))
  end
  self.beginning[id] = true -- it may wait, for room or for a connection
  local client = self.client
  local ok, message, err = guard.run(not_begun, self, id, sending.transmit, client,
    client.settings.confirm_timeout, "BEGIN", id, { transaction = id })
  not_begun(self, id)
  if not ok then return nil, message, err end
  local transaction = setmetatable({
    id = id,
    client = client,
    state = "open",  -- "committed", "aborted", "lost"
    fate = { is_open = true, entries = {}, undoing = {}, holding = {}, settling = {} },
  }, mt)
  self.open[id], self.begun[id] = transaction, transaction.fate
  self.n_begun = self.n_begun + 1
  return transaction
end

--- The connection has ended, and all that was open on it. `message, err`: why;
-- nil: we closed it.
-- @local
function open_methods:lost(message, err)
  if not err or not self.client.pump.ended then
    message, err = failures.lost(message, err)
  end
  local begun, ending = self.begun, self.ending
  for _, transaction in pairs(self.open) do
    if transaction.state == "open" then transaction.state = "lost" end
  end
  self.open = setmetatable({}, getmetatable(self.open))
  self.begun, self.n_begun, self.ending = {}, 0, {}
  for _, fate in pairs(begun) do undo(self.client, fate, message, err) end
  for transaction in pairs(ending) do
    undo(self.client, transaction.fate, message, err)
  end
end

-- ---- One ----

--- A confirmed send in it was queued: COMMIT waits for its RECEIPT.
-- @local
function methods:expect(entry)
  local fate = self.fate
  entry.within = fate
  fate.entries[#fate.entries + 1] = entry
end

--- Call `f` when it is aborted.
-- @local
function methods:on_abort(f)
  local undoing = self.fate.undoing
  undoing[#undoing + 1] = f
end

--- A message was acknowledged in it, which counts at COMMIT. `noted`: where it is
-- noted as not acknowledged, see unacked.
-- @local
function methods:settles(noted, sequence)
  local settling = self.fate.settling
  settling[#settling + 1] = { noted = noted, sequence = sequence }
end

--- Hold an acknowledgement back, where the broker does not: `send(timeout)` is
-- called when COMMIT was answered, `release()` when it was not, or after ABORT.
-- @local
function methods:hold(release, send)
  local holding = self.fate.holding
  self:on_abort(release)
  holding[#holding + 1] = { release = release, send = send }
end

--- Send a message within it. With `confirm` it returns at once, and `commit`
-- waits for the RECEIPT.
-- @tparam string destination
-- @tparam string|table body as of client:send
-- @tparam[opt] table headers
-- @tparam[opt] table options as of client:send, without transaction
-- @treturn[1] true
-- @treturn[2] nil, message, err: as client:send; invalid (finished), closed (the
-- connection on which it began)
function methods:send(destination, body, headers, options)
  local ok, message, err =
    sending.send(self.client, destination, body, headers, options, 2, nil, self)
  return ok, message, err -- no tail call: levels count
end

local function settle(self, message, how)
  if type(message) ~= "userdata" then
    error(("%s: a message expected, got %s"):format(how, type(message)), 3)
  end
  local ok, text, err = message[how](message, self)
  return ok, text, err
end

--- Acknowledge a message within it: it counts at COMMIT, and after ABORT the
-- message can be acknowledged again.
-- @tparam message message
-- @treturn[1] true
-- @treturn[2] nil, message, err: as message:ack
function methods:ack(message)
  local ok, text, err = settle(self, message, "ack")
  return ok, text, err
end

--- The opposite of ack.
-- @tparam message message
-- @treturn[1] true
-- @treturn[2] nil, message, err: as message:nack
function methods:nack(message)
  local ok, text, err = settle(self, message, "nack")
  return ok, text, err
end

-- It is not finished after all. `entry`: the RECEIPT of COMMIT, which was not sent.
local function reopen(self, entry)
  if entry then self.client.receipts:forget(entry) end
  become(self, self.client.transactions.open[self.id] == self and "open" or "lost")
end

-- COMMIT or ABORT goes out; while it waits for room nobody else may end it.
local function finish(self, command, state, timeout, headers, entry)
  if self.state ~= "open" then return refuse(self) end
  local client = self.client
  become(self, state)
  headers.transaction = self.id
  local ok, message, err = guard.run(reopen, self, entry, sending.transmit, client, timeout,
    command, self.id, headers)
  if client.transactions.open[self.id] ~= self then -- lost while it waited
    reopen(self)
    return refuse(self)
  elseif not ok then
    reopen(self)
    return nil, message, err
  end
  leave(client.transactions, self.id)
  return true
end

-- What was held back goes out, or not, by what came of COMMIT.
local function let_go(self, committed, deadline)
  local now = self.client.pump.loop.now
  local ok, message, err = true, nil, nil
  for _, held in ipairs(self.fate.holding) do
    if not committed then
      held.release()
    elseif ok then
      ok, message, err = held.send(math.max(deadline - now(), 0))
    end
  end
  self.fate.holding = {}
  if ok then return true end
  return nil, message, err
end

-- What became of it nobody waits for any more.
local function stop_waiting(self)
  self.client.transactions.ending[self] = nil
  for _, entry in ipairs(self.fate.entries) do self.client.receipts:forget(entry) end
  self.fate.entries = {}
end

local function stop_for_good(self)
  stop_waiting(self)
  let_go(self, false)
end

-- COMMIT is out: what was acknowledged in it is.
local function settle_all(self)
  for _, one in ipairs(self.fate.settling) do one.noted:settled(one.sequence) end
  self.fate.settling = {}
  self.client:fewer_in_hand()
end

-- Wait for the RECEIPTs of COMMIT and of the confirmed sends.
local function await_commit(self, deadline, timeout)
  local receipts, ending = self.client.receipts, self.client.transactions.ending
  local entries = self.fate.entries
  ending[self] = true
  local ok, message, err = guard.run(stop_for_good, self, nil, receipts.await_all, receipts,
    entries, "RECEIPTs of COMMIT " .. self.id .. " and what was sent in it", deadline, timeout)
  stop_waiting(self)
  if not ok then
    let_go(self, false)
    return nil, message, err
  end
  return let_go(self, true, deadline)
end

--- Make what was sent and acknowledged in it count (STOMP 1.2, "COMMIT").
-- @tparam[opt] table options confirm: wait for the RECEIPTs of COMMIT and of the
-- confirmed sends in it [true where there are any, or where acknowledgements have to
-- wait for it: on Artemis]; timeout (seconds)
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid (finished), closed (the connection on
-- which it began), timeout, broker; err.outcome is "unknown" where COMMIT was
-- sent and nobody knows more
function methods:commit(options)
  options = check.options(options, commit_options, 2)
  local client = self.client
  local timeout = options.timeout or client.settings.confirm_timeout
  local deadline = client.pump.loop.now() + timeout
  local headers, confirm, entry = {}, options.confirm, nil
  if confirm == nil then confirm = #self.fate.entries > 0 end
  confirm = confirm or #self.fate.holding > 0
  if confirm then
    entry = client.receipts:expect("COMMIT", self.id)
    headers.receipt = entry.id
  end
  local ok, message, err = finish(self, "COMMIT", "committed", timeout, headers, entry)
  if not ok then
    if entry then client.receipts:forget(entry) end
    return nil, message, err
  end
  settle_all(self)
  if not confirm then return true end
  self:expect(entry)
  return await_commit(self, deadline, timeout)
end

--- Undo what was sent and acknowledged in it (STOMP 1.2, "ABORT").
-- @tparam[opt] table options timeout (seconds)
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid (finished), closed (the connection on
-- which it began: undone as well), timeout (no room in the outbox)
function methods:abort(options)
  options = check.options(options, abort_options, 2)
  local client = self.client
  local ok, message, err = finish(self, "ABORT", "aborted",
    options.timeout or client.settings.confirm_timeout, {})
  if not ok then return nil, message, err end
  undo(client, self.fate)
  return true
end

function mt:__tostring()
  return show.line(("stomp.transaction %s (%s)"):format(self.id, self.state))
end

-- Leaving its scope aborts what is still open.
function mt:__close()
  if self.state ~= "open" then return end
  local ok, message, err = self:abort()
  if not ok and err.kind ~= "closed" then
    self.client.events:fire("error", message, err)
  end
end

return { new = new }
