-- SPDX-License-Identifier: MIT
-- run and drain walked over the table of subscriptions while they waited for
-- handlers; where those subscribed and unsubscribed, "invalid key to 'next'" was
-- raised.
local fixture = require "spec.support.fixture"

describe("handlers that subscribe and unsubscribe after the end", function()
  it("do not disturb who waits for them", function()
    local client, loop, net = fixture.connect()
    local n = 0
    loop.run(function()
      local all = {}
      for i = 1, 4 do
        all[i] = assert(client:subscribe("/queue/" .. i, function()
          loop.sleep(1)
          all[i]:unsubscribe()
          for k = 1, 20 do client:subscribe("/queue/more-" .. k) end
          loop.sleep(1)
          n = n + 1
        end))
        net.server:message(all[i].id, "x")
      end
      client:receive(0.1)
      net.server:close(1000)
      fixture.failure("closed", client:run())
    end)
    assert.equal(4, n)
  end)
end)
