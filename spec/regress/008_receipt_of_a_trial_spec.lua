-- SPDX-License-Identifier: MIT
-- When a new connection ended just before a SUBSCRIBE on trial went out, its RECEIPT
-- was awaited for ever: each flush timed out. (Simulation, seed 120590.)
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("a connection that ends between two SUBSCRIBEs on trial", function()
  it("leaves no RECEIPT that flush waits for", function()
    local world = testing.world()
    local listener = world.network.listen { host = "127.0.0.1" }
    local n = 0
    local function serve(link)
      n = n + 1
      local ends = n == 2
      while true do
        local frame, message = link:next()
        if frame and frame.command == "CONNECT" then
          link:accept()
        elseif frame then
          local id = frame.headers.receipt
          if id then link:send("RECEIPT", { ["receipt-id"] = id }) end
          if ends then link:close() end
        elseif frame == false or message then
          return
        else
          world.loop.wait(link)
        end
      end
    end
    world:spawn(function()
      while true do
        local link = listener:next()
        if link then world:spawn(function() serve(link) end) else world.loop.wait(listener) end
      end
    end)
    world:run(function()
      local client = assert(stomp.connect("ws://127.0.0.1:" .. listener:port(),
        world:options { reconnect = { min = 0.1, max = 0.1 } }))
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
