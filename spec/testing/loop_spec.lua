-- SPDX-License-Identifier: MIT
-- The loop on a virtual clock: lua/stomp/testing/loop.lua.
local loop_module = require "stomp.testing.loop"
local socket_pair = require "spec.support.socket_pair"
local testing = require "stomp.testing"

-- Two virtual pollables: what is written on one can be read from the other.
local function new_pair()
  local function one() return { descriptor = loop_module.descriptor(), text = "" } end
  local near, far = one(), one()
  local function methods(me, other)
    function me.pollfd() return me.descriptor end
    function me.events() return "r" end
    function me.timeout() return nil end
    function me.write(_, text)
      other.text, other.descriptor.readable = other.text .. text, true
    end
    function me.read()
      local text = me.text
      me.text, me.descriptor.readable = "", me.closed or false
      return text
    end
    function me.close() other.closed, other.descriptor.readable = true, true end
  end
  methods(near, far)
  methods(far, near)
  return near, far
end

describe("the virtual loop", function()
  local world = testing.world()
  require "spec.conformance.loop" {
    loop = world.loop, run = function(f) world:run(f) end, pair = new_pair,
    describe = describe, it = it,
  }
end)

describe("in a world of its own", function()
  local world
  before_each(function() world = testing.world { seed = 7 } end)

  it("time passes only while everybody waits, and then at once", function()
    local start, os_start = world:now(), os.time()
    world:run(function()
      world:spawn(function() for _ = 1, 100 do world:sleep(3600) end end)
      for _ = 1, 100000 do math.sqrt(2) end
      assert.equal(start, world:now())
      world:sleep(86400 * 365)
    end)
    assert.is_true(math.abs(world:now() - start - 86400 * 365) < 1e-6)
    assert.is_true(os.time() - os_start < 60)
  end)

  it("a wait that nobody can end raises", function()
    local condition = world.loop.condition()
    assert.error_matches(function() world:run(function() condition:wait() end) end,
      "waiting for something that no task")
    assert.error_matches(function() condition:wait() end, "waiting for something that no task")
    -- one that somebody ends does not
    world.loop.spawn(function()
      world:sleep(5)
      condition:signal()
    end)
    assert.is_true(condition:wait())
  end)

  it("an error in a task is raised, with its traceback", function()
    assert.error_matches(function()
      world:run(function() error("the culprit") end)
    end, "the culprit.*traceback")
  end)

  it("run passes arguments and results", function()
    assert.same({ 2, nil, 1 }, { world:run(function(a, b, c)
      world:sleep(1)
      return c, b, a
    end, 1, nil, 2) })
  end)

  it("one who never rests does not stop the clock", function()
    world:run(function()
      local over = false
      world:spawn(function() while not over do world:sleep(0) end end)
      world:sleep(0.005)
      over = true
    end)
  end)

  it("a descriptor of the system is refused", function()
    local near, far = socket_pair.new()
    assert.error_matches(function() world.loop.wait(near, 1) end, "descriptor of the system")
    near:close()
    far:close()
  end)

  it("random bytes are the seed's", function()
    local again, other = testing.world { seed = 7 }, testing.world { seed = 8 }
    local bytes = world.loop.random(32)
    assert.equal(32, #bytes)
    assert.equal(bytes, again.loop.random(32))
    assert.not_equal(bytes, other.loop.random(32))
    assert.not_equal(bytes, world.loop.random(32))
  end)

  it("misuse is the caller's", function()
    assert.error_matches(function() testing.world { seeds = 1 } end, "unknown option 'seeds'")
    assert.error_matches(function() testing.world { seed = "x" } end, "option 'seed': number")
    assert.error_matches(function() world:run(5) end, "run: function expected, got number")
    assert.error_matches(function() world:options(5) end, "options: table expected")
    assert.error_matches(function() world:broker(5) end, "options: table expected")
  end)
end)
