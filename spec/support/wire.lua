-- SPDX-License-Identifier: MIT
-- Links over the loopback interface, without a client above them: what specs of
-- src/io need. Everything awaits an event and gives up after ten seconds (a
-- minute where STOMP_TEST_SLOW is set).
local core = require "stomp.core"
local lws = require "stomp.lws"

local wire = {}

local patience = os.getenv("STOMP_TEST_SLOW") and 60 or 10

--- Wait until f() returns something true; its results. `...` are the pollables
-- that may bring it; without any it is asked again every 10 ms.
function wire.await(f, ...)
  local pollables, deadline = { ... }, lws.now() + patience
  while true do
    local fds, events = {}, {}
    for i, pollable in ipairs(pollables) do
      fds[i], events[i] = pollable:pollfd(), pollable:events()
    end
    local results = { f() }
    if results[1] then return (table.unpack or unpack)(results) end -- luacheck: ignore 143 -- luacheck: ignore 113 143 (5.1 and later)
    assert(lws.now() < deadline, "it did not come")
    lws.poll(fds, events, #fds > 0 and 1 or 0.01, {})
  end
end

--- The next frame of a link, or what `next` says about the end:
-- "clean", note | "broken", message, err.
function wire.next(link)
  return wire.await(function()
    local frame, message, err = link:next()
    if frame then return frame end
    if frame == false then return "clean", message end
    if message then return "broken", message, err end
  end, link)
end

--- The end of a link, and the frames before it.
function wire.ending(link)
  local frames = {}
  while true do
    local frame, message, err = wire.next(link)
    if type(frame) == "string" then return frame, message, err, frames end
    frames[#frames + 1] = frame
  end
end

function wire.listen(options)
  return assert(lws.listen(options or {}))
end

--- A link to the listener's port, not connected yet.
function wire.open(listener, options)
  local all = { connect_host = "127.0.0.1", connect_port = listener:port() }
  for name, value in pairs(options or {}) do all[name] = value end
  return assert(lws.open(all))
end

--- The next link that the listener accepts.
function wire.accepted(listener)
  return wire.await(function() return listener:next() end, listener)
end

--- client, server, listener: CONNECT and CONNECTED went over.
function wire.pair(client_options, server_options)
  local listener = wire.listen(server_options)
  local client = wire.open(listener, client_options)
  local server = wire.accepted(listener)
  assert(wire.next(server).command == "CONNECT")
  assert(server:accept())
  assert(wire.next(client).command == "CONNECTED")
  return client, server, listener
end

--- The 101 for a request's Sec-WebSocket-Key.
function wire.switching(key)
  local server = assert(core.connection { role = "server" })
  assert(server:feed("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " .. key .. "\r\n\r\n", 0))
  return server:output()
end

--- The program that runs this: Debian's, or one with a sanitizer in it.
function wire.interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

--- Run Lua code in a process of its own, by this interpreter, or, where a whole
-- LuaPosix is needed (Debian has none for 5.4), by Lua 5.1; its output and its
-- exit status.
-- `before` is shell code that is run first.
function wire.script(code, posix, before)
  local name, lua = os.tmpname(), wire.interpreter()
  local file = assert(io.open(name, "w"))
  if posix then
    lua = "env -u LD_PRELOAD lua5.1" -- its modules are not the sanitized ones
    file:write('package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path\n',
      'package.cpath = "./build/5.1/?.so;" .. package.cpath\n')
  else
    file:write(("package.path = %q\npackage.cpath = %q\n"):format(package.path, package.cpath))
  end
  file:write(code)
  file:close()
  local pipe = assert(io.popen(("%s exec 2>&1; %s %s; echo exit $?"):format(before or "", lua, name)))
  local output = pipe:read("*a")
  pipe:close()
  os.remove(name)
  local text, status = output:match("^(.-)exit (%d+)%s*$")
  return text, tonumber(status)
end

return wire
