-- SPDX-License-Identifier: MIT

--- A world for tests: a virtual clock, loop and network, on which the client and
-- the embedded broker run as they are. A minute of waiting takes no time, every
-- run is the same again, and the network does what it is told.
--
--    local stomp, testing = require "stomp", require "stomp.testing"
--    local world = testing.world { seed = 1 }
--    local broker = world:broker()
--    world:run(function()
--      local client = assert(stomp.connect(broker.url, world:options()))
--      world.network:set { silent = "both" }
--      local ok, message, err = client:run()   -- heart-beats: 60 s in no time
--    end)
--
-- Time moves only while every task waits. Where nothing can ever happen any more a
-- wait raises.
-- @module stomp.testing

local broker_options = require "stomp.broker.options"
local check = require "stomp.check"
local clock_module = require "stomp.testing.clock"
local loop_module = require "stomp.testing.loop"
local network_module = require "stomp.testing.network"
local random_module = require "stomp.testing.random"

local testing = {}

local world_options = { seed = "number" }

local methods = {}
local mt = { __name = "stomp.testing.world", __index = methods }

function mt:__tostring()
  return ("stomp.testing.world at %.3f s"):format(self.clock.time)
end

--- A new world.
-- @tparam[opt] table options `seed` (a number: the same seed, the same run) [1]
-- @treturn world
function testing.world(options)
  options = check.options(options, world_options, 2)
  local random = random_module.new(options.seed or 1)
  local clock = clock_module.new()
  local network = network_module.new(clock, random:fork())
  return setmetatable({
    clock = clock,
    network = network,
    loop = loop_module.new(clock, random:fork(), function() network:settle() end),
    random = random:fork(),
    brokers = {},
  }, mt)
end

--- What `testing.world` returns.
-- @type world

--- What a program may read.
-- @table fields
-- @tfield loop loop docs/loops.md
-- @tfield network network docs/transport.md, and what goes wrong on it
-- @tfield random random a generator of its seed

--- Options of stomp.connect for a client in this world: `given`, and its loop and
-- network.
-- @tparam[opt] table given
-- @treturn table
-- @function world:options
function methods:options(given)
  check.argument("options", given or {}, "table", 2)
  local options = { loop = self.loop, transport = self.network, proxy = false }
  for name, value in pairs(given or {}) do options[name] = value end
  return options
end

--- An embedded broker in this world; it has a port of its own.
-- @tparam[opt] table options those of broker.listen
-- @treturn broker its field `url` is where clients connect
-- @function world:broker
function methods:broker(options)
  local given = { loop = self.loop, transport = self.network }
  for name, value in pairs(broker_options.read(options, 2)) do given[name] = value end
  local broker =
    assert(require "stomp.broker".listen("ws://127.0.0.1:0/ws", given))
  self.brokers[#self.brokers + 1] = broker
  return broker
end

--- Run `f(...)` as a task. What else was spawned goes on with the next wait. An
-- error in a task is raised with its traceback.
-- @tparam function f
-- @param[opt] ... its arguments
-- @return its results, when it has ended
-- @function world:run
function methods:run(f, ...)
  check.argument("run", f, "function", 2)
  local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (5.1 and later)
  local arguments = { n = select("#", ...), ... }
  local results
  local ended = self.loop.condition()
  local function keep(...) results = { n = select("#", ...), ... } end
  self.loop.spawn(function()
    keep(f(unpack(arguments, 1, arguments.n)))
    ended:signal()
  end)
  ended:wait()
  return unpack(results, 1, results.n)
end

--- Run `f()` as one more task.
-- @tparam function f
-- @tparam[opt] function on_error on_error(text with traceback, value)
-- @function world:spawn
function methods:spawn(f, on_error)
  check.argument("spawn", f, "function", 2)
  self.loop.spawn(f, on_error)
end

--- Let virtual time pass.
-- @tparam number seconds
-- @function world:sleep
function methods:sleep(seconds)
  check.seconds("sleep", seconds, 2)
  self.loop.sleep(seconds)
end

--- The virtual time.
-- @treturn number seconds; a world begins at 1000
-- @function world:now
function methods:now()
  return self.clock.time
end

--- Close what was opened in it: brokers and their links.
-- @function world:close
function methods:close()
  for _, broker in ipairs(self.brokers) do broker:close() end
  self.loop.sleep(0)
end

mt.__close = methods.close

return testing
