-- SPDX-License-Identifier: MIT

--- An in-memory broker for demos and for tests of users' own programs. It runs as
-- tasks of the built-in loop, in the same process: inside `stomp.run` (which does
-- not wait for its end), or while a plain script waits for something; or in a world
-- of stomp.testing, on its loop and transport. Production belongs on RabbitMQ,
-- ActiveMQ or Artemis.
-- @module stomp.broker

local check = require "stomp.check"
local engine = require "stomp.broker.engine"
local errors = require "stomp.errors"
local options_module = require "stomp.broker.options"
local url_of = require "stomp.url"

local broker = {}

local methods = {}
local mt = { __name = "stomp.broker", __index = methods }

function mt:__tostring()
  return "broker at " .. self.url
end

-- Frames of one session that are handled before the others get a turn.
local turn = 64

-- ---- A link as the engine's peer

local peer = {}
local peer_mt = { __index = peer }

function peer:send(command, headers, body)
  local link = self.link
  local sent, _, err
  if command == "CONNECTED" then
    sent, _, err = link:accept(headers)
  else
    sent, _, err = link:send(command, headers, body)
  end
  if sent ~= nil then return sent end
  -- the link is over, or the frame cannot be sent at this version: its session
  -- ends with the link, there is nobody to tell
  if err.kind ~= "closed" then link:refuse("Processing error", err.message) end
  return true
end

function peer:version() return self.link:info().version end

function peer:close() self.link:close() end

function peer:cut() self.link:cut() end

function peer:mute(yes) self.link:mute(yes) end

function peer:wake() self.link:nudge() end

-- ---- One session

-- What has room or is due; seconds until something will be.
local function do_due(self, session, link)
  local now = self.loop.now()
  if session.full and not link:wants_room() then self.engine:flush(session, now) end
  local deadline = self.engine:deadline(session)
  if deadline and deadline <= now then
    self.engine:tick(session, now)
    deadline = self.engine:deadline(session)
  end
  return deadline and math.max(deadline - now, 0)
end

-- Handle what came, one turn's worth at most; false when the link has ended.
local function take_turn(self, session, link)
  for _ = 1, turn do
    local frame, message = link:next()
    if frame then
      self.engine:frame(session, frame, self.loop.now())
      if self.engine:is_silent() then return true end
    elseif frame == false or message then
      return false
    else
      self.loop.wait(link, do_due(self, session, link))
      return true
    end
  end
  do_due(self, session, link)
  self.loop.sleep(0)
  return true
end

local function serve(self, session, link)
  while not session.closed do
    if self.engine:is_silent() then
      self.changed:wait() -- its frames wait, as for a process that was stopped
    elseif not take_turn(self, session, link) then
      return
    end
  end
end

local function on_error(text)
  io.stderr:write("lua-stomp: in the embedded broker: ", text, "\n")
end

-- A link's session, until its end, whatever ends it.
local function begin(self, link)
  local session = self.engine:open(setmetatable({ link = link }, peer_mt), self.loop.now())
  local function finish()
    self.engine:close(session, self.loop.now())
    link:close()
  end
  self.loop.spawn(function()
    serve(self, session, link)
    finish()
  end, function(text)
    finish()
    on_error(text)
  end, true)
end

-- ---- The listener

-- Until this listener is no longer the broker's.
local function accept(self, listener)
  while self.listener == listener do
    local link = listener:next()
    if link then
      begin(self, link)
    else
      self.loop.wait(listener)
    end
  end
end

local function stop_listening(self)
  local listener = self.listener
  self.listener = nil
  if listener then listener:close() end
end

-- Listen, where it does not and nothing speaks against it.
local function listen(self)
  if self.listener or self.stopped or self.engine:refuses_connects() then return true end
  local listener, message, err = self.transport.listen(self.where)
  if not listener then return nil, message, err end
  self.listener, self.where.port = listener, listener:port()
  self.loop.spawn(function() accept(self, listener) end, on_error, true)
  return true
end

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

local function check_url(text, options)
  local url, message, err = read_url(text)
  if not url then
    return nil, message, err
  elseif url.secure then
    return errors.failure("invalid", "the embedded broker speaks ws:// only")
  elseif not options.allow_remote and not is_loopback(url.host) then
    return errors.failure("invalid",
      url.host .. " is no loopback address (option allow_remote)")
  end
  return url
end

--- Start a broker.
-- @tparam string url `ws://127.0.0.1:0/ws`; port 0 picks one
-- @tparam[opt] table options `logins` {login = passcode}, `allow_remote`,
-- `heartbeat`, `limits`, `queue_limit` (bytes of all messages that are kept
-- [64 MiB]), `timeout` (seconds until CONNECT must have come [10]), `server` (the
-- header of CONNECTED), `compression` (false; true: permessage-deflate is accepted),
-- `loop` (docs/loops.md), `transport` (docs/transport.md)
-- @treturn[1] broker its field `url` is where it listens
-- @treturn[2] nil, message, err of kind invalid or connect
function broker.listen(url, options)
  check.argument("url", url, "string", 2)
  options = options_module.read(options, 2)
  local at, message, err = check_url(url, options)
  if not at then return nil, message, err end
  local loop = options.loop or require "stomp.loop.scheduler"
  local self = setmetatable({
    loop = loop,
    transport = options.transport or require "stomp.transport.lws",
    where = {
      host = at.host == "localhost" and "127.0.0.1" or at.host, port = at.port,
      heartbeat = options.heartbeat, limits = options.limits,
      compression = options.compression,
    },
    engine = engine.new(options),
    changed = loop.condition(), -- what sessions of a silent broker wait for
    listener = nil,             -- nil: it does not listen
    stopped = false,
    closed = false,
  }, mt)
  local ok
  ok, message, err = listen(self)
  if not ok then return nil, message, err end
  self.url = ("ws://%s:%d%s"):format(at.host_name, self.where.port, at.path)
  return self
end

-- ---- Its life

--- What `listen` returns.
-- @type broker

--- What a program may read.
-- @table fields
-- @tfield string url where it listens

--- Serve until it is closed.
-- @tparam[opt] number timeout seconds
-- @treturn[1] true
-- @treturn[2] nil, message, err of kind timeout
-- @function broker:run
function methods:run(timeout)
  check.timeout(timeout, 2)
  local deadline = timeout and self.loop.now() + timeout
  while not self.closed do
    local left = deadline and deadline - self.loop.now()
    if left and left <= 0 then
      return errors.failure("timeout", ("the broker is still open after %g s"):format(timeout))
    end
    self.changed:wait(left)
  end
  return true
end

--- Close every session, in order, and listen no more: the port is free when it
-- returns. May be called twice; leaving the scope of a `<close>` variable does it.
-- @function broker:close
function methods:close()
  if self.closed then return end
  self.closed, self.stopped = true, true
  stop_listening(self)
  self.engine:misbehave({}, self.loop.now())
  self.engine:shut(self.loop.now())
  self.changed:signal()
end

mt.__close = methods.close

local function check_open(self)
  if self.closed then error("the broker is closed", 3) end
end

--- Stop as a crash does: every connection is cut, nobody gets in. Queues stay;
-- what was unacknowledged goes back to them.
-- @function broker:stop
function methods:stop()
  check_open(self)
  self.stopped = true
  stop_listening(self)
  self.engine:cut(nil, self.loop.now())
  self.changed:signal()
end

--- Listen again, on the same port.
-- @treturn[1] true
-- @treturn[2] nil, message, err of kind connect: somebody else has it now
-- @function broker:start
function methods:start()
  check_open(self)
  self.stopped = false
  local ok, message, err = listen(self)
  return ok, message, err
end

--- `stop` and `start`.
-- @treturn[1] true
-- @treturn[2] nil, message, err of kind connect
-- @function broker:restart
function methods:restart()
  check_open(self)
  self:stop()
  local ok, message, err = self:start()
  return ok, message, err
end

-- ---- On purpose

--- Misbehave from now on as these switches say, and in no other way; without any,
-- behave. See docs/testing.md.
-- @tparam[opt] table switches
-- @treturn[1] true
-- @treturn[2] nil, message, err of kind connect: it refused connections, and
-- somebody else has the port now
-- @function broker:misbehave
function methods:misbehave(switches)
  check_open(self)
  self.engine:misbehave(switches, self.loop.now(), 2)
  self.changed:signal()
  if self.engine:refuses_connects() then stop_listening(self) end
  local ok, message, err = listen(self)
  return ok, message, err
end

--- Cut connections as a network does: what is under way is lost.
-- @tparam[opt] function selector function(session) -> whether to cut this one;
-- `session.id` is the header of its CONNECTED, `session.login` of its CONNECT
-- @treturn number how many were cut
-- @function broker:cut
function methods:cut(selector)
  if selector ~= nil then check.argument("selector", selector, "function", 2) end
  local n = self.engine:cut(selector, self.loop.now())
  self.changed:signal()
  return n
end

--- Figures, see docs/testing.md.
-- @tparam[opt] string destination of this one alone
-- @treturn table
-- @function broker:stats
function methods:stats(destination)
  if destination ~= nil then check.argument("destination", destination, "string", 2) end
  return self.engine:stats(destination)
end

return broker
