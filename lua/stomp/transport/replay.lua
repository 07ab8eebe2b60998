-- SPDX-License-Identifier: MIT
-- The transport of a replay (docs/transport.md): links in memory over the real
-- protocol machine. A recorded frame comes as soon as the program has sent all
-- that stands before it in the trace; what the program sends is compared with what
-- was sent then. The first difference ends the link and is the player's failure.
-- Knows core, errors, tracer and difference; the loop through its seam.
local core = require "stomp.core"
local difference = require "stomp.difference"
local errors = require "stomp.errors"

-- ---- The link ----

local methods = {}
local mt = { __index = methods }

-- So many frames does err.after name, as that of a real connection.
local AFTER = 4

--- The player has failed: the program is told by the end of its connection.
function methods:cut()
  self.final = { nil, self.player.failure.message, self.player.failure }
  self.condition:signal()
end

local function fail(self, event, text, fields)
  local player = self.player
  local where = event and ("%s line %d: "):format(player.events.name, event.line)
    or player.events.name .. ": "
  player:fail(errors.new("handler", where .. text, fields))
  self:cut()
end

--- The next frame that the program is to send: its event and place, or nil.
function methods:expected()
  for i = self.sent + 1, #self.script do
    if self.script[i].what == "send" then return self.script[i], i end
  end
end

-- Values of ignored headers differ: a frame that names the recorded one (a reply
-- its correlation-id, say) gets the program's.
local function keep_values(self, expected, got)
  for name in pairs(self.player.ignored) do
    local value = expected.headers[name]
    if value then self.player.values[value] = got.headers[name] end
  end
end

-- For err.after: the frames that were sent last, newest first.
local function remember(self, frame)
  local headers = frame.headers
  table.insert(self.after, 1, {
    command = frame.command,
    destination = headers.destination or headers.id or headers.transaction or "",
  })
  self.after[AFTER + 1] = nil
end

local function compare(self, got)
  local event, at = self:expected()
  if not event then
    return fail(self, nil, ("the program sent %s, which is not in the trace")
      :format(difference.name_of(got)), { got = got })
  end
  local why = difference.find(event.frame, got, self.player.ignored)
  if why then
    return fail(self, event, ("%s expected, the program sent %s (%s)"):format(
      difference.name_of(event.frame), difference.name_of(got), why), { expected = event.frame, got = got })
  end
  keep_values(self, event.frame, got)
  remember(self, got)
  self.sent = at
  self.player:progress()
  self.condition:signal()
end

-- What the program has written.
local function collect(self)
  local bytes = self.connection:output()
  if bytes == "" then return end
  assert(self.parser:feed(bytes))
  local frame = self.parser:next()
  while frame and not self.player.failure do
    if frame ~= "heartbeat" then compare(self, frame) end
    frame = self.parser:next()
  end
end

-- The recorded frame in the version that this connection speaks.
local function bytes_of(self, frame)
  local headers = {}
  for name, value in pairs(frame.headers) do
    headers[name] = self.player.values[value] or value
  end
  return core.encode(frame.command, headers, frame.body or "",
    self.connection.version)
end

local function receive(self, event)
  local bytes, message, err = bytes_of(self, event.frame)
  if bytes then
    bytes, message, err = self.connection:feed(bytes, self.loop.now())
  end
  if not bytes then self.final = { nil, message, err } end
  if self.connection.version then self.parser:version(self.connection.version) end
end

local function finish(self, event)
  local note = event.text:match("^clean ?(.*)$")
  if note then
    -- after DISCONNECT the peer's end of it; else the program itself closed
    if self.connection.state ~= "connected" then
      self.final = { false, note ~= "" and note or nil }
    end
    return
  end
  local kind, text = event.text:match("^(%l+): (.*)$")
  if not errors.kinds[kind] then kind, text = "closed", event.text end
  local err = errors.new(kind, text, {
    hint = false, -- it is in the text
    after = self.after, code = tonumber(text:match("close code (%d+)")),
  })
  self.final = { nil, err.message, err }
end

-- Seconds until the event may happen: 0, or with option speed what is left.
local function due(self, event)
  if not self.player.speed then return 0 end
  local at = self.began
    + (event.time - self.script[1].time) / self.player.speed
  return math.max(0, at - self.loop.now())
end

-- One event of the trace; false where the program or the time must come first.
local function advance(self)
  local event = self.script[self.at]
  if not event then
    local over = self.connection.state == "closed"
    self.final = over and { false }
      or { errors.failure("closed", "the trace ends here") }
    return false
  elseif event.what == "send" and self.at > self.sent then
    return false
  elseif event.what ~= "send" and due(self, event) > 0 then
    return false
  end
  self.at = self.at + 1
  self.player:progress()
  if event.what == "receive" then receive(self, event) end
  if event.what == "end" then finish(self, event) end
  return true
end

local function fetch(self)
  while not self.final do
    local frame, message, err = self.connection:next()
    if frame then return frame end
    if message then
      self.final = { nil, message, err }
    elseif not advance(self) then
      return nil
    end
  end
end

function methods:next()
  local frame = self.fetched or fetch(self)
  self.fetched = nil
  if frame then
    self.messages = self.messages + (frame.command == "MESSAGE" and 1 or 0)
    return frame
  end
  if self.final then return self.final[1], self.final[2], self.final[3] end
  return nil
end

--- Whether next has news, or somebody nudged.
function methods:ready()
  if self.nudged then
    self.nudged = false
    return true
  end
  self.fetched = self.fetched or fetch(self)
  return self.fetched ~= nil or self.final ~= nil
end

-- ---- The link's other calls: those of the machine ----

-- Whether the connection was lost by now, with nothing sent any more.
local function is_lost(self)
  local last = self.script[#self.script]
  return last.what == "end" and not last.text:find("^clean") and not self:expected()
    and due(self, last) == 0
end

local function passed_on(name)
  return function(self, ...)
    if self.final or is_lost(self) then
      return errors.failure("closed", name .. ": the connection is closed")
    end
    local ok, message, err = self.connection[name](self.connection, ...)
    collect(self)
    return ok, message, err
  end
end

methods.send = passed_on "send"
methods.ack = passed_on "ack"
methods.nack = passed_on "nack"

function methods:disconnect()
  local id, message, err = self.connection:disconnect(self.loop.now())
  collect(self)
  return id, message, err
end

function methods:close()
  self.fetched = nil
  self.final = self.final or { false }
  self.condition:signal()
end

function methods:nudge()
  self.nudged = true
  self.condition:signal()
end

function methods:info()
  local c = self.connection
  return { state = c.state, version = c.version, heartbeat = c.heartbeat,
    receipts = c.receipts, compression = c.compression }
end

function methods:stats()
  local stats = self.connection:counts()
  stats.messages = self.messages
  stats.inbox_bytes, stats.outbox_bytes, stats.paused_seconds = 0, 0, 0
  return stats
end

-- There is always room, both ways.
function methods.hold() end
function methods.adopt() end
function methods.release() end
function methods.awaiting() end
function methods.warning() end
function methods.wants_room() return false end
function methods.stalled() return false end

-- No descriptor: only the loop below can wait for it.
function methods.pollfd() return -1 end
function methods.events() return "r" end

function methods:timeout()
  local event = self.script[self.at]
  if event and event.what ~= "send" and self.player.speed then
    return due(self, event)
  end
end

--- A link of `player`, which has: script of this connection (events, see tracer),
-- loop, ignored and values (sets of headers, see difference), speed or nil, and
-- the methods fail(err) and progress(). `options` are the transport's.
local function open(player, script, options)
  local connection, message, err = core.connection {
    websocket = false, versions = options.versions,
    connect_headers = options.connect_headers, heartbeat = options.heartbeat,
    escape_connect = options.escape_connect,
  }
  if not connection then return nil, message, err end
  local loop = player.loop
  local self = setmetatable({
    player = player, script = script, connection = connection, loop = loop,
    parser = core.parser(), condition = loop.condition(), began = loop.now(),
    at = 1,   -- the event that comes next
    sent = 0, -- the last event that the program has sent
    messages = 0, after = {}, fetched = nil, nudged = false, final = nil,
    replayed = true, -- for the loop, see replay.lua
  }, mt)
  assert(connection:connect(loop.now()))
  collect(self)
  return self
end

return { open = open }
