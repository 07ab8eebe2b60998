-- SPDX-License-Identifier: MIT
-- Sends of several tasks that wait for room in the outbox went out in another
-- order, where room came and went before the first of them had its turn: the next
-- one, or a new send, was ahead of it. Found by the simulation (seed 788).
local fixture = require "spec.support.fixture"

describe("sends that wait for room", function()
  it("go out in order though room comes and goes", function()
    local client, loop, net = fixture.connect()
    local link, refusals = net.link, 0
    link.full = true
    local send = link.send
    link.send = function(self, ...)
      if refusals == 0 then return send(self, ...) end
      refusals = refusals - 1
      return false
    end
    local function sender(body)
      return function() assert(client:send("/queue/a", body)) end
    end
    loop.run(sender("1"), sender("2"), sender("3"), sender("4"), function()
      refusals = 6 -- room comes, and is gone again before somebody has run
      link:drain()
      assert(client:send("/queue/a", "5")) -- others stand before it
    end)
    local bodies = {}
    for i, frame in ipairs(net.server:got("SEND")) do bodies[i] = frame.body end
    assert.same({ "1", "2", "3", "4", "5" }, bodies)
  end)

  it("fail as closed while the client disconnects", function()
    local client, loop = fixture.connect({}, { DISCONNECT = false })
    loop.run(function() client:disconnect(2) end, function()
      loop.sleep(1)
      fixture.failure("closed", client:send("/queue/a", "x"))
    end)
  end)
end)
