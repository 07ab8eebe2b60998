-- SPDX-License-Identifier: MIT
-- Two ends of a loopback connection as pollables (docs/loops.md), for specs of
-- loops: write(text) on one makes the other readable.
local socket = require "socket"

local methods = {}
local mt = { __index = methods }

function methods:pollfd() return self.socket:getfd() end

function methods.events() return "r" end

function methods.timeout() return nil end

function methods:write(text) assert(self.socket:send(text)) end

--- What has come, "" when nothing has.
function methods:read()
  local all, _, part = self.socket:receive(4096)
  return all or part
end

function methods:close() self.socket:close() end

local function pollable(one)
  one:settimeout(0)
  return setmetatable({ socket = one }, mt)
end

--- The two ends.
local function new()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  local near = assert(socket.connect("127.0.0.1", port))
  local far = assert(listener:accept())
  listener:close()
  return pollable(near), pollable(far)
end

return { new = new }
