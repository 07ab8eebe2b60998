-- SPDX-License-Identifier: MIT

--- STOMP 1.0, 1.1 and 1.2 over WebSocket.
--
--    local stomp = require "stomp"
--    local client = assert(stomp.connect("ws://localhost:15674/ws",
--      { login = "guest", passcode = "guest" }))
--
-- Times are seconds. What a program can meet returns `nil, message, err`: message
-- begins with the kind, err is a table with `kind`, `message` and more
-- (docs/errors.md). Misuse (a wrong type, an unknown option) raises at the caller's
-- line, with the offending name.
-- @module stomp

-- The files in order of growing complexity: queue, check, url, headers, trace,
-- worker, events, message, receipts, pump, subscription, router, client, connect.
local connect_module = require "stomp.connect"
local replay_module = require "stomp.replay"
local scheduler = require "stomp.loop.scheduler"
local tracer_module = require "stomp.tracer"

local stomp = {
  --- `"lua-stomp 0.1.0"`
  _VERSION = "lua-stomp 0.1.0",
}

--- Connect to a broker (STOMP 1.2, "Connecting"; RFC 6455, 4).
-- @tparam string|table url `ws://` or `wss://`, or a list of them to fail over
-- between: shuffled once, then round; ws and wss do not mix
-- @tparam[opt] table options docs/options.md has them all
-- @treturn[1] client once CONNECTED has come
-- @treturn[2] nil, message, err: invalid, connect, tls, upgrade, protocol,
-- broker, timeout, closed, limit, handler (before_connect raised); err.permanent
-- where trying again does not help, err.attempts where there were several
function stomp.connect(url, options)
  -- no tail call: misuse is blamed on the caller by counting levels
  local client, message, err = connect_module.connect(url, options, 2)
  return client, message, err
end

--- Run `f(...)` as a task of the built-in loop. Raises the error of a task, with
-- its traceback.
-- @function run
-- @tparam function f
-- @param[opt] ... its arguments
-- @return its results, when every task has ended
stomp.run = scheduler.run

--- Run `f(...)` as one more task; returns at once.
-- @tparam function f
-- @param[opt] ... its arguments
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
-- @function sleep
-- @tparam number seconds
stomp.sleep = scheduler.sleep

--- The time of a monotonic clock.
-- @function now
-- @treturn number seconds
stomp.now = scheduler.now

--- A tracer for option `trace`: every frame goes into a file, with its time.
-- See docs/trace.md.
-- @tparam string|file where a path, which is overwritten, or an open file
-- @tparam[opt] table options bodies [false]: whole, as stomp.replay needs them
-- @treturn[1] tracer
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
-- @treturn[1] true the program sent what was sent then, in that order
-- @treturn[2] nil, message, err: invalid (the file), handler (the program sent
-- something else: err.expected and err.got are frames; or it raised), timeout
function stomp.replay(where, program, options)
  local ok, message, err = replay_module.replay(where, program, options, 2)
  return ok, message, err
end

return stomp
