-- SPDX-License-Identifier: MIT
-- When a new connection ended just before a SUBSCRIBE on trial went out, its RECEIPT
-- was awaited for ever: each flush timed out. (Simulation, seed 120590.)
local stomp = require "stomp"
local testing = require "stomp.testing"
local world_server = require "spec.support.world_server"

describe("a connection that ends between two SUBSCRIBEs on trial", function()
  it("leaves no RECEIPT that flush waits for", function()
    local world = testing.world()
    local n = 0
    local url = world_server.start(world, function(link, frame)
      if frame.command == "CONNECT" then
        n = n + 1
        link:accept()
        return
      end
      local id = frame.headers.receipt
      if id then link:send("RECEIPT", { ["receipt-id"] = id }) end
      if n == 2 then link:close() end
    end)
    world:run(function()
      local client = assert(stomp.connect(url, world:options { reconnect = { min = 0.1, max = 0.1 } }))
      for i = 1, 2 do assert(client:subscribe("/queue/" .. i)) end
      client:run(0.1)
      world.network:cut()
      client:run(5)
      assert.equal("connected", client.state)
      assert.equal(3, n)
      assert.equal(0, client:stats().receipts_outstanding)
      assert.is_true(client:flush(1))
      client:close()
    end)
  end)
end)
