-- SPDX-License-Identifier: MIT
-- unsubscribe waited its whole time-out for a handler, and then as long again for
-- its RECEIPT. (Simulation, seed 1245.)
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("unsubscribe", function()
  it("returns by its time-out, whatever the handler does", function()
    local world = testing.world()
    local broker = world:broker()
    world:run(function()
      local client = assert(stomp.connect(broker.url, world:options()))
      local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual" },
        function() world:sleep(1000) end))
      assert(client:send("/queue/a", "x"))
      client:run(1)
      world.network:set { latency = 3 }
      local start = world:now()
      local _, _, err = subscription:unsubscribe { timeout = 5, confirm = true }
      assert.equal("timeout", err.kind)
      assert.near(5, world:now() - start, 0.01)
      client:close()
    end)
    world:close()
  end)
end)
