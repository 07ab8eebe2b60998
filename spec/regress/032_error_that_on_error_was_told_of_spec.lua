-- SPDX-License-Identifier: MIT
-- Where on_error raised itself, standard error had its error only: the one that it was
-- told of was lost.
local fixture = require "spec.support.fixture"

describe("an error in on_error", function()
  local stderr, said
  before_each(function()
    stderr, said = io.stderr, {}
    io.stderr = { -- luacheck: ignore 122 (to see what is said)
      write = function(_, ...) said[#said + 1] = table.concat { ... } end,
    }
  end)
  after_each(function()
    io.stderr = stderr -- luacheck: ignore 122 (as it was)
  end)

  it("is said after the one that it was told of, both with their tracebacks", function()
    local client, _, net = fixture.connect {
      on_error = function() error("on_error is broken") end,
    }
    client:subscribe("/queue/a", function(message) error("broken by " .. message.body) end)
    net.server:message("sub-1", "1")
    net.server:message("sub-1", "2")
    client:run(1)
    assert.equal(4, #said)
    for i, text in ipairs { "broken by 1", "on_error is broken", "broken by 2", "on_error is broken" } do
      assert.truthy(said[i]:find("stomp: handler: .*" .. text .. "\n.*stack traceback:"), said[i])
    end
    client:close()
  end)
end)
