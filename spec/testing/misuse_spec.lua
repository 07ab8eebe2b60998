-- SPDX-License-Identifier: MIT
-- Mistakes in the calls of stomp.testing raise at the caller's line, with the name.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("a world raises at the caller's line", function()
  local world
  before_each(function() world = testing.world() end)
  after_each(function() world:close() end)

  -- f raises at its line, and the text has all of these.
  local function raised(f, ...)
    local text = fixture.raised(f)
    for _, part in ipairs { ... } do assert.truthy(text:find(part, 1, true), text) end
  end

  it("for what spawn, run and sleep cannot take", function()
    raised(function() world:spawn(nil) end, "spawn: function expected, got nil")
    raised(function() world:run(5) end, "run: function expected, got number")
    raised(function() world:sleep("x") end, "sleep: number expected, got string")
    raised(function() world:sleep(0 / 0) end, "sleep: a number of seconds expected, got nan")
  end)

  it("for options of its broker", function()
    raised(function() world:broker(5) end, "options: table expected")
    raised(function() world:broker { foo = 1 } end, "unknown option 'foo'")
    raised(function() world:broker { queue_limit = -1 } end, "'queue_limit'")
  end)

  it("for conditions that the network does not know, which change nothing", function()
    local line
    world.network.on_line = function(new) line = new end
    local client = assert(stomp.connect(world:broker().url, world:options()))
    for text, given in pairs {
      ["unknown condition 'latancy'"] = { latancy = 5 },
      ["'latency': seconds or false expected, got -1"] = { latency = -1 },
      ["'jitter': seconds or false expected, got true"] = { jitter = true },
      ["'piece': a whole number of bytes or false expected, got 0"] = { piece = 0 },
      ["'drip': { bytes, seconds } or false expected, got table"] = { drip = { 1 } },
      ["'drip': { bytes"] = { drip = { 0, 1 } },
      ["'silent': \"up\", \"down\", \"both\" or false expected, got sideways"] = { silent = "sideways" },
      ["'refuse': true or false expected, got 1"] = { refuse = 1 },
      ["'unreachable': true or false"] = { unreachable = "no" },
      ["conditions: table expected, got number"] = 5,
    } do
      raised(function() world.network:set(given) end, text)
      raised(function() line:set(given) end, text)
    end
    raised(function() world.network:set() end, "conditions: table expected, got nil")
    assert.is_true(client:send("/queue/a", "x", nil, { confirm = true, timeout = 1 }))
    client:close()
  end)

  it("for ends and ways that a line does not have, and cuts nothing", function()
    local line
    world.network.on_line = function(new) line = new end
    raised(function() world.network:cut("klient") end, "only: \"client\" or \"server\" expected, got klient")
    local client = assert(stomp.connect(world:broker().url, world:options()))
    raised(function() world.network:cut("klient") end, "only")
    raised(function() line:cut(5) end, "only: \"client\" or \"server\" expected, got 5")
    raised(function() line:cut_after("upwards", 5) end, "way: \"up\" or \"down\" expected, got upwards")
    raised(function() line:cut_after("up") end, "n: number expected, got nil")
    assert.is_true(client:send("/queue/a", "x", nil, { confirm = true, timeout = 1 }))
    client:close()
  end)
end)
