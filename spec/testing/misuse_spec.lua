-- SPDX-License-Identifier: MIT
-- Mistakes in the calls of stomp.testing raise at the caller's line, with the name.
local fixture = require "spec.support.fixture"
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
end)
