-- SPDX-License-Identifier: MIT
-- A server that speaks in order until the script wants otherwise: LuaSocket on
-- the loopback, each connection a task of the built-in loop that runs
-- script(peer). What it says in order comes from a connection of role "server";
-- the rest is the script's own bytes. (scripted_server.lua uses none of our
-- code, and can TLS.)
local core = require "stomp.core"
local scheduler = require "stomp.loop.scheduler"
local socket = require "socket"

local scripted = {}

local slice = 0.02 -- seconds after which a wait looks whether it is over
local gone = {}    -- raised in a task whose connection has ended

local peer_methods = {}
local peer_mt = { __index = peer_methods }

local function wait(peer, events)
  if peer.server.stopped then error(gone, 0) end
  scheduler.wait({ pollfd = peer.socket:getfd(), events = events }, slice)
end

-- Whether an error of LuaSocket means "later"; it waits then.
local function is_later(peer, what, events)
  if what == "timeout" then wait(peer, events) return true end
  return false
end

--- Feed what has come to the machine; raises `gone` at the end.
function peer_methods:read()
  while true do
    local all, what, part = self.socket:receive(65536)
    local bytes = all or part or ""
    if #bytes > 0 then
      self.heard = self.heard .. bytes
      self.machine:feed(bytes, scheduler.now())
      return
    end
    if not is_later(self, what, "r") then error(gone, 0) end
  end
end

--- Close without a word; the script ends.
function peer_methods:cut()
  self.socket:close()
  error(gone, 0)
end

--- Send bytes as they are, up to the server's `budget`, where it cuts.
function peer_methods:send(bytes)
  local budget = self.server.budget
  local last = math.min(#bytes, budget)
  local i = 1
  while i <= last do
    local to, what, part = self.socket:send(bytes, i, last)
    i = (to or part or i - 1) + 1
    if not to and not is_later(self, what, "w") then error(gone, 0) end
  end
  self.server.budget = budget - last
  self.server.sent = self.server.sent + last
  if last < #bytes then self:cut() end
end

--- Send what the machine has to say.
function peer_methods:flush()
  self:send(self.machine:output())
end

--- Wait for the upgrade request: its key.
function peer_methods:request()
  while not self.heard:find("\r\n\r\n", 1, true) do self:read() end
  return self.heard:match("Sec%-WebSocket%-Key: ([^\r]*)")
end

--- The client's next frame.
function peer_methods:next()
  while true do
    local frame, message = self.machine:next()
    if frame then
      self.server.frames[#self.server.frames + 1] = frame
      return frame
    end
    if message then error(gone, 0) end
    self:read()
  end
end

--- Upgrade in order.
function peer_methods:upgrade()
  self:request()
  self:flush()
  self.server.upgraded = self.server.sent
end

--- Upgrade and CONNECTED in order.
function peer_methods:accept(headers)
  self:upgrade()
  self:next()
  assert(self.machine:accept(scheduler.now(), headers))
  self:flush()
end

--- Send a frame in order.
function peer_methods:say(command, headers, body)
  assert(self.machine:send(command, headers, body))
  self:flush()
end

--- Listen on until the client has gone.
function peer_methods:linger()
  while true do self:read() end
end

local function serve(server, accepted, script)
  accepted:settimeout(0)
  local peer = setmetatable({
    socket = accepted, server = server, heard = "",
    machine = assert(core.connection { role = "server" }),
  }, peer_mt)
  server.n_tasks = server.n_tasks + 1
  local function ended(text, value)
    peer.socket:close()
    server.n_tasks = server.n_tasks - 1
    if value ~= gone then server.problem = text end
  end
  scheduler.spawn(function()
    script(peer)
    error(gone, 0) -- the end is one for all
  end, ended)
end

local function accept_all(server, script)
  local watched = { pollfd = server.listener:getfd(), events = "r" }
  server.n_tasks = server.n_tasks + 1
  scheduler.spawn(function()
    while not server.stopped do
      local accepted = server.listener:accept()
      if accepted then serve(server, accepted, script) else scheduler.wait(watched, slice) end
    end
    server.listener:close()
    server.n_tasks = server.n_tasks - 1
  end)
end

local server_methods = {}

--- End it; what went wrong in a script is raised here.
function server_methods:stop()
  self.stopped = true
  local deadline = scheduler.now() + 10
  while self.n_tasks > 0 do
    assert(scheduler.now() < deadline, "a task of the scripted server hangs")
    scheduler.sleep(slice / 4)
  end
  assert(not self.problem, self.problem)
end

--- A server; options: budget (bytes until it cuts). Fields: url, frames, sent,
-- upgraded (bytes sent by then).
function scripted.start(script, options)
  options = options or {}
  local listener = assert(socket.bind("127.0.0.1", 0))
  listener:settimeout(0)
  local _, port = listener:getsockname()
  local server = setmetatable({
    listener = listener, budget = options.budget or math.huge, frames = {},
    sent = 0, n_tasks = 0, url = ("ws://127.0.0.1:%d/ws"):format(port),
  }, { __index = server_methods })
  accept_all(server, script)
  return server
end

--- A WebSocket frame as servers send it; opcode 1 (text) unless given.
function scripted.packet(payload, opcode)
  local head = string.char(128 + (opcode or 1))
  if #payload < 126 then return head .. string.char(#payload) .. payload end
  assert(#payload < 65536)
  return head .. string.char(126, math.floor(#payload / 256), #payload % 256) .. payload
end

--- A close frame.
function scripted.closing(code, reason)
  return scripted.packet(string.char(math.floor(code / 256), code % 256) .. (reason or ""), 8)
end

return scripted
