-- SPDX-License-Identifier: MIT
-- A connected client over the loop and the link in memory, for the specs of
-- spec/client.
local fake_link = require "spec.support.fake_link"
local fake_loop = require "spec.support.fake_loop"
local stomp = require "stomp"

local fixture = {}

--- A loop and a network whose server follows the script.
function fixture.net(script)
  local loop = fake_loop.new()
  return loop, fake_link.new(loop, script)
end

--- client, loop, net; options of connect are added to the fixture's.
function fixture.connect(options, script)
  local loop, net = fixture.net(script)
  local all = { loop = loop, transport = net, proxy = false }
  for name, value in pairs(options or {}) do all[name] = value end
  return assert(stomp.connect("ws://broker.test/ws", all)), loop, net
end

--- How `reconnecting` does so: without jitter, so that times can be told.
fixture.steady = { min = 1, max = 8, jitter = 0 }

--- The same, of a client that reconnects.
function fixture.reconnecting(options, script)
  local all = { reconnect = fixture.steady }
  for name, value in pairs(options or {}) do all[name] = value end
  return fixture.connect(all, script)
end

--- What a failing call gave must be a failure of this kind: its err.
function fixture.failure(kind, value, message, err)
  assert(value == nil, "a failure expected, got " .. tostring(value))
  assert(type(message) == "string" and message:sub(1, #kind + 1) == kind .. ":",
    "kind " .. kind .. " expected: " .. tostring(message))
  assert(err.kind == kind and err.message == message and tostring(err) == message)
  return err
end

--- The message that f raises; it must blame f's own line.
function fixture.raised(f)
  local info = debug.getinfo(f, "S")
  local ok, message = pcall(f)
  assert(not ok, "it raised nothing")
  local where = ("%s:%d:"):format(info.short_src, info.linedefined)
  assert(message:sub(1, #where) == where, "blames another line: " .. message)
  return message
end

--- A function that says how often a coroutine has rested on a condition of this
-- loop since now: each time it was woken costs one.
function fixture.rests(loop)
  local rests, condition = 0, loop.condition
  loop.condition = function()
    local made = condition()
    local wait = made.wait
    made.wait = function(...)
      rests = rests + 1
      return wait(...)
    end
    return made
  end
  return function() return rests end
end

return fixture
