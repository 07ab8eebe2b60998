-- SPDX-License-Identifier: MIT
-- A send with confirm = "once" that was queued while reconnecting, went out on the
-- new connection and was lost with it before that had resumed, was told so only by
-- its time-out. (Simulation, seed 115568.)
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("a send that is never repeated", function()
  it("fails when the connection it went out on ends, however early", function()
    local world = testing.world()
    local broker = world:broker()
    local function is(body) return function(frame) return frame.body == body end end
    world:run(function()
      local client = assert(stomp.connect(broker.url, world:options {
        reconnect = { min = 1, max = 1, jitter = 0 },
      }))
      broker:misbehave { close_on = is "culprit", withhold_receipts = is "once" }
      local told
      world:spawn(function()
        told = select(3, client:send("/queue/a", "culprit", nil, { confirm = true, timeout = 60 }))
      end)
      client:run(0.1)
      assert.equal("reconnecting", client.state)
      -- on the next connection this goes out first, and then the culprit again
      local start = world:now()
      local ok, _, err = client:send("/queue/a", "once", nil, { confirm = "once", timeout = 60 })
      assert.is_nil(ok)
      assert.equal("closed", err.kind)
      assert.equal("unknown", err.outcome)
      assert.is_true(world:now() - start < 5, world:now() - start)
      client:run(10)
      assert.equal("closed", told.kind)
      assert.equal("connected", client.state)
      client:close()
    end)
    world:close()
  end)
end)
