-- SPDX-License-Identifier: MIT
-- What one client of the simulation does: connects, sends, subscribes, receives,
-- acknowledges and leaves at random, and tells the simulation what it saw.
local stomp = require "stomp"
local transact = require "spec.simulation.transactions"

local methods = {}
local mt = { __index = methods }

-- Handlers that failed on purpose say so.
local DELIBERATE = "deliberate"

-- ---- Destinations

--- Those that are looked at in the end: queues whose messages are acknowledged,
-- and, where the scenario has it, one that is read with ack auto.
local function queues(scenario)
  local list = {}
  for i = 1, scenario.queues do list[i] = "/queue/q" .. i end
  if scenario.automatic then list[#list + 1] = "/queue/auto" end
  return list
end

--- Whether messages may be lost there: to a reader that is gone.
local function loses(destination)
  return destination == "/queue/auto" or destination:find("^/topic/") ~= nil
end

-- ---- Sending

-- A call that waits for the broker's answer; its results.
function methods:ask(connection, what, seconds, f, ...)
  local sim, since = self.sim, self.sim.world:now()
  local ok, message, err = sim:call(what, seconds, f, ...)
  if not ok then sim:failed(what, message, err) end
  if ok or err.kind == "timeout" then sim:late(what, connection, since) end
  return ok, message, err
end

-- One more message to send: its headers and body.
function methods:compose(stream, destination)
  local sim = self.sim
  stream.n = stream.n + 1
  local id = ("%s-%d"):format(stream.name, stream.n)
  local body = id .. (" "):rep(sim.random:upto(sim.scenario.body))
  sim:log("attempt", id, stream.name, stream.n, destination, body)
  return id, body
end

--- One of the queues.
function methods:queue() return self.random:one_of(queues(self.sim.scenario)) end

function methods:destination()
  local random, scenario = self.random, self.sim.scenario
  if scenario.topics and random:chance(0.2) then return "/topic/t" end
  return self:queue()
end

function methods:send(connection, confirm, is_alone)
  local sim, client = self.sim, connection.client
  local destination = self:destination()
  local timeout = sim.scenario.timeout
  if confirm and sim.scenario.once and self.random:chance(0.3) then confirm = "once" end
  if confirm and sim.scenario.later and self.random:chance(0.4) then confirm = "later" end
  -- what waits because too many are in flight may be overtaken
  local stream = confirm == "later" and connection.later_stream or connection.stream
  local id, body = self:compose(stream, destination)
  local reconnects = client.n_reconnects
  if confirm then connection.pending[id] = true end
  if is_alone and sim.scenario.kills then
    sim:expose(function()
      connection.pending[id] = nil
      sim:log("failed", id, "unknown")
    end)
  end
  local ok, _, err = self:ask(connection, "send " .. id, timeout, client.send, client,
    destination, body, { n = id, stream = stream.name },
    { timeout = timeout, confirm = confirm or nil,
      idempotent = sim.scenario.idempotent and "x-key" or nil })
  if is_alone then sim:expose(nil) end
  if ok and confirm == "later" then
    connection.later[#connection.later + 1] = id -- it stays pending until flush
    return
  end
  connection.pending[id] = nil
  if not ok then
    sim:log("failed", id, err.outcome)
  elseif confirm then
    sim:log("confirmed", id)
  elseif client.state == "connected" and client.n_reconnects == reconnects then
    connection.sent[#connection.sent + 1] = { id = id, reconnects = reconnects }
  end
end

--- Send some, each to be confirmed, within so many seconds.
function methods:press(seconds)
  local sim, connection = self.sim, self.connection
  if not sim.scenario.confirm or not self.client then return end
  for _ = 1, self.random:upto(6) do
    local pause = self.random:part() * seconds
    sim:spawn(function()
      sim.world:sleep(pause)
      if not sim.over and not connection.leaving then self:send(connection, true) end
    end)
  end
end

local actions = {}

function actions.plain(self, connection) self:send(connection, false) end

function actions.confirm(self, connection)
  if self.random:chance(0.5) then return self:send(connection, true) end
  self.sim:spawn(function() self:send(connection, true, true) end)
end

function actions.bursts(self, connection)
  local confirm, floods = self.sim.scenario.confirm, self.sim.scenario.floods
  if floods then self.sim:cut() end
  for _ = 1, self.random:upto(floods and 40 or 8) do
    self.sim:spawn(function() self:send(connection, confirm, true) end)
  end
end

-- What became of the first `n` sends that were to be confirmed later.
function methods:settle_later(connection, n, ok)
  for _ = 1, math.min(n, #connection.later) do
    local id = table.remove(connection.later, 1)
    connection.pending[id] = nil
    if ok then
      self.sim:log("confirmed", id)
    else -- the client goes on with it, and may send it again
      self.sim:log("uncertain", id)
      self.sim:log("failed", id, "unknown")
    end
  end
end

function actions.flushes(self, connection)
  local n = #connection.later
  local ok = self:ask(connection, "flush", 3, connection.client.flush, connection.client, 3)
  self:settle_later(connection, n, ok)
end

actions.later = actions.flushes

-- Questions that change nothing.
function actions.looks(self, connection)
  local client = connection.client
  if client:stats().receipts_outstanding < 0 or not tostring(client):find(client.state, 1, true) then
    self.sim:complain("%s has strange figures", tostring(client))
  end
  for _, s in ipairs(connection.subscriptions) do tostring(s.subscription) end
end

actions.transactions = transact

function actions.requests(self, connection)
  local sim, client = self.sim, connection.client
  local body = ("%s asks %d"):format(self.name, self.random:upto(1000000))
  local reply, message, err = sim:call("request", 5, client.request, client, "/queue/rpc", body,
    { timeout = 5 })
  if not reply then return sim:failed("request", message, err) end
  if reply.body ~= "re: " .. body then
    sim:complain("%s, and the reply says %s", body, reply.body)
  end
end

-- ---- Messages

-- The subscription on the connection that a message came on: the broker's ids of
-- messages begin with their session.
local function name_of(s, message)
  return message.id:match("^[^@]*") .. "#" .. s.id
end

-- A message came to the program.
function methods:received(s, message)
  local id = message.headers.n
  self.sim:log("received", id, name_of(s, message), message.destination, message.redelivered,
    message.body, s.unordered)
  local key = message.headers["x-key"]
  if key and (self.sim.keys[id] or key) ~= key then
    self.sim:complain("%s came with the keys %s and %s", id, self.sim.keys[id], key)
  end
  self.sim.keys[id] = key
  return id
end

-- The session of the connection that it has now is not that of the message.
local function check_own(self, s, message, id, session)
  local name = name_of(s, message)
  if name ~= session .. "#" .. s.id then
    self.sim:complain("%s of %s was acknowledged on %s", id, name, session)
  end
end

-- In a transaction: it counts at COMMIT.
function methods:acknowledge_within(s, message, id)
  local sim, client, session = self.sim, s.connection.client, s.connection.client.session
  local t, text, err = sim:call("begin", 30, client.begin, client)
  if not t then return sim:failed("begin", text, err) end
  local ok
  ok, text, err = sim:call("transaction:ack", 30, t.ack, t, message)
  if not ok then
    sim:call("abort", 30, t.abort, t)
    if err.kind ~= "invalid" or not (s.is_over or s.ack == "client") then
      sim:failed("transaction:ack", text, err)
    end
    return
  end
  if self.random:chance(0.3) then sim.world:sleep(self.random:part()) end
  if self.random:chance(0.3) then
    ok, text, err = sim:call("abort", 30, t.abort, t)
    if not ok then return sim:failed("abort", text, err) end
    return self:acknowledge(s, message, id)
  end
  -- told before, for it may be done though the COMMIT's RECEIPT is lost
  sim:log("acked", id, name_of(s, message), s.ack == "client")
  ok = self:ask(s.connection, "commit", 30, t.commit, t, { confirm = true, timeout = 30 })
  if not ok and t.state == "open" then sim:log("undone", id) end -- it had no room
  if ok then check_own(self, s, message, id, session) end
end

function methods:acknowledge(s, message, id)
  local sim, how = self.sim, "ack"
  local version = s.connection.client.version
  if sim.scenario.nacks and version ~= "1.0" and self.random:chance(0.3) then
    local n = sim.nacked[id] or 0
    sim.nacked[id] = n + 1
    if n < 3 then how = "nack" end
  end
  local name = name_of(s, message)
  if how == "nack" then
    -- in mode client it means all before it, too
    sim:log("returned", id, name, s.ack == "client")
  end
  local session = s.connection.client.session
  local ok, text, err = sim:call(how, 30, message[how], message)
  if not ok then
    -- unsubscribed meanwhile; one after it was acknowledged, and so it was
    if err.kind ~= "invalid" or not (s.is_over or s.ack == "client") then
      sim:failed(how, text, err)
    end
  elseif how == "ack" then
    check_own(self, s, message, id, session)
    sim:log("acked", id, name, s.ack == "client")
  end
end

-- What a program does with a message it has.
function methods:handle(s, message)
  local sim, random, scenario = self.sim, self.random, self.sim.scenario
  local id = self:received(s, message)
  if scenario.slow and random:chance(0.3) then sim.world:sleep(random:part() * 2) end
  if scenario.nested and random:chance(0.3) and not sim.over then self:send(s.connection, random:chance(0.5)) end
  if scenario.unsubscribes and random:chance(0.05) then self:unsubscribe(s) end
  if s.handles and scenario.hangs and random:chance(0.1) then sim.world:sleep(1e6) end
  if s.handles and scenario.quits and random:chance(0.05) then self:quit(s.connection) end
  if scenario.raises and s.handles and random:chance(0.2) then error(DELIBERATE, 0) end
  if s.ack == "auto" then return end
  if scenario.loiters and random:chance(0.2) then return end -- never acknowledged
  if scenario.transactions and random:chance(0.3) then
    return self:acknowledge_within(s, message, id)
  end
  self:acknowledge(s, message, id)
end

-- ---- Subscriptions

-- The program is done with it; the broker tells by itself.
local function end_subscription(s)
  if s.is_over then return end
  s.is_over = true
  local list = s.connection.subscriptions
  for i, other in ipairs(list) do
    if other == s then table.remove(list, i) end
  end
end

function methods:pick_ack(destination)
  local scenario = self.sim.scenario
  if destination == "/queue/auto" or destination:find("^/topic/") then return "auto" end
  -- with several readers it is not known what came before
  if scenario.cumulative and not scenario.anyone and self.random:chance(0.5) then
    return "client"
  end
  return "client-individual"
end

function actions.subscribe(self, connection)
  local sim, client, random = self.sim, connection.client, self.random
  local scenario = sim.scenario
  if #connection.subscriptions >= 4 then return end
  local destination = self:destination()
  local handles = scenario.handlers and (not scenario.receivers or random:chance(0.5))
  connection.n = connection.n + 1
  local s = {
    connection = connection,
    id = "s" .. connection.n, destination = destination, unordered = scenario.anyone and not handles,
    ack = self:pick_ack(destination), handles = handles, is_over = false,
  }
  local options = {
    id = s.id, ack = s.ack, prefetch = scenario.prefetch,
    timeout = 5, confirm = random:chance(0.5),
  }
  if handles and scenario.concurrency and s.ack ~= "client" then
    options.concurrency = scenario.concurrency
    options.order_by = scenario.ordered and "stream" or nil
    s.unordered = not scenario.ordered
  end
  connection.subscriptions[#connection.subscriptions + 1] = s
  connection.by_id[s.id] = s
  local subscription = self:ask(connection, "subscribe", 5, client.subscribe, client,
    destination, options, handles and function(message) self:handle(s, message) end or nil)
  if not subscription then return end_subscription(s) end
  s.subscription, s.since = subscription, sim.world:now()
  if not handles and not (scenario.anyone and random:chance(0.5)) then
    sim:spawn(function() self:receive_all(s) end)
  end
end

function methods:unsubscribe(s)
  local subscription = s.subscription
  if not subscription or s.is_over then return end
  end_subscription(s)
  local confirm = self.random:chance(0.5)
  -- no answer to be asked for: it waits for handlers first
  local ok, message, err = self.sim:call("unsubscribe", 5, subscription.unsubscribe, subscription,
    { timeout = 5, confirm = confirm })
  if not ok then self.sim:failed("unsubscribe", message, err) end
end

-- The same by a loop over its messages, which ends or raises the reason.
local function iterate(self, s)
  local sim = self.sim
  local ok, text = pcall(function()
    for message in s.subscription:messages() do
      self:handle(s, message)
      if sim.over or s.is_over then break end
    end
  end)
  if ok then return end
  local kind = tostring(text):match("^(%a+): ")
  sim:failed("messages", text, { kind = kind, message = text })
end

-- Receive until the connection, the subscription or the simulation is over.
function methods:receive_all(s)
  local sim, random = self.sim, self.random
  if sim.scenario.iterates then return iterate(self, s) end
  while not sim.over and not s.is_over do
    local seconds = random:part() * 10
    if sim.scenario.kills then
      sim:expose(function() sim:spawn(function() self:receive_all(s) end) end)
    end
    local message, text, err = sim:call("receive", seconds, s.subscription.receive,
      s.subscription, seconds)
    sim:expose(nil)
    if message then
      self:handle(s, message)
    else
      sim:failed("receive", text, err)
      if err.kind ~= "timeout" then return end
    end
  end
end

-- A message of any subscription.
function actions.anyone(self, connection)
  local sim, client = self.sim, connection.client
  local seconds = self.random:part() * 5
  local message, text, err = sim:call("client:receive", seconds, client.receive, client, seconds)
  if not message then return sim:failed("client:receive", text, err) end
  local s = connection.by_id[message.subscription]
  if s then self:handle(s, message) else sim:complain("a message of no subscription") end
end

function actions.unsubscribes(self, connection)
  local list = connection.subscriptions
  if #list > 0 then self:unsubscribe(self.random:one_of(list)) end
end

-- ---- Connections

-- A connection is over: what was not confirmed may come twice.
function methods:doubt(connection)
  for id in pairs(connection.pending) do self.sim:log("uncertain", id) end
end

--- The same, as the broker knows it.
function methods:session_over(session)
  local connection = self.connection
  if connection and connection.client.session == session then self:doubt(connection) end
end

-- A message of no subscription of this client: one that ended a moment ago may still
-- get some.
function methods:unhandled(connection, message)
  local s = connection.by_id[message.subscription]
  if not connection.leaving and not (s and s.is_over) then
    self.sim:complain("a message for %s, which nobody has", tostring(message.subscription))
  end
end

function methods:on_error(message, err)
  if err.kind == "handler" and tostring(err.value) == DELIBERATE then return end
  self.sim:failed("on_error", message, err)
end

function methods:options(connection)
  local sim, scenario = self.sim, self.sim.scenario
  local beat = scenario.heartbeat
  return sim.world:options {
    heartbeat = { send = beat, receive = beat },
    timeout = scenario.timeout,
    limits = { inbox = scenario.inbox, outbox = scenario.outbox },
    on_error = function(message, err) self:on_error(message, err) end,
    on_unhandled = function(message) self:unhandled(connection, message) end,
    on_disconnect = function(message)
      sim:note("disconnected", self.name, message)
      connection.up_since, connection.was_lost = math.huge, true
      self:doubt(connection)
    end,
    on_reconnect = function(client)
      sim:note("reconnected", self.name, client.session)
      connection.up_since = sim.world:now()
    end,
    compression = scenario.compression, reconnect = scenario.reconnect, versions = scenario.versions,
    before_connect = scenario.prepares and function()
      if self.random:chance(0.3) then sim.world:sleep(self.random:part()) end
    end or nil,
  }
end

function methods:connect()
  local sim = self.sim
  self.n_streams = self.n_streams + 1
  local urls, name = { sim.broker.url, sim.second and sim.second.url }, ("%s-%d"):format(self.name, self.n_streams)
  local connection = {
    client = nil, stream = { name = name, n = 0 }, later_stream = { name = name .. "l", n = 0 },
    subscriptions = {}, by_id = {}, n = 0, sent = {}, pending = {}, later = {},
    up_since = math.huge, leaving = false, was_lost = false,
  }
  local client, message, err = sim:call("connect", #urls * (sim.scenario.timeout + 1),
    stomp.connect, urls, self:options(connection))
  if not client then
    sim:failed("connect", message, err)
    return false
  end
  sim:note("connected", self.name, client.session)
  sim:add_client(client)
  if sim.scenario.kills then -- of those who were woken, and have not run yet, too
    client:on("receipt", function()
      if self.random:chance(0.2) then sim:kill() end
    end)
  end
  connection.client, connection.up_since = client, sim.world:now()
  self.client, self.connection = client, connection
  if sim.scenario.requests then self:answer() end
  return true
end

-- Answer requests on this connection.
function methods:answer()
  local sim, client = self.sim, self.client
  local ok, message, err = sim:call("subscribe", 5, client.subscribe, client, "/queue/rpc",
    { timeout = 5 }, function(request)
      local sent, text, why = sim:call("reply", 30, request.reply, request, "re: " .. request.body)
      if not sent then sim:failed("reply", text, why) end
    end)
  if not ok then sim:failed("subscribe", message, err) end
end

-- The RECEIPT of DISCONNECT says that all before it is done.
local function confirm_sent(self, connection, n)
  local client = connection.client
  for i = 1, n do
    local sent = connection.sent[i]
    if sent.reconnects == client.n_reconnects then self.sim:log("confirmed", sent.id) end
  end
end

local function disconnect(self, connection, how, seconds)
  local sim, client = self.sim, connection.client
  connection.leaving = true
  local n, n_later = #connection.sent, #connection.later
  local open = client.state == "connected"
  -- handlers that were told of the end get some time more
  local ok, note, err = sim:call(how, seconds + 5, client[how], client, seconds)
  if not ok then sim:failed(how, note, err) end
  self:settle_later(connection, n_later, ok and open)
  if ok and not note and open and how == "disconnect" and not connection.torn then
    confirm_sent(self, connection, n)
  end
end

-- A handler ends the connection under itself.
function methods:quit(connection)
  local how = self.random:one_of { "close", "disconnect", "drain" }
  self.sim:note("quits", self.name, how)
  connection.leaving, connection.torn = true, true -- who disconnects meanwhile gets no RECEIPT
  if how == "close" then
    self.sim:call("close", 0, connection.client.close, connection.client)
  else
    disconnect(self, connection, how, 3)
  end
end

-- Go, one way or another.
function methods:leave()
  local sim, client, connection = self.sim, self.client, self.connection
  local scenario, random = sim.scenario, self.random
  if scenario.closes and random:chance(0.5) then
    connection.leaving = true
    sim:call("close", 0, client.close, client)
  elseif scenario.drains and random:chance(0.5) then
    disconnect(self, connection, "drain", random:part() * 10)
  else
    disconnect(self, connection, "disconnect", 5)
  end
  -- where a handler drains as well it is that one's to close it
  if client.state ~= "closed" and not connection.torn then
    sim:complain("%s after it left", tostring(client))
  end
  self.client = nil
end

--- Where it has been connected for long and all was well, the broker has its
-- subscriptions.
function methods:check_subscriptions(sessions)
  local sim, connection = self.sim, self.connection
  if not self.client or connection.leaving
    or not sim:is_well(connection, connection.up_since) then return end
  for session in pairs(sessions) do
    if session.id == self.client.session then
      local there = {}
      for _, s in ipairs(session:in_order()) do there[s.id] = true end
      for _, s in ipairs(connection.subscriptions) do
        local since = s.since
        if since and not s.subscription.closed and not there[s.id]
          and sim:is_well(connection, since) then
          sim:complain("the broker does not have %s", tostring(s.subscription))
        end
      end
    end
  end
end

-- ---- All

local always = { "subscribe" }
local optional = {
  "plain", "confirm", "bursts", "flushes", "later", "looks", "anyone", "unsubscribes",
  "transactions", "requests",
}

local function actions_of(scenario)
  local list = {}
  for _, name in ipairs(always) do list[#list + 1] = name end
  for _, name in ipairs(optional) do
    if scenario[name] then list[#list + 1] = name end
  end
  return list
end

--- Do so many things at random moments.
function methods:run()
  local sim, random, scenario = self.sim, self.random, self.sim.scenario
  local list, pause = actions_of(scenario), scenario.seconds / scenario.steps
  for _ = 1, scenario.steps do
    if random:chance(0.6) then sim.world:sleep(random:part() * 2 * pause) end
    if sim.over then break end
    if self.client and self.client.state == "closed" then self.client = nil end
    if self.client or self:connect() then
      actions[random:one_of(list)](self, self.connection)
      if self.client and scenario.leaves and random:chance(0.1) then self:leave() end
    end
  end
  if self.client then
    local seconds = random:part() * 5
    local client = self.client
    local ok, message, err = sim:call("run", seconds + 5, client.run, client, seconds)
    if not ok then sim:failed("run", message, err) end
    if self.client then self:leave() end
  end
end

--- The i-th client of a simulation.
local function new(sim, i)
  return setmetatable({
    sim = sim, name = "c" .. i, random = sim.random:fork(),
    client = nil, connection = nil,
    n_streams = 0, n_transactions = 0,
  }, mt)
end

return { new = new, queues = queues, loses = loses }
