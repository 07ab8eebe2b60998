-- SPDX-License-Identifier: MIT
-- A client whose connection was lost gets another one. The order is fixed:
-- CONNECTED, SUBSCRIBEs, what was sent meanwhile, confirmed sends that never got
-- their RECEIPT. Until all of it is on its way the pump stays down: whatever the
-- program sends lines up behind it.
-- Knows backoff, backlog, chance, connector, errors, failures, gate, headers, resume,
-- room, show;
-- the client it serves.
local backlog_module = require "stomp.backlog"
local backoff_module = require "stomp.backoff"
local chance = require "stomp.chance"
local connector = require "stomp.connector"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local gates = require "stomp.gate"
local headers_of = require "stomp.headers"
local resume = require "stomp.resume"
local room = require "stomp.room"
local show = require "stomp.show"

local methods = {}
local mt = { __index = methods }

--- What reconnects `client`. `options`: reconnect of connect with its defaults,
-- or false; `urls`: the list, in the order in which it is tried.
local function new(client, options, urls)
  local loop = client.pump.loop
  return setmetatable({
    client = client,
    pump = client.pump,
    options = options,
    urls = urls,
    backoff = options
      and backoff_module.new(options, chance.fractions(loop.random), #urls),
    backlog = backlog_module.new(client.pump, client.settings.outbox),
    pause = loop.condition(), -- between attempts, and for before_connect
    next_url = 0,
    attempts = 0,      -- of this outage
    refusals = 0,      -- in a row, of a login
    since = nil,       -- when the outage began
    up_since = nil,    -- when the connection came up
    risers = {},       -- waiters for a connection
    proving = false,   -- it waits for what the broker thinks of one SEND, see proof
    is_known = false,  -- what ended the last connection was found out
    last = nil,        -- how the last connection or attempt failed
  }, mt)
end

-- ---- One attempt ----

-- What before_connect is given, and may change but for number and err.
local attempt_types = {
  url = "string", login = "string", passcode = "string", headers = "table",
  upgrade_headers = "table", number = "number", err = "table",
}

local function check_attempt(attempt)
  for name, wanted in pairs(attempt_types) do
    local given = type(attempt[name])
    if given ~= wanted and (given ~= "nil" or name == "url") then
      return errors.failure("invalid", ("before_connect: %s: %s expected, got %s")
        :format(name, wanted, given), { permanent = true })
    end
  end
  for _, name in ipairs { "headers", "upgrade_headers" } do
    local text = attempt[name] and headers_of.fault(attempt[name])
    if text then
      return errors.failure("invalid", ("before_connect: %s: %s"):format(name, text),
        { permanent = true })
    end
  end
  return true
end

-- Call before_connect, which may wait, so in a task of its own: an error in it is
-- a failure of the attempt, and of all; a reason that it returns (nil, "no token") of
-- this one. (Lua 5.1 cannot wait inside pcall.)
local function prepare(self, attempt)
  local pump, f = self.pump, self.client.settings.before_connect
  local problem, is_done = nil, false
  local function leave()
    is_done = true
    self.pause:signal()
  end
  pump.loop.spawn(function()
    local ok, reason = f(attempt)
    if not ok and reason ~= nil then
      problem = errors.new("handler", "before_connect: " .. show.value(reason), { value = reason })
    end
    leave()
  end, function(traceback, value)
    problem = failures.raised(value, traceback)
    problem.permanent = true
    leave()
  end)
  while not is_done and not pump.ended do self.pause:wait() end
  if problem then return nil, problem.message, problem end
  if pump.ended then return failures.over(pump.ended, "no CONNECTED") end
  return check_attempt(attempt)
end

--- Connect once, to the next URL.
-- @treturn[1] frame CONNECTED
-- @treturn[2] nil, message, err
function methods:attempt()
  local settings = self.client.settings
  self.next_url = self.next_url % #self.urls + 1
  self.attempts = self.attempts + 1
  local attempt = { -- with headers of its own: before_connect may change them
    url = self.urls[self.next_url], number = self.attempts,
    login = settings.login, passcode = settings.passcode,
    headers = headers_of.copy(settings.headers),
    upgrade_headers = headers_of.copy(settings.upgrade_headers),
    err = self.last and self.last.err,
  }
  if settings.before_connect then
    local ok, message, err = prepare(self, attempt)
    if not ok then return nil, message, err end
  end
  return connector.connect(self.client, attempt)
end

-- Whether no further attempt is to be made after this error.
local function is_enough(self, err)
  local options = self.options
  self.refusals = err and err.permanent and self.refusals + 1 or 0
  if self.refusals > 0 and (err.kind == "invalid" or err.kind == "handler"
    or self.refusals >= options.auth_attempts) then return true end
  if options.attempts and self.attempts >= options.attempts then return true end
  local now = self.pump.loop.now()
  return options.max_time ~= nil and now - self.since >= options.max_time
end

local function exhausted(self, message, err)
  local copy = {}
  for name, value in pairs(err or {}) do copy[name] = value end
  copy.attempts = self.attempts
  return nil, message, err and setmetatable(copy, getmetatable(err))
end

--- The first connection: each URL once, or, with `initial`, as after a loss.
-- @treturn[1] frame CONNECTED
-- @treturn[2] nil, message, err of the last attempt
function methods:connect_first()
  local pump = self.pump
  local again = self.options and self.options.initial
  self.since = pump.loop.now()
  while true do
    local frame, message, err = self:attempt()
    if frame then return frame end
    self.last = { message = message, err = err }
    if again then
      if is_enough(self, err) then return exhausted(self, message, err) end
      self.pause:wait(self.backoff:next())
    elseif err.permanent or self.attempts >= #self.urls then
      if #self.urls == 1 then return nil, message, err end
      return exhausted(self, message, err)
    end
  end
end

--- The client is connected.
function methods:up()
  self.up_since = self.pump.loop.now()
  self.attempts, self.refusals, self.last = 0, 0, nil
end

local function rise(self)
  local client, attempt = self.client, self.attempts
  self:up()
  client.state = "connected"
  client.n_reconnects = client.n_reconnects + 1
  self.pump:rise()
  self.backlog:rise()
  local risers = self.risers
  self.risers = {}
  for _, waiter in ipairs(risers) do self.pump:deliver(waiter, true) end
  client.events:fire("reconnect", client, client.url, attempt)
end

-- ---- The outage ----

-- One attempt, and what follows it; true when nothing more is to be done.
local function try(self)
  local pump = self.pump
  local frame, message, err = self:attempt()
  if frame and not pump.ended then
    self.refusals = 0
    if resume.run(self) then
      rise(self)
      return true
    end
    local ended = pump.link_ended or pump.ended
    resume.suspect(self, ended)
    if not pump.ended then self.client.receipts:lost(ended) end
    message, err = ended.message, ended.err
  end
  if pump.ended then return true end
  if frame then pump.link:close() end
  self.last = { message = message, err = err }
  return false
end

-- One step of an outage: an attempt, but for the first one. Seconds to wait before
-- the next; nil: it is over.
local function step(outage)
  local self = outage.weak.reconnector
  if not self or self.pump.ended then return nil end
  if outage.has_begun and try(self) then return nil end
  outage.has_begun = true
  if is_enough(self, self.last.err) then
    local _, message, err = exhausted(self, self.last.message, self.last.err)
    self.pump:finish(false, nil, message, err)
    return nil
  end
  self.pump:tie_to(outage)
  return self.backoff:next()
end

-- Until it is connected and has resumed, or it is over. Between two attempts the
-- task has no hand on the client (no local that holds it), unless somebody waits
-- there: one that nobody has any more is the collector's, not tried for ever.
local function recover(outage, pause)
  local seconds = step(outage)
  while seconds do
    pause:wait(seconds)
    seconds = step(outage)
  end
end

local weak = { __mode = "v" }

local function start_outage(self)
  local outage, pause = {
    weak = setmetatable({ reconnector = self }, weak),
    pump = nil, -- while somebody waits, see pump
    has_begun = false,
  }, self.pause
  self.pump.loop.spawn(function() recover(outage, pause) end,
    function(traceback, value)
      local reconnector = outage.weak.reconnector
      if not reconnector then return end
      local err = failures.raised(value, traceback)
      reconnector.pump:finish(false, nil, err.message, err)
    end)
end

--- The link has ended: whether there will be another one. Never waits.
function methods:lost(ended)
  local client, pump = self.client, self.pump
  local options = self.options
  if not options or client.leaving or ended.clean
    or (ended.err and ended.err.permanent) then return false end
  client.state = "reconnecting"
  self.since, self.last = pump.loop.now(), ended
  self.backoff:lasted(self.since - (self.up_since or self.since))
  resume.suspect(self, ended)
  client:link_lost(ended)
  gates.lost(pump)
  room.move(pump, self.backlog, client.version)
  client.events:fire("disconnect", ended.message, ended.err)
  start_outage(self)
  return true
end

--- It waits for what the broker thinks of one SEND, or no longer: acknowledgements
-- need not.
function methods:prove(yes)
  self.proving = yes
  if not yes then return end
  local rest = {}
  for _, waiter in ipairs(self.risers) do
    if waiter.or_proving then
      self.pump:deliver(waiter, true)
    else
      rest[#rest + 1] = waiter
    end
  end
  self.risers = rest
end

--- It is over for good: whoever waits between attempts need not any more.
function methods:ended()
  self.pause:signal()
end

--- Wait for a connection where there is none; with `or_proving` for one on which a
-- SEND is proved at least.
-- @treturn[1] true
-- @treturn[2] nil, message, err: timeout, closed
function methods:await_up(what, timeout, or_proving)
  local pump = self.pump
  local deadline = pump.loop.now() + timeout
  while pump.down and not pump.ended and not (or_proving and self.proving) do
    local waiter = pump:waiter(what)
    waiter.or_proving = or_proving
    self.risers[#self.risers + 1] = waiter
    if not pump:wait(waiter, deadline) and not pump.ended then
      for i, other in ipairs(self.risers) do
        if other == waiter then table.remove(self.risers, i) break end
      end
      return failures.late(what .. ": no connection", timeout)
    end
  end
  if pump.ended then return failures.over(pump.ended, what) end
  return true
end

return { new = new }
