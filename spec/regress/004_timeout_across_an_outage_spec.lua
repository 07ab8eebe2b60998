-- SPDX-License-Identifier: MIT
-- A call that waited for a connection, got one and lost it at once, had its whole
-- time-out again to wait for the next. (Simulation, seed 5285.)
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("a time-out", function()
  it("holds for a call that waits for one connection and then for another", function()
    local world = testing.world()
    local broker = world:broker()
    world:run(function()
      local client = assert(stomp.connect(broker.url, world:options {
        reconnect = { min = 3, max = 3, jitter = 0 }, timeout = 30,
      }))
      local upto_connected = client:stats().bytes_received
      world.network.on_line = function(line)
        line:cut_after("down", upto_connected)
        world.network:set { unreachable = true }
      end
      world.network:cut()
      client:run(0.01) -- so that it is noticed
      local start = world:now()
      local _, _, err = client:subscribe("/queue/a", { timeout = 5 })
      assert.equal("timeout", err.kind)
      assert.near(5, world:now() - start, 0.01)
      assert.equal(1, client:stats().reconnects)
      client:close()
    end)
    world:close()
  end)
end)
