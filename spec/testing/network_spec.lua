-- SPDX-License-Identifier: MIT
-- The virtual network of stomp.testing as a transport.
local testing = require "stomp.testing"

describe("the virtual network:", function()
  local world = testing.world()
  require "spec.conformance.transport" {
    transport = world.network, loop = world.loop, run = function(f) world:run(f) end,
    describe = describe, it = it,
  }
end)
