-- SPDX-License-Identifier: MIT
-- STOMP 1.0, 1.1 and 1.2 over WebSocket.
--
--   local stomp = require "stomp"
--   local client = assert(stomp.connect("ws://localhost:15674/ws",
--     { login = "guest", passcode = "guest" }))
--
-- The files in order of growing complexity: queue, check, url, headers, trace,
-- worker, events, message, receipts, pump, subscription, router, client, connect.
local connect_module = require "stomp.connect"
local replay_module = require "stomp.replay"
local scheduler = require "stomp.loop.scheduler"
local tracer_module = require "stomp.tracer"

local stomp = { _VERSION = "lua-stomp 0.1.0" }

--- Connect to a broker.
-- @tparam string|table url ws:// or wss://, or a list of one
-- @tparam[opt] table options see stomp/options.lua
-- @treturn[1] client once CONNECTED has come
-- @treturn[2] nil, message, err: invalid, connect, tls, upgrade, protocol,
-- broker, timeout, closed, limit
function stomp.connect(url, options)
  -- no tail call: misuse is blamed on the caller by counting levels
  local client, message, err = connect_module.connect(url, options, 2)
  return client, message, err
end

--- Run `f(...)` as a task of the built-in loop; returns its results when every
-- task has ended. An error in a task is raised with its traceback.
stomp.run = scheduler.run

--- Run `f(...)` as one more task.
function stomp.spawn(f, ...)
  if type(f) ~= "function" then
    error("spawn: function expected, got " .. type(f), 2)
  end
  local n, arguments = select("#", ...), { ... }
  if n == 0 then return scheduler.spawn(f) end
  return scheduler.spawn(function()
    f((table.unpack or unpack)(arguments, 1, n)) -- luacheck: ignore 113 143 (5.1 has the one, later ones the other)
  end)
end

--- Wait, while other tasks go on.
-- @tparam number seconds
stomp.sleep = scheduler.sleep

--- Seconds of a monotonic clock.
-- @treturn number
stomp.now = scheduler.now

--- A tracer for option `trace`: every frame goes into a file, with its time.
-- See docs/trace.md.
-- @tparam string|file where a path, which is overwritten, or an open file
-- @tparam[opt] table options bodies [false]: whole, as stomp.replay needs them
-- @treturn[1] tracer with close()
-- @treturn[2] nil, message, err: invalid, the file cannot be opened
function stomp.tracer(where, options)
  local tracer, message, err = tracer_module.new(where, options, 2)
  return tracer, message, err
end

--- Replay a trace: the program must send what was sent when it was recorded. See
-- docs/trace.md.
-- @tparam string|file where a path or an open file
-- @tparam[opt] function program program(url, options): connects with them; without
-- it the trace alone is checked
-- @tparam[opt] table options client [1], ignore (header names), speed, timeout
-- (seconds) [10], loop
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid, handler, timeout
function stomp.replay(where, program, options)
  local ok, message, err = replay_module.replay(where, program, options, 2)
  return ok, message, err
end

return stomp
