-- SPDX-License-Identifier: MIT
--- The embedded broker without sockets: frames in, frames out, the time an
-- argument. Its driver is stomp.broker, on any loop and transport.
--
-- `/topic/x` goes to every subscription, `/queue/x` (or a bare name) to one of
-- them; a queue keeps what nobody takes, up to a limit, whoever comes and goes.
-- What was not acknowledged when its session ends comes again, in order, with
-- redelivered:true. Replies go as on RabbitMQ (`reply-to:/temp-queue/x` needs no
-- SUBSCRIBE) or as on ActiveMQ (with SUBSCRIBE).
--
-- What the driver does, `now` in seconds that never go back:
--
--   session = engine:open(peer, now)       a connection was accepted
--   engine:frame(session, frame, now)      a frame of it, CONNECT included; none
--                                          while engine:is_silent()
--   engine:flush(session, now)             the peer has room again
--   engine:deadline(session)               when tick must be called, or nil
--   engine:tick(session, now)
--   engine:close(session, now)             its connection is over
--   engine:cut(selector, now), engine:shut(now), engine:misbehave(switches, now)
--
-- and what a peer is to the engine:
--
--   peer:send(command, headers, body)      true, or false: no room now. CONNECTED
--                                          and ERROR as all others; headers is a
--                                          list of {name, value}
--   peer:version()                         once CONNECTED was sent
--   peer:close()                           an orderly end, once all is written
--   peer:cut()                             an end as a network makes it
--   peer:mute(yes)                         writes nothing / all that waited
--   peer:wake()                            its driver looks at deadline and
--                                          is_silent again
--
-- Knows commands, destinations, misbehaviour and session of this folder; no
-- socket, no clock, no randomness: the same calls give the same frames. Frames
-- have the headers that their version demands: the connection sees to that.
-- @module stomp.broker.engine
local commands = require "stomp.broker.commands"
local destinations = require "stomp.broker.destinations"
local misbehaviour = require "stomp.broker.misbehaviour"
local sessions = require "stomp.broker.session"

local engine = {}

local methods = {}
local mt = { __index = methods }

-- Bytes of the messages in queues, unacknowledged, and in transactions. Beyond
-- it a SEND is refused.
local held_most = 67108864

-- Seconds from accepting a connection to its CONNECT, and from DISCONNECT to its
-- end.
local time = 10

local function zeros()
  return {
    connects = 0, refused_logins = 0, timed_out = 0, cuts = 0,
    frames_received = 0, frames_sent = 0, messages_in = 0, messages_out = 0,
    redelivered = 0, receipts_sent = 0, receipts_withheld = 0, errors_sent = 0,
  }
end

--- A new broker engine.
-- @tparam[opt] table options `logins` (login -> passcode), `queue_limit` (bytes
-- of all messages that are kept, 64 MiB), `timeout` (seconds until CONNECT must
-- have come, 10), `server` (the header of CONNECTED)
function engine.new(options)
  options = options or {}
  local counts = zeros()
  return setmetatable({
    logins = options.logins,
    server = options.server or "lua-stomp/0.1.0",
    time = options.timeout or time,
    counts = counts,
    shared = { now = 0, delay = 0, counts = counts },
    wrong = misbehaviour.new({}, 1),
    destinations = destinations.new(options.queue_limit or held_most, counts),
    sessions = {}, -- session -> true
    last_session = 0,
    last_subscription = 0,
  }, mt)
end

--- Its sessions in the order in which they began: no run depends on addresses.
function methods:in_order()
  local list = {}
  for session in pairs(self.sessions) do list[#list + 1] = session end
  table.sort(list, function(a, b) return a.serial < b.serial end)
  return list
end

-- ---- Sessions

--- A session is closed when its time is over and nothing has come: its CONNECT,
-- or after DISCONNECT its end.
function methods:limit(session)
  session.end_by = self.shared.now + self.time
end

--- A session for a peer.
function methods:open(peer, now)
  self.last_session = self.last_session + 1
  local session = sessions.new(self.last_session, peer, self.shared)
  self.shared.now = now
  self:limit(session)
  self.counts.connects = self.counts.connects + 1
  self.sessions[session] = true
  if self.wrong.silent then peer:mute(true) end
  return session
end

--- A session is over: what it held goes to others.
function methods:close(session, now)
  self.shared.now = now
  if not self.sessions[session] then return end
  self.sessions[session], session.closed = nil, true
  session:finish()
  for id in pairs(session.transactions) do
    commands.take_transaction(self, session, id)
  end
  self.destinations:leave(session, session:in_order())
  self.destinations:drop_replies(session)
end

-- Several at once: none of them is handed what another held.
local function end_all(self, list)
  for _, session in ipairs(list) do session:finish() end
  for _, session in ipairs(list) do self:close(session, self.shared.now) end
end

local function cut_all(self, list)
  self.counts.cuts = self.counts.cuts + #list
  end_all(self, list)
  for _, session in ipairs(list) do session.peer:cut() end
end

-- ---- Frames

local function send_receipt(self, session, frame)
  local receipt = frame.headers.receipt
  if not receipt or session.refused then return end
  if self.wrong:strikes("withhold_receipts", frame, session) then
    self.counts.receipts_withheld = self.counts.receipts_withheld + 1
  else
    session:write("RECEIPT", { { "receipt-id", receipt } }, "")
  end
end

local function handle(self, session, frame)
  local later = commands.by_name[frame.command](self, session, frame)
  if later ~= false then send_receipt(self, session, frame) end
  for _, one in ipairs(later or {}) do send_receipt(self, session, one) end
  local queue = session.to_serve
  if queue then
    session.to_serve = nil
    self.destinations:serve(queue)
  end
end

-- What a frame meets instead of being handled; whether it did.
local function meet_misfortune(self, session, frame)
  local wrong = self.wrong
  if wrong:strikes("cut_on", frame, session) then
    cut_all(self, { session })
  elseif wrong:strikes("error_on", frame, session) then
    session:refuse("Refused on purpose",
      frame.headers.destination or frame.command, frame)
  elseif wrong:strikes("close_on", frame, session) then
    session:finish()
    session.peer:close()
  else
    return false
  end
  return true
end

--- A frame of a session's client.
function methods:frame(session, frame, now)
  self.shared.now = now
  self.counts.frames_received = self.counts.frames_received + 1
  if session.refused then return end
  session.n_frames = session.n_frames + 1
  if self.wrong.harmless then return handle(self, session, frame) end
  if meet_misfortune(self, session, frame) then return end
  if not self.wrong:strikes("cut_after", frame, session) then
    return handle(self, session, frame)
  end
  session:finish() -- it is handled, and its answers are lost
  handle(self, session, frame)
  cut_all(self, { session })
end

-- What its queues hold for it.
local function serve(self, session)
  for _, s in ipairs(session:in_order()) do
    if s.queue then self.destinations:serve(s.queue) end
  end
end

--- Write what waited for room or its time, and what its queues hold for it.
function methods:flush(session, now)
  self.shared.now = now
  session:flush()
  if session:has_room() then serve(self, session) end
end

-- ---- Time

--- When tick must be called at the latest; nil: no need.
function methods:deadline(session)
  if self.wrong.silent then return nil end
  local due, end_by = session:next_due(), session.end_by
  if not end_by or session.refused then return due end
  return math.min(due or math.huge, end_by)
end

--- Do what is due.
function methods:tick(session, now)
  self.shared.now = now
  if session:next_due() then self:flush(session, now) end
  if session.refused or now < (session.end_by or math.huge) then return end
  if not session.connected then self.counts.timed_out = self.counts.timed_out + 1 end
  session:finish()
  session.peer:close()
end

-- ---- On purpose

--- Misbehave from now on as these switches say, and in no other way; misuse
-- raises at `level`. See stomp.broker for them.
function methods:misbehave(switches, now, level)
  local wrong = misbehaviour.new(switches, (level or 1) + 1)
  local turned = wrong.silent ~= self.wrong.silent
  self.shared.now, self.shared.delay = now, wrong.delay
  self.wrong = wrong
  for _, session in ipairs(self:in_order()) do
    session.n_frames = 0
    if session.end_by then self:limit(session) end
    session:hurry(now + wrong.delay)
    if turned then session.peer:mute(wrong.silent) end
    session.peer:wake()
  end
end

--- Whether it takes no frames now.
function methods:is_silent() return self.wrong.silent end

--- Whether it is to refuse connections.
function methods:refuses_connects() return self.wrong.refuse_connects end

--- Cut every session, or those for which selector(session) says so; how many.
function methods:cut(selector, now)
  self.shared.now = now
  local list = {}
  for _, session in ipairs(self:in_order()) do
    if not selector or selector(session) then list[#list + 1] = session end
  end
  cut_all(self, list)
  return #list
end

--- End every session in order.
function methods:shut(now)
  self.shared.now = now
  local list = self:in_order()
  end_all(self, list)
  for _, session in ipairs(list) do session.peer:close() end
end

-- ---- Questions

local function all_stats(self)
  local all, stats = self.destinations, {}
  for name, value in pairs(self.counts) do stats[name] = value end
  stats.sessions, stats.subscriptions, stats.transactions = 0, 0, 0
  stats.unacknowledged, stats.queued, stats.held_bytes = 0, all:queued(), all.held
  for session in pairs(self.sessions) do
    stats.sessions = stats.sessions + 1
    stats.subscriptions = stats.subscriptions + session.n_subscriptions
    stats.transactions = stats.transactions + session.n_transactions
    for _, s in pairs(session.subscriptions) do
      stats.unacknowledged = stats.unacknowledged + s.unacked.n
    end
    for _, s in ipairs(session.parted) do
      stats.unacknowledged = stats.unacknowledged + s.unacked.n
    end
  end
  stats.destinations = all:all_stats()
  return stats
end

--- Figures of the broker, or of one destination. See stomp.broker for them.
function methods:stats(destination)
  if destination then return self.destinations:stats(destination) end
  return all_stats(self)
end

return engine
