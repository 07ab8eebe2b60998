-- SPDX-License-Identifier: MIT
-- A confirmed send that waited for a connection and was never sent failed with
-- outcome "unknown", so that a program would not dare to send it again.
local fixture = require "spec.support.fixture"

describe("a confirmed send that never went out", function()
  local client, loop, net
  before_each(function()
    client, loop, net = fixture.reconnecting()
    net.refuse = 100
    net.server:close(1006)
    client:receive(0.1)
    assert.equal("reconnecting", client.state)
  end)

  it("was certainly not taken: after its time-out", function()
    local err = fixture.failure("timeout", client:send("/queue/a", "x", nil,
      { confirm = true, timeout = 5 }))
    assert.is_nil(err.outcome)
    assert.equal(0, client:stats().queued)
  end)

  it("was certainly not taken: where the client is closed", function()
    local err
    loop.run(function()
      err = fixture.failure("closed", client:send("/queue/a", "x", nil, { confirm = true }))
    end, function()
      loop.sleep(1)
      client:close()
    end)
    assert.is_nil(err.outcome)
  end)
end)
