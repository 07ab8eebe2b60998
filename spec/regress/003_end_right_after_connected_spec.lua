-- SPDX-License-Identifier: MIT
-- A new connection that ended in the moment in which its CONNECTED came ended the
-- client with "attempt to index a nil value": its link refused the SUBSCRIBE, and
-- nobody had looked yet whether it had ended. (Simulation, seed 292.)
local stomp = require "stomp"
local testing = require "stomp.testing"
local world_server = require "spec.support.world_server"

describe("a new connection that ends right after CONNECTED", function()
  it("is followed by another", function()
    local world = testing.world()
    local n, subscribed, upto_connected = 0, 0, nil
    world.network.on_line = function(line)
      n = n + 1
      if n == 2 then line:cut_after("down", upto_connected) end
    end
    local url = world_server.start(world, function(link, frame)
      if frame.command == "CONNECT" then
        link:accept()
        upto_connected = upto_connected or link:stats().bytes_sent
      elseif frame.command == "SUBSCRIBE" then
        subscribed = n
      end
    end)
    world:run(function()
      local client = assert(stomp.connect(url, world:options { reconnect = { min = 0.1, max = 0.1 } }))
      assert(client:subscribe("/queue/a"))
      client:receive(2)
      world.network:cut()
      local _, _, err = client:receive(5)
      assert.equal("timeout", err.kind)
      assert.equal("connected", client.state)
      assert.equal(3, n)
      assert.equal(3, subscribed)
      client:close()
    end)
  end)
end)
