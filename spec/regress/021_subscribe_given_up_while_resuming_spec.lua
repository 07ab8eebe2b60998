-- SPDX-License-Identifier: MIT
-- A SUBSCRIBE whose caller gave up while a new connection was being resumed stayed at
-- the broker, and its messages went to nobody.
local fixture = require "spec.support.fixture"

describe("a confirmed subscribe that is given up while its connection is resumed", function()
  it("is unsubscribed there", function()
    local client, loop, net = fixture.reconnecting({}, { SUBSCRIBE = false })
    loop.run(function()
      fixture.failure("timeout", client:subscribe("/queue/a", { confirm = true, timeout = 2 }))
      assert.equal("reconnecting", client.state) -- or this shows nothing
      client:run(3)
    end, function()
      loop.sleep(0.5)
      net.server:close(1000)
    end)
    assert.equal(2, #net.servers)
    assert.equal(1, #net.server:got("SUBSCRIBE"))
    assert.equal("sub-1", net.server:got("UNSUBSCRIBE")[1].headers.id)
    assert.equal("connected", client.state)
  end)
end)
