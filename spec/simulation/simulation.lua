-- SPDX-License-Identifier: MIT
-- One seed: a world with the embedded broker and some clients, what goes wrong in
-- it, and the verdict. Everything is chosen by the seed, so it can be run again:
--
--   make simulate SEED=n
--
-- Invariants, besides the checker's (spec/support/checker.lua): each call returns
-- by its time-out; a task that waits is never forgotten; links keep to their
-- limits; errors are of the kinds that the faults explain; in the end the broker
-- and the network hold nothing; and those of watch.lua, after each step.
local ordered = require "spec.simulation.ordered"

local checker_module = require "spec.support.checker"
local program = require "spec.simulation.program"
local scenario_module = require "spec.simulation.scenario"
local testing = require "stomp.testing"
local watch = require "spec.simulation.watch"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (by version)

local methods = {}
local mt = { __index = methods }

-- Seconds by which a call may be late.
local LATE = 0.01
-- Bytes that arrive at once, and a frame, may exceed a limit.
local OVERSHOOT = 70000

-- ---- What programs tell

--- Something of the run: an event of the checker.
function methods:log(event, ...)
  if self.lines then self:note(event, ...) end
  self.checker:event(event, ...)
end

--- Something of the run that the checker does not know.
function methods:note(...)
  local lines = self.lines
  if not lines then return end
  local words = { ("%.6f"):format(self.world:now()) }
  for i = 1, select("#", ...) do words[#words + 1] = tostring((select(i, ...))) end
  lines[#lines + 1] = table.concat(words, " ")
end

--- Something is wrong.
function methods:complain(...)
  self:note("WRONG", (...):format(select(2, ...)))
  self.checker:complain(...)
end

local expected = {
  timeout = true, closed = true, heartbeat = true, connect = true, upgrade = true,
  limit = true,
}

local calm_kinds = { timeout = true, closed = true, limit = true }

--- A call failed: is it one of the kinds that faults explain?
function methods:failed(what, message, err)
  self:note("failed", what, message)
  if type(err) ~= "table" or err.message ~= message then
    self:complain("%s: no error object with %s", what, message)
  elseif err.kind == "invalid" and message:find("while disconnecting", 1, true) then
    return -- another task of the program leaves
  elseif err.kind == "broker" and self.scenario.errors
    and not message:find("Unexpected", 1, true) then
    return -- it was told to
  elseif not expected[err.kind] then
    self:complain("%s: %s", what, message)
  elseif self.scenario.calm and not calm_kinds[err.kind] then
    self:complain("%s, though nothing went wrong: %s", what, message)
  end
end

-- Longer than this no answer takes while all is well.
local function patience_of(scenario)
  return 2 + 20 * ((scenario.latency or 0) + (scenario.jitter or 0))
end

--- Whether this connection was well for so long that all is done that it began
-- before; not known where harm may be hidden.
function methods:is_well(connection, since)
  local scenario = self.scenario
  if scenario.one_sided or scenario.drips or scenario.withholds
    or scenario.leaderless or self.n_harms > 0
    or connection.client.state ~= "connected" then return false end
  local well = math.max(since, self.disturbed, connection.up_since)
  return self.world:now() - well > patience_of(scenario)
end

--- A call that began then has its answer, or gave it up. Where the connection was
-- well all the time it, or its waiter, was forgotten.
function methods:late(what, connection, since)
  if self:is_well(connection, since) then
    self:complain("%s: no answer for long, though all was well", what)
  end
end

--- Call f(...), which has to return within so many seconds; its results.
function methods:call(what, seconds, f, ...)
  local entry = {
    what = what, by = self.world:now() + seconds + LATE, thread = coroutine.running(),
  }
  self.n_calls = self.n_calls + 1
  self.calls[entry] = true
  local function done(...)
    self.calls[entry] = nil
    if self.world:now() > entry.by then
      self:complain("%s returned %.3f s late", what, self.world:now() - entry.by)
    end
    return ...
  end
  return done(f(...))
end

--- A program wants to be cut off.
function methods:cut()
  self:note("fault", "floods")
  self.world.network:cut()
  self.disturbed = self.world:now()
end

--- A client was made.
function methods:add_client(client)
  self.clients[#self.clients + 1] = client
  self.on_client(client)
end

--- A task of a program; an error in it is a complaint.
function methods:spawn(f)
  self.n_tasks = self.n_tasks + 1
  local thread
  self.world:spawn(function()
    thread = coroutine.running()
    f()
    self.n_tasks = self.n_tasks - 1
    self.task_ended:signal()
  end, function(text)
    self.n_tasks = self.n_tasks - 1
    self.task_ended:signal()
    if self.killed ~= thread then self:complain("error in a task: %s", text) end
  end)
end

-- This task may not be closed any more.
local function shield(self, thread)
  local list = self.exposed
  for i, victim in ipairs(list) do
    if victim.thread == thread then return table.remove(list, i) end
  end
end

--- From now on the running task may be closed while it waits, and f() is called then;
-- without f it may not any more.
function methods:expose(f)
  local thread, list = coroutine.running(), self.exposed
  shield(self, thread)
  if f then list[#list + 1] = { thread = thread, f = f } end
end

-- ---- What goes wrong

local faults = {}

function faults.cuts(self, line)
  line:cut(self.scenario.one_sided and self.random:one_of { "client", "server" } or nil)
end

function faults.byte_cuts(self, line)
  line:cut_after(self.random:one_of { "up", "down" }, self.random:upto(300))
end

function faults.silences(self, line)
  line:set { silent = self.random:one_of { "up", "down", "both" } }
  self.world:sleep(self.random:part() * self.random:one_of { 1, 5, 60 })
  line:set { silent = false }
end

function faults.drips(self, line)
  line:set { drip = { self.random:upto(5), self.random:part() * 0.01 } }
  self.world:sleep(self.random:part() * 5)
  line:set { drip = false }
end

function faults.refusals(self)
  self.world.network:set { refuse = true }
  self.world:sleep(self.random:part() * 5)
  self.world.network:set { refuse = false }
end

-- The broker is gone, and comes back with what it had.
function faults.crashes(self)
  self.world.network:set { refuse = true }
  self.world.network:cut()
  self.world:sleep(self.random:part() * self.random:one_of { 0.1, 5 })
  self.world.network:set { refuse = false }
end

-- It does so itself: no port, no sessions, its queues stay.
function faults.restarts(self)
  if self.broker.stopped then return end
  self.broker:stop()
  self.world:sleep(self.random:part() * self.random:one_of { 0.1, 5 })
  assert(self.broker:start())
end

local commands = { "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "DISCONNECT" }

-- The next frame of a kind ends its connection.
function faults.strikes(self)
  local how = self.random:one_of { "cut_on", "close_on" }
  self.broker:misbehave { [how] = self.random:one_of(commands), times = self.random:upto(2) }
end

function faults.errors(self)
  self.broker:misbehave { error_on = self.random:one_of(commands), times = 1 }
end

function faults.withholds(self)
  self.broker:misbehave { withhold_receipts = true, times = self.random:upto(3) }
end

function faults.unreachable(self)
  self.world.network:set { unreachable = true }
  self.world:sleep(self.random:part() * 10)
  self.world.network:set { unreachable = false }
end

--- Close one of the tasks that may be.
function methods:kill()
  local list = {}
  for _, victim in ipairs(self.exposed) do
    if coroutine.status(victim.thread) == "suspended" then list[#list + 1] = victim end
  end
  if #list == 0 then return end
  local victim = self.random:one_of(list)
  local close = coroutine.close -- luacheck: ignore 143 (from 5.4 on)
  self.killed = victim.thread
  local ok, text = close(victim.thread)
  self.killed = nil
  if not ok then self:complain("a task is closed: %s", text) end
  for entry in pairs(self.calls) do
    if entry.thread == victim.thread then self.calls[entry] = nil end
  end
  shield(self, victim.thread)
  victim.f()
end

function faults.kills(self) self:kill() end

-- Whether the client of this session had lost a connection before.
function methods:was_lost(session)
  for _, p in ipairs(self.programs) do
    local connection = p.connection
    if connection and connection.client.session == session then return connection.was_lost end
  end
  return false
end

-- What is published through a connection that follows a lost one is refused, and answered
-- with what comes later (lua/stomp/proof.lua): no longer than that holds out.
function faults.leaderless(self)
  if not self.scenario.rabbitmq then return end
  local taken = self.taken
  local seconds = self.random:part() * self.random:one_of { 0.5, math.min(self.scenario.timeout, 8) }
  local before = self.broker.engine.last_session
  local ends = self.world:now() + seconds
  self.broker:misbehave { refuse_sends = function(frame, session)
    return frame.headers.receipt ~= nil and self.world:now() < ends
      and session.serial > before and self:was_lost(session.id)
      and not taken[session.id .. frame.headers.destination]
  end }
  if self.random:chance(0.8) then self.world.network:cut() end
  for _, p in ipairs(self.programs) do p:press(2 * seconds) end
  self.world:sleep(3 * seconds + 2)
end

local fault_names = {
  "cuts", "byte_cuts", "silences", "drips", "refusals", "crashes", "restarts", "strikes",
  "errors", "withholds", "unreachable", "kills", "leaderless",
}

local function do_harm(self)
  local scenario, random, list = self.scenario, self.random, {}
  for _, name in ipairs(fault_names) do
    if scenario[name] then list[#list + 1] = name end
  end
  if #list == 0 then return end
  local pause = scenario.seconds / random:upto(6)
  while not self.over do
    self.world:sleep(random:part() * pause)
    local lines, name = self.world.network:lines(), random:one_of(list)
    if #lines > 0 and not self.over then
      self:note("fault", name)
      self.n_harms = self.n_harms + 1
      faults[name](self, random:one_of(lines))
      self.n_harms, self.disturbed = self.n_harms - 1, self.world:now()
    end
  end
end

-- Lines may be cut in the middle of the upgrade, too.
local function on_line(self, line)
  local scenario, random = self.scenario, self.random
  if scenario.byte_cuts and not self.healed and random:chance(0.3) then
    line:cut_after(random:one_of { "up", "down" }, random:upto(2000))
  end
end

-- ---- Looking round

local function check_limits(self, client)
  local limits, stats = client.settings.limits or {}, client:stats()
  local inbox, outbox = limits.inbox or 8388608, limits.outbox or 8388608
  if stats.inbox_bytes > 2 * inbox + OVERSHOOT then
    self:complain("an inbox of %d bytes", stats.inbox_bytes)
  elseif stats.outbox_bytes > outbox + OVERSHOOT then
    self:complain("an outbox of %d bytes", stats.outbox_bytes)
  elseif stats.inbox_bytes < 0 or stats.outbox_bytes < 0 then
    self:complain("negative boxes: %d, %d bytes", stats.inbox_bytes, stats.outbox_bytes)
  end
end

local function look_round(self)
  local now = self.world:now()
  for entry in pairs(self.calls) do
    if now > entry.by then
      self:complain("%s does not return", entry.what)
      self.calls[entry] = nil
    end
  end
  for _, p in ipairs(self.programs) do
    if p.client and p.client.state ~= "closed" then check_limits(self, p.client) end
    p:check_subscriptions(self.broker.engine.sessions)
  end
end

-- Do this check of watch.lua for each client that was made.
local function check_clients(self, check)
  local clients, complain = self.clients, self.complainer
  for i = 1, #clients do check(clients[i], complain) end
end

-- After each step, and before time passes.
local function watch_steps(self)
  local network, clock = self.world.network, self.world.clock
  local settle, next_time = network.settle, clock.next_time
  network.settle = function(that)
    settle(that)
    check_clients(self, watch.step)
  end
  clock.next_time = function(that)
    check_clients(self, watch.idle)
    return next_time(that)
  end
end

local function keep_watch(self)
  while not self.finished do
    self.world:sleep(self.scenario.seconds / 20 + 0.1)
    look_round(self)
  end
end

-- ---- The end

local calm = { latency = 0, jitter = 0, piece = false, drip = false, silent = false,
  refuse = false, unreachable = false }

-- The network is well again, and what is half open is found out.
local function heal(self)
  self.healed = true
  self.broker:misbehave {}
  local network = self.world.network
  network:set(calm)
  for _, line in ipairs(network:lines()) do line:set(calm) end
  self.world:sleep(10)
  network:cut()
  self.world:sleep(0.01)
end

-- What the queues still hold.
local function empty_queues(self)
  local stomp = require "stomp"
  local client = assert(stomp.connect(self.broker.url, self.world:options()))
  for _, queue in ipairs(program.queues(self.scenario)) do
    assert(client:subscribe(queue))
  end
  assert(client:subscribe("/queue/rpc"))
  local message = client:receive(1)
  while message do
    if message.destination ~= "/queue/rpc" then
      self:log("left", message.headers.n, message.body)
    end
    message = client:receive(1)
  end
  assert(client:disconnect())
end

local function check_leftovers(self)
  local stats, network = self.broker:stats(), self.world.network
  for _, name in ipairs { "sessions", "subscriptions", "unacknowledged", "queued", "held_bytes" } do
    if stats[name] ~= 0 then self:complain("the broker keeps %s: %d", name, stats[name]) end
  end
  if #network:lines() > 0 then self:complain("%d lines are left", #network:lines()) end
  if next(network.endpoints) then self:complain("a link is left") end
end

local function await_programs(self, seconds)
  local deadline = self.world:now() + seconds
  while self.n_tasks > 0 do
    local left = deadline - self.world:now()
    if left <= 0 then
      self:complain("%d tasks do not end", self.n_tasks)
      return
    end
    self.task_ended:wait(left)
  end
end

local function run(self)
  local scenario = self.scenario
  self.world:spawn(function() keep_watch(self) end)
  self.world:spawn(function() do_harm(self) end)
  for i = 1, scenario.clients do
    local p = program.new(self, i)
    self.programs[i] = p
    self:spawn(function() p:run() end)
  end
  self.world:spawn(function()
    self.world:sleep(scenario.seconds)
    self.over = true
  end)
  await_programs(self, scenario.seconds + 600)
  self.over = true
  heal(self)
  empty_queues(self)
  self.world:close()
  self.world:sleep(5)
  check_leftovers(self)
  check_clients(self, watch.over)
  self.finished = true
end

-- The messages that open transactions hold when a subscription ends.
local function held(s)
  local ids, is_held = {}, false
  for slot = s.unacked.last, s.unacked.first, -1 do
    local delivery = s.unacked[slot]
    if delivery then
      is_held = delivery.promised ~= nil or s.ack == "client" and is_held
      for _, pair in ipairs(is_held and delivery.message.headers or {}) do
        if pair[1] == "n" then ids[#ids + 1] = pair[2] end
      end
    end
  end
  return ids
end

-- When subscriptions end at the broker: what they had may go to others, but what a
-- transaction holds, when that ends. When a message is taken by it, and when a session
-- ends.
local function watch_broker(self)
  local engine = self.broker.engine
  local destinations = engine.destinations
  local leave, publish, close = destinations.leave, destinations.publish, engine.close
  local release = destinations.release
  local function note_over(session, list)
    for _, s in ipairs(list) do
      self:log("over", session.id .. "#" .. s.id, unpack(session.closed and {} or held(s)))
    end
  end
  destinations.leave = function(that, session, list)
    if session.closed then note_over(session, session.parted) end
    note_over(session, list)
    leave(that, session, list)
  end
  destinations.release = function(that, session)
    note_over(session, session.parted)
    release(that, session)
  end
  destinations.publish = function(that, message)
    for _, pair in ipairs(message.headers) do
      if pair[1] == "n" then self:log("taken", pair[2]) end
    end
    publish(that, message)
  end
  local frame = engine.frame
  engine.frame = function(that, session, one, now)
    local headers, owed = one.headers, #session.owed
    if one.command == "SEND" and (headers.receipt or ""):find("^r%-%d+%-") then
      self:log("repeated", headers.n)
    end
    frame(that, session, one, now)
    if one.command == "SEND" and not headers.transaction and #session.owed <= owed then
      self.taken[session.id .. headers.destination] = true
    end
  end
  engine.close = function(that, session)
    for _, p in ipairs(self.programs) do p:session_over(session.id) end
    close(that, session)
  end
end

--- Run a seed. `options`: log, keep the lines of what happened; on_world(world),
-- on_client(client), called with each that is made.
-- @treturn boolean whether all is well
-- @treturn table the checker's numbers, with `calls`, `seconds` (virtual), `lines`
local function simulate(seed, options)
  options = options or {}
  local world = testing.world { seed = seed }
  local scenario = scenario_module.new(world.random)
  local self = setmetatable({
    world = world, scenario = scenario, random = world.random:fork(),
    broker = world:broker {
      heartbeat = { send = scenario.heartbeat, receive = scenario.heartbeat },
      compression = scenario.compression, server = scenario.rabbitmq and "RabbitMQ/3.10.8" or nil,
    },
    taken = {}, -- session and destination -> one SEND was
    checker = checker_module.new {
      exact = true, loses = program.loses,
    },
    programs = {}, clients = {}, calls = {}, n_calls = 0, exposed = {},
    n_harms = 0, disturbed = 0, nacked = {}, keys = {}, n_tasks = 0, task_ended = world.loop.condition(),
    lines = options.log and {} or nil,
    on_client = options.on_client or function() end,
    over = false, healed = false, finished = false,
  }, mt)
  self.complainer = function(...) self:complain(...) end
  if scenario.failover then -- two ways to one broker
    self.second = world:broker()
    self.second.engine = self.broker.engine
  end
  watch_broker(self)
  watch_steps(self)
  world.network:set { latency = scenario.latency, jitter = scenario.jitter, piece = scenario.piece }
  world.network.on_line = function(line) on_line(self, line) end
  if options.on_world then options.on_world(world) end
  local start = world:now()
  local ok, text = ordered.with(pcall, world.run, world, function() run(self) end)
  if not ok then self:complain("%s", text) end
  local well, numbers = self.checker:verdict()
  numbers.calls, numbers.seconds = self.n_calls, world:now() - start
  numbers.lines = self.lines
  return well, numbers
end

return { simulate = simulate }
