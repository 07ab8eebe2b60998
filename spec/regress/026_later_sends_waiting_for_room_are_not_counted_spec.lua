-- SPDX-License-Identifier: MIT
-- Sends with confirm = "later" that waited for room in the outbox did not count towards
-- what is in flight, so any number of them went past limits.outbox. Found by the
-- simulation (seed 1775).
local fixture = require "spec.support.fixture"

describe("sends with confirm = \"later\"", function()
  it("count as in flight while they wait for room", function()
    local client, loop, net = fixture.reconnecting({ limits = { outbox = 3000 } })
    net.link.full = true
    local bytes
    local function send()
      assert(client:send("/queue/a", ("y"):rep(1000), nil, { confirm = "later" }))
    end
    loop.run(send, send, send, send, send, function()
      loop.sleep(1)
      bytes = client.pipeline.bytes
      net.link:drain()
    end)
    assert.equal(3000, bytes)
    assert.is_true(client:flush())
    assert.equal(5, #net.server:got("SEND"))
  end)
end)
