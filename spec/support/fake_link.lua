-- SPDX-License-Identifier: MIT
-- A transport (docs/transport.md) without sockets: the real client connection on
-- one side, a scripted server on the other, joined in memory. Made for
-- spec/support/fake_loop.lua.
--
--   local net = fake_link.new(loop, { SEND = function(server, frame) … end })
--   stomp.connect(url, { loop = loop, transport = net })
--   net.server:message("sub-1", "body")
--
-- Without a function for a command the server does what brokers do: CONNECTED,
-- RECEIPT where one is asked for, and an end after DISCONNECT.
local core = require "stomp.core"
local errors = require "stomp.errors"

-- ---- The server's side ----

local server_methods = {}

function server_methods:send(command, headers, body)
  assert(self.connection:send(command, headers, body))
  self.link.pipe[#self.link.pipe + 1] = self.connection:output()
end

function server_methods:accept(headers)
  assert(self.connection:accept(self.link.loop.now(), headers))
  self.link.pipe[#self.link.pipe + 1] = self.connection:output()
end

--- A MESSAGE of a subscription, numbered.
function server_methods:message(subscription, body, headers)
  self.n = self.n + 1
  local all = {
    subscription = subscription, destination = "/queue/a",
    ["message-id"] = "m" .. self.n, ack = "a" .. self.n,
  }
  for name, value in pairs(headers or {}) do all[name] = value or nil end
  self:send("MESSAGE", all, body or "")
end

function server_methods:receipt(frame)
  local id = frame.headers.receipt
  if id then self:send("RECEIPT", { ["receipt-id"] = id }) end
end

--- The bytes end after what was sent: with a WebSocket close code, or cut.
function server_methods:close(code, reason)
  self.link.last = { code or 0, reason or "" }
end

function server_methods:handle(frame)
  self.frames[#self.frames + 1] = frame
  local script = self.script[frame.command]
  if script == false then return end
  if script then return script(self, frame) end
  if frame.command == "CONNECT" then return self:accept { server = "fake/1" } end
  self:receipt(frame)
  if frame.command == "DISCONNECT" then self:close(1000) end
end

--- The frames that came of this command.
function server_methods:got(command)
  local list = {}
  for _, frame in ipairs(self.frames) do
    if frame.command == command then list[#list + 1] = frame end
  end
  return list
end

-- ---- The link ----

local methods = {}

-- What the client wrote reaches the server, who may answer.
local function carry_up(self)
  local bytes = self.connection:output()
  if bytes == "" then return end
  assert(self.server.connection:feed(bytes, self.loop.now()))
  local frame = self.server.connection:next()
  while frame do
    self.server:handle(frame)
    frame = self.server.connection:next()
  end
end

local function limit_of(self)
  return self.is_awaited and self.inbox_hard or self.inbox
end

-- What the server wrote reaches the client, as long as there is room.
local function carry_down(self)
  while not self.final and self.held < limit_of(self) and #self.pipe > 0 do
    -- a failure is said again by next, after the frames before it
    self.connection:feed(table.remove(self.pipe, 1), self.loop.now())
    local frame, message, err = self.connection:next()
    while frame do
      self.frames[#self.frames + 1] = frame
      self.held = self.held + frame:size()
      frame, message, err = self.connection:next()
    end
    if message then self.final = { nil, message, err } end
  end
  if self.last and #self.pipe == 0 and not self.final then
    local clean, message, err =
      self.connection:closed(self.last[1], self.last[2])
    self.final = clean and { false, message } or { nil, message, err }
  end
end

function methods:next()
  carry_up(self)
  carry_down(self)
  local frame = table.remove(self.frames, 1)
  if frame then
    self.held = self.held - frame:size()
    return frame
  end
  if self.final then return self.final[1], self.final[2], self.final[3] end
  return nil
end

function methods:ready()
  carry_up(self)
  carry_down(self)
  if self.room then
    self.room = false
    return true
  end
  return #self.frames > 0 or self.final ~= nil or self:stalled()
end

function methods:send(...)
  if self.full then return false end
  local ok, message, err = self.connection:send(...)
  carry_up(self)
  return ok, message, err
end

function methods:ack(frame, headers)
  if self.full then return false end
  local ok, message, err =
    self.connection:ack(frame, headers and headers.transaction)
  carry_up(self)
  return ok, message, err
end

function methods:nack(frame, headers)
  local ok, message, err =
    self.connection:nack(frame, headers and headers.transaction)
  carry_up(self)
  return ok, message, err
end

function methods:disconnect()
  local id, message, err = self.connection:disconnect(self.loop.now())
  carry_up(self)
  return id, message, err
end

function methods:close()
  self.n_close = self.n_close + 1
  if self.final then return end
  self.connection:close(self.loop.now())
  self.frames, self.final = {}, { false }
end

function methods:adopt(frame) self.held = self.held + frame:size() end

function methods:hold(frame) self.held = self.held + frame:size() end

function methods:release(frame) self.held = self.held - frame:size() end

function methods:awaiting(yes) self.is_awaited = yes end

function methods:stalled()
  return self.is_awaited and self.held >= self.inbox_hard
end

function methods:info()
  local c = self.connection
  return { state = c.state, version = c.version, heartbeat = c.heartbeat,
    receipts = c.receipts, session = 1 }
end

function methods:stats() return { inbox_bytes = self.held } end

function methods:wants_room() return self.full end

function methods:nudge() self.room = true end

--- The peer reads on: there is room in the outbox again.
function methods:drain()
  self.full, self.room = false, true
end

function methods.pollfd() return -1 end
function methods.events() return "r" end
function methods.timeout() return nil end

local function open(net, options)
  net.n_open = net.n_open + 1
  if net.refuse and net.refuse > 0 then
    net.refuse = net.refuse - 1
    return errors.failure("connect", "nobody listens")
  end
  local limits = options.limits or {}
  local inbox = limits.inbox or 1000000
  local link = setmetatable({
    loop = net.loop, pipe = {}, frames = {}, held = 0, n_close = 0,
    inbox = inbox, inbox_hard = limits.inbox_hard or 2 * inbox,
    connection = assert(core.connection {
      websocket = false, versions = options.versions,
      connect_headers = options.connect_headers, heartbeat = options.heartbeat,
    }),
  }, { __index = methods })
  link.server = setmetatable({
    link = link, script = net.script, frames = {}, n = 0,
    connection = assert(core.connection { role = "server", websocket = false }),
  }, { __index = server_methods })
  net.link, net.server, net.options = link, link.server, options
  net.servers[#net.servers + 1] = link.server
  if not net.silent then
    assert(link.connection:connect(net.loop.now()))
  end
  return link
end

--- A network with one scripted server; `net.link` and `net.server` are those of
-- the last connection, `net.servers` those of all; the next `net.refuse`
-- connections are refused.
local function new(loop, script)
  local net = { loop = loop, script = script or {}, n_open = 0, servers = {} }
  net.open = function(options) return open(net, options) end
  return net
end

return { new = new }
