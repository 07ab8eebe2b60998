-- SPDX-License-Identifier: MIT
-- A server that does what a script says, as a task of the built-in loop in this
-- process: what a peer may do wrong, one thing a spec. It uses LuaSocket (and
-- LuaSec for TLS), none of our own code but the accept key's.
local scheduler = require "stomp.loop.scheduler"
local socket = require "socket"
local wire = require "spec.support.wire"

local server = {}

local conn = {}
local conn_mt = { __index = conn }

-- What only asks for patience; any other problem is the connection's end.
local passing = { timeout = true, wantread = true, wantwrite = true }

local function wait(self, events, timeout)
  return scheduler.wait({ pollfd = self.socket:getfd(), events = events }, timeout or 10)
end

--- The next bytes, nil at the end.
function conn:read()
  while true do
    local bytes, problem, partial = self.socket:receive(65536)
    bytes = bytes or partial
    if bytes and bytes ~= "" then return bytes end
    if not passing[problem] then return nil end
    assert(wait(self, problem == "wantwrite" and "w" or "r"), "the client sends nothing")
  end
end

--- Bytes until the plain text `mark` has come.
function conn:read_until(mark)
  local text = ""
  while not text:find(mark, 1, true) do text = text .. assert(self:read(), "the client ended") end
  return text
end

function conn:write(bytes)
  local at = 1
  while at <= #bytes do
    local last, problem, partial = self.socket:send(bytes, at)
    at = (last or partial) + 1
    if problem and not passing[problem] then return end
    if problem then wait(self, problem == "wantread" and "r" or "w") end
  end
end

--- Answer the upgrade; returns the request.
function conn:upgrade(more)
  local request = self:read_until("\r\n\r\n")
  local key = request:match("Sec%-WebSocket%-Key: (%S+)")
  self:write((wire.switching(key):gsub("\r\n\r\n$", "\r\n" .. (more or "") .. "\r\n")))
  return request
end

--- One text message.
function conn:text(text)
  self:write(server.text(text))
end

--- A close frame.
function conn:close_frame(code, reason)
  local payload = string.char(math.floor(code / 256), code % 256) .. (reason or "")
  self:write("\x88" .. string.char(#payload) .. payload)
end

--- Upgrade and CONNECTED; the client's CONNECT is read, whatever it says.
function conn:connected()
  self:upgrade()
  self:read() -- masked: its content is the session specs' business
  self:text(server.connected)
end

--- Wait until the client ends.
function conn:wait_end()
  repeat local bytes = self:read() until not bytes
end

server.connected = "CONNECTED\nversion:1.2\nheart-beat:0,0\nserver:scripted/1\n\n\0"

--- The WebSocket frame of a text message.
function server.text(text)
  local n = #text
  if n < 126 then return "\x81" .. string.char(n) .. text end
  return "\x81\126" .. string.char(math.floor(n / 256), n % 256) .. text
end

--- Start one; `script(conn)` runs for each connection. `tls`: LuaSec parameters.
-- Returns its port and a function that stops it.
function server.start(script, tls)
  local listening = assert(socket.bind("127.0.0.1", 0))
  listening:settimeout(0)
  local stopped = false
  local function serve(accepted)
    local self = setmetatable({ socket = accepted }, conn_mt)
    accepted:settimeout(0)
    if tls then
      self.socket = assert(require "ssl".wrap(accepted, tls))
      self.socket:settimeout(0)
      local ok, problem = self.socket:dohandshake()
      while not ok and (problem == "wantread" or problem == "wantwrite") do
        if not wait(self, problem == "wantread" and "r" or "w") then break end
        ok, problem = self.socket:dohandshake()
      end
      if not ok then return self.socket:close() end
    end
    script(self)
    self.socket:close()
  end
  scheduler.spawn(function()
    while not stopped do
      local accepted = listening:accept()
      if accepted then
        scheduler.spawn(function() serve(accepted) end)
      else
        scheduler.wait({ pollfd = listening:getfd(), events = "r" }, 30)
      end
    end
    listening:close()
  end)
  local _, port = listening:getsockname()
  return tonumber(port), function()
    stopped = true
    socket.connect("127.0.0.1", port):close()
    scheduler.sleep(0)
  end
end

return server
