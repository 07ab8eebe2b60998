-- SPDX-License-Identifier: MIT
--- An in-memory broker for demos and for tests of users' own programs. It runs as
-- tasks of the built-in loop, in the same process: inside `stomp.run` (which does
-- not wait for its end), or while a plain script waits for something; or in a world of stomp.testing, on its loop
-- and transport. Production belongs on RabbitMQ, ActiveMQ or Artemis.
-- @module stomp.broker
local check = require "stomp.check"
local engine = require "stomp.broker.engine"
local errors = require "stomp.errors"
local url_of = require "stomp.url"

local broker = {}

local methods = {}
local mt = { __name = "stomp.broker", __index = methods }

function mt:__tostring()
  return "broker at " .. self.url
end

-- Frames of one session that are handled before the others get a turn.
local turn = 64

-- ---- One session

local peer = {}
local peer_mt = { __index = peer }

function peer:send(command, headers, body)
  local sent, _, err = self.link:send(command, headers, body)
  if sent ~= nil then return sent end
  -- the link is over, or the frame cannot be sent at this version: its session
  -- ends with the link, there is nobody to tell
  if err.kind ~= "closed" then self.link:refuse("Processing error", err.message) end
  return true
end

local function take_connect(self, session, link, frame)
  if not self.engine:admits(frame.headers) then
    link:refuse("Bad CONNECT",
      ("Access refused for user '%s'\n"):format(tostring(frame.headers.login)))
    return
  end
  link:accept { { "server", "lua-stomp/0.1.0" }, { "session", session.id } }
end

local function take_frame(self, session, link, frame)
  local command = frame.command
  if command == "CONNECT" or command == "STOMP" then
    take_connect(self, session, link, frame)
  else
    self.engine:frame(session, frame)
  end
end

local function serve(self, session, link)
  local handled = 0
  while true do
    local frame, message = link:next()
    if frame then
      take_frame(self, session, link, frame)
      handled = handled + 1
      if handled % turn == 0 then self.loop.sleep(0) end
    elseif frame == false or message then
      return
    else
      if #session.pending > 0 and not link:wants_room() then
        self.engine:flush(session)
      end
      self.loop.wait(link)
    end
  end
end

-- ---- The listener

local function on_error(text)
  io.stderr:write("lua-stomp: in the embedded broker: ", text, "\n")
end

-- A link's session, until its end, whatever ends it.
local function begin(self, link)
  local session = self.engine:open(setmetatable({ link = link }, peer_mt))
  local function finish()
    self.links[link] = nil
    self.engine:close(session)
    link:close()
  end
  self.links[link] = true
  self.loop.spawn(function()
    serve(self, session, link)
    finish()
  end, function(text)
    finish()
    on_error(text)
  end, true)
end

local function accept(self)
  while not self.closed do
    local link = self.listener:next()
    if link then
      begin(self, link)
    else
      self.loop.wait(self.listener)
    end
  end
end

local known = {
  allow_remote = "boolean", logins = "table", heartbeat = "table",
  limits = "table", queue_limit = "number", loop = "table", transport = "table",
}

-- No names but one: a name that looks like an address may be anything.
local function is_loopback(host)
  return host == "localhost" or host == "::1"
    or host:match("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- A URL that may have port 0.
local function read_url(text)
  local before, after = text:match("^(%a+://[^/?]*):0([/?].*)$")
  if not before then before, after = text:match("^(%a+://[^/?]*):0$"), "" end
  if not before then return url_of.parse(text) end
  local url, message, err = url_of.parse(before .. after)
  if not url then return nil, message, err end
  url.port = 0
  return url
end

local function open_listener(url, options)
  if url.secure then
    return errors.failure("invalid", "the embedded broker speaks ws:// only")
  elseif not options.allow_remote and not is_loopback(url.host) then
    return errors.failure("invalid",
      url.host .. " is no loopback address (option allow_remote)")
  end
  local transport = options.transport or require "stomp.transport.lws"
  return transport.listen {
    host = url.host == "localhost" and "127.0.0.1" or url.host,
    port = url.port,
    heartbeat = options.heartbeat,
    limits = options.limits,
  }
end

--- Start a broker.
-- @tparam string text `ws://127.0.0.1:0/ws`; port 0 picks one
-- @tparam[opt] table options `logins` {login = passcode}, `allow_remote`,
-- `heartbeat`, `limits`, `queue_limit`, `loop` (docs/loops.md), `transport`
-- (docs/transport.md)
-- @treturn[1] broker `.url` is where it listens
-- @treturn[2] nil, message, err of kind invalid or connect
function broker.listen(text, options)
  check.argument("url", text, "string", 2)
  options = check.options(options, known, 2)
  local url, message, err = read_url(text)
  if not url then return nil, message, err end
  local listener
  listener, message, err = open_listener(url, options)
  if not listener then return nil, message, err end
  local self = setmetatable({
    listener = listener,
    loop = options.loop or require "stomp.loop.scheduler",
    engine = engine.new(options),
    links = {},
    closed = false,
    url = ("ws://%s:%d%s"):format(url.host_name, listener:port(), url.path),
  }, mt)
  self.loop.spawn(function() accept(self) end, on_error, true)
  return self
end

--- Stop listening and close every session.
function methods:close()
  if self.closed then return end
  self.closed = true
  self.listener:close()
  for link in pairs(self.links) do link:close() end
end

mt.__close = methods.close

--- Figures: sessions, subscriptions, queued, unacknowledged, messages_in …
function methods:stats()
  return self.engine:stats()
end

return broker
