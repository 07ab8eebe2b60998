-- SPDX-License-Identifier: MIT
--- A recorded trace as a spec: the frames that came are fed to a program's client,
-- what the program sends must agree with what was sent then. No socket is needed
-- and, without option `speed`, none of the time that was recorded.
-- Knows core, check, errors, show, tracer, difference and transport.replay; the loop
-- through its seam.
-- @module stomp.replay
local check = require "stomp.check"
local core = require "stomp.core"
local difference = require "stomp.difference"
local errors = require "stomp.errors"
local link_module = require "stomp.transport.replay"
local show = require "stomp.show"
local tracer = require "stomp.tracer"

-- ---- Scripts ----

-- One a connection, from its CONNECT on.
local function scripts_of(events, client)
  local scripts = {}
  for _, event in ipairs(events) do
    if event.client == client and event.what ~= "info" then
      local connects = event.what == "send" and event.frame.command == "CONNECT"
      if connects then scripts[#scripts + 1] = {} end
      local script = scripts[#scripts]
      if script then script[#script + 1] = event end
    end
  end
  return scripts
end

local function url_of(events, client)
  for _, event in ipairs(events) do
    local url = event.client == client and event.what == "info"
      and event.text:match("^connecting to (%S+)")
    if url then return url end
  end
  return "ws://replay.invalid/"
end

-- ---- A program that plays along ----

local methods = {}
local mt = { __index = methods }

--- The trace has gone on.
function methods:progress()
  self.last = self.loop.now()
end

--- The first failure counts.
function methods:fail(err)
  self.failure = self.failure or err
  self.done:signal()
end

function methods:open(options)
  self.opened = self.opened + 1
  local script = self.scripts[self.opened]
  if not script then
    self:fail(errors.new("handler", self.events.name
      .. ": the program connected once more than the trace"))
    return nil, self.failure.message, self.failure
  end
  local link, message, err = link_module.open(self, script, options)
  self.link = link
  return link, message, err
end

-- What the program has not sent yet: its event, or nil.
local function missing(self)
  local event = self.link and self.link:expected()
  local following = self.scripts[self.opened + 1]
  return event or following and following[1]
end

local function late(self, seconds)
  local event = missing(self)
  local what = event and (" line %d: %s was not sent"):format(event.line,
    difference.name_of(event.frame)) or ": the program does not end"
  local _, message, err = errors.failure("timeout",
    ("%s%s within %g s"):format(self.events.name, what, seconds))
  self:fail(err)
  if self.link then self.link:cut() end -- lets the program go
  return nil, message, err
end

-- Run the program as a task until it has ended, failed or stands still.
local function run(self, program, options, seconds)
  local ended = false
  self.loop.spawn(function()
    program(self.url, options)
    ended = true
    self.done:signal()
  end, function(traceback, value)
    self:fail(errors.new("handler", show.value(value),
      { traceback = traceback, value = value }))
  end)
  self:progress()
  while not ended and not self.failure do
    local left = self.last + seconds - self.loop.now()
    if left <= 0 then return late(self, seconds) end
    self.done:wait(left)
  end
  if self.failure then return nil, self.failure.message, self.failure end
  local event = missing(self)
  if event then
    return errors.failure("handler", ("%s line %d: the program did not send %s")
      :format(self.events.name, event.line, difference.name_of(event.frame)),
      { expected = event.frame })
  end
  return true
end

-- The program's loop: links of a replay have no descriptor to wait for.
local function loop_over(base)
  local loop = setmetatable({}, { __index = base })
  function loop.wait(pollable, timeout)
    if not pollable.replayed then return base.wait(pollable, timeout) end
    if pollable:ready() then return true end
    local left = pollable:timeout()
    if timeout and (not left or timeout < left) then left = timeout end
    return pollable.condition:wait(left) or pollable:ready()
  end
  return loop
end

local function play(events, program, options)
  local client = options.client or 1
  local ignored = {}
  for _, name in ipairs(options.ignore or {}) do ignored[name] = true end
  local loop = loop_over(options.loop or require "stomp.loop.scheduler")
  local self = setmetatable({
    events = events, scripts = scripts_of(events, client),
    url = url_of(events, client), opened = 0, link = nil, failure = nil,
    ignored = ignored, values = {}, speed = options.speed,
    loop = loop, done = loop.condition(), last = nil,
  }, mt)
  if #self.scripts == 0 then
    return errors.failure("invalid",
      ("%s has no CONNECT of client %d"):format(events.name, client))
  end
  local transport = { name = "replay" }
  function transport.open(given)
    local link, message, err = self:open(given)
    return link, message, err
  end
  return run(self, program, { loop = loop, transport = transport, proxy = false },
    options.timeout or 10)
end

-- ---- No program: is it a conversation at all? ----

local function versions_of(connect)
  local versions = {}
  for version in (connect.headers["accept-version"] or "1.0"):gmatch("[^,]+") do
    versions[#versions + 1] = version
  end
  return versions
end

local function headers_of(frame)
  local headers = {}
  for name, value in pairs(frame.headers) do
    if name ~= "content-length" then headers[name] = value end
  end
  return headers
end

local function say(connection, frame)
  if frame.command == "CONNECT" then
    connection:output()
    return true
  elseif frame.command == "DISCONNECT" then
    return connection:disconnect(0)
  end
  return connection:send(frame.command, headers_of(frame), frame.body)
end

local function hear(connection, frame)
  local bytes, message = core.encode(frame.command, headers_of(frame), frame.body,
    connection.version)
  if not bytes then return nil, message end
  local ok
  ok, message = connection:feed(bytes, 0)
  if not ok then return nil, message end
  ok, message = connection:next()
  if not ok and frame.command ~= "ERROR" then return nil, message end
  return true
end

-- The protocol machine takes part in it: what was sent may be sent then, what came
-- may come then.
local function check_script(events, script)
  local connection = core.connection {
    websocket = false, versions = versions_of(script[1].frame),
    heartbeat = { send = 0, receive = 0 },
  }
  assert(connection:connect(0))
  for _, event in ipairs(script) do
    local ok, message = true, nil
    if event.what == "send" then ok, message = say(connection, event.frame) end
    if event.what == "receive" then ok, message = hear(connection, event.frame) end
    if not ok then
      return errors.failure("invalid", ("%s line %d: %s"):format(events.name,
        event.line, message or "out of turn"))
    end
  end
  return true
end

local function validate(events)
  local clients = {}
  for _, event in ipairs(events) do clients[event.client] = true end
  for client in pairs(clients) do
    for _, script in ipairs(scripts_of(events, client)) do
      local ok, message, err = check_script(events, script)
      if not ok then return nil, message, err end
    end
  end
  return true
end

-- ---- All ----

local replay_options = {
  client = "number", ignore = "table", speed = "number", timeout = "number",
  loop = "table",
}

--- Replay a trace that stomp.tracer has written.
-- @tparam string|file where a path or an open file
-- @tparam[opt] function program program(url, options): connects with
-- stomp.connect(url, options), more options added, and does what it did when the
-- trace was recorded. Without it the trace alone is checked: every line, and
-- whether STOMP allows that conversation.
-- @tparam[opt] table options client [1]: which one of the trace; ignore: names of
-- headers whose values differ each time (what comes gets the program's values);
-- speed: 1 waits as long as it took, 2 half of it [does not wait]; timeout [10]:
-- seconds in which neither side goes on; loop
-- @treturn[1] true the program sent what was sent then, in that order
-- @treturn[2] nil, message, err: invalid (the file), handler (the program sent
-- something else: err.expected and err.got are frames; or raised: err.traceback),
-- timeout (it did not go on)
local function replay(where, program, options, level)
  level = (level or 1) + 1
  check.argument("file", where, "string userdata table", level)
  check.argument("program", program, "function nil", level)
  options = check.options(options, replay_options, level)
  local events, message, err = tracer.read(where)
  if not events then return nil, message, err end
  local ok
  ok, message, err = validate(events)
  if not ok then return nil, message, err end
  if not program then return true end
  if not events.bodies then
    return errors.failure("invalid", events.name
      .. " has no bodies: record it with stomp.tracer(file, { bodies = true })")
  end
  ok, message, err = play(events, program, options)
  return ok, message, err
end

return { replay = replay }
