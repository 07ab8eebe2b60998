-- SPDX-License-Identifier: MIT
-- A client that was closed while it reconnected still took sends, returned true and
-- never sent them.
local fixture = require "spec.support.fixture"

describe("a client that was closed while reconnecting", function()
  it("takes nothing more", function()
    local client, _, net = fixture.reconnecting()
    net.refuse = 100
    net.server:close(1006)
    client:receive(0.1)
    assert.equal("reconnecting", client.state)
    client:close()
    for _, confirm in ipairs { false, true, "once", "later" } do
      fixture.failure("closed", client:send("/queue/a", "x", nil, { confirm = confirm }))
    end
    fixture.failure("closed", client:send("/queue/a", "x"))
    assert.equal(0, client:stats().queued)
    assert.equal(0, client:stats().receipts_outstanding)
  end)
end)
