-- SPDX-License-Identifier: MIT
-- A client of the embedded broker's engine without a connection: it is the peer
-- that its session's frames go to, and keeps them. Time passes by `pass`.
local assert = require "luassert"
local engine = require "stomp.broker.engine"

local clocks = setmetatable({}, { __mode = "k" }) -- engine -> its time

local methods = {}
local mt = { __index = methods }

-- ---- As a peer

function methods:send(command, headers, body)
  if not self.room then return false end
  local frame = { command = command, headers = {}, list = headers, body = body,
    at = clocks[self.broker] }
  for _, pair in ipairs(headers) do
    frame.headers[pair[1]] = frame.headers[pair[1]] or pair[2]
  end
  self.got[#self.got + 1] = frame
  return true
end

function methods:version() return self.speaks end

function methods:close() self.ended = self.ended or "closed" end

function methods:cut() self.ended = self.ended or "cut" end

function methods:mute(yes) self.muted = yes end

function methods:wake() self.n_woken = self.n_woken + 1 end

-- ---- As a client

--- A frame of this client to the broker.
function methods:frame(command, headers, body)
  self.broker:frame(self.session,
    { command = command, headers = headers or {}, body = body or "" }, clocks[self.broker])
  return self
end

local function with(all, headers)
  for name, value in pairs(headers or {}) do all[name] = value end
  return all
end

function methods:publish(destination, body, headers)
  return self:frame("SEND", with({ destination = destination }, headers), body)
end

function methods:subscribe(id, destination, ack, headers)
  return self:frame("SUBSCRIBE",
    with({ id = id, destination = destination, ack = ack }, headers))
end

--- ACK or NACK of a MESSAGE, as the version wants it.
function methods:settle(command, message, headers)
  local names = message.headers
  return self:frame(command, with(self.speaks == "1.2" and { id = names.ack }
    or { ["message-id"] = names["message-id"], subscription = names.subscription }, headers))
end

--- What came since the last time, of one command.
function methods:take(command)
  local taken, rest = {}, {}
  for _, frame in ipairs(self.got) do
    table.insert(frame.command == command and taken or rest, frame)
  end
  self.got = rest
  return taken
end

--- The bodies of the MESSAGEs since the last time, "*" after a redelivered one.
function methods:bodies()
  local list = {}
  for i, frame in ipairs(self:take("MESSAGE")) do
    list[i] = frame.body .. (frame.headers.redelivered == "true" and "*" or "")
  end
  return list
end

--- The receipt ids since the last time.
function methods:receipts()
  local list = {}
  for i, frame in ipairs(self:take("RECEIPT")) do list[i] = frame.headers["receipt-id"] end
  return list
end

--- The one ERROR that must have come: its message and body.
function methods:refusal()
  local errors = self:take("ERROR")
  assert.equal(1, #errors)
  return errors[1].headers.message, errors[1].body, errors[1]
end

--- Its connection is over.
function methods:leave() self.broker:close(self.session, clocks[self.broker]) end

--- It has room again.
function methods:read_on()
  self.room = true
  self.broker:flush(self.session, clocks[self.broker])
  return self
end

-- ---- All

local clients = {}

--- A peer that has said nothing yet.
function clients.peer(broker, version)
  local self = setmetatable({
    broker = broker, speaks = version or "1.2", got = {}, room = true, n_woken = 0,
  }, mt)
  self.session = broker:open(self, clocks[broker])
  return self
end

--- A client that is connected.
function clients.new(broker, version, headers)
  local self = clients.peer(broker, version)
  self:frame("CONNECT", headers)
  self:take("CONNECTED")
  return self
end

function clients.engine(options)
  local broker = engine.new(options)
  clocks[broker] = 1000
  return broker
end

--- A broker and n clients that are connected.
function clients.setup(n, options)
  local broker, list = clients.engine(options), {}
  for i = 1, n do list[i] = clients.new(broker) end
  return broker, (table.unpack or unpack)(list) -- luacheck: ignore 113 143
end

function clients.now(broker) return clocks[broker] end

-- The earliest deadline, and whose.
local function next_of(broker)
  local time, first
  for _, session in ipairs(broker:in_order()) do
    local deadline = broker:deadline(session)
    if deadline and (not time or deadline < time) then time, first = deadline, session end
  end
  return time, first
end

--- Let time pass, as a driver does.
function clients.pass(broker, seconds)
  local finish = clocks[broker] + seconds
  local time, session = next_of(broker)
  while time and time <= finish do
    clocks[broker] = math.max(clocks[broker], time)
    broker:tick(session, clocks[broker])
    local again, whose = next_of(broker)
    assert(again ~= time or whose ~= session, "tick did not do what was due")
    time, session = again, whose
  end
  clocks[broker] = finish
end

function clients.misbehave(broker, switches)
  broker:misbehave(switches, clocks[broker])
end

return clients
