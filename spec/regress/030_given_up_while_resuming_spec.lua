-- SPDX-License-Identifier: MIT
-- A confirmed send that was made while there was no connection, and whose time was over
-- while the next one had no room for it: it said that nothing was sent, and it was sent
-- all the same, when there was room. Found by the simulation (seed 45239).
local fixture = require "spec.support.fixture"

describe("a send that is given up while its connection is being resumed", function()
  it("is not sent", function()
    local client, loop, net = fixture.reconnecting()
    local link
    loop.run(function() client:run(9) end, function()
      net.server:close(1011)
      loop.sleep(0.5)
      assert.equal("reconnecting", client.state)
      local open = net.open
      net.open = function(options)
        link = open(options)
        link.full = true
        return link
      end
      local _, _, err = client:send("/queue/a", "given up", nil, { confirm = true, timeout = 2 })
      assert.equal("timeout", err.kind)
      assert.is_nil(err.outcome)
      link:drain()
      assert(client:send("/queue/a", "kept", nil, { confirm = true, timeout = 2 }))
    end)
    local bodies = {}
    for _, frame in ipairs(net.server:got("SEND")) do bodies[#bodies + 1] = frame.body end
    assert.same({ "kept" }, bodies)
  end)
end)
