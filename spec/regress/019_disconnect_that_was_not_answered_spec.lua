-- SPDX-License-Identifier: MIT
-- disconnect returned true where it knew nothing: for a second caller whose time was
-- over, and for the first, whom that closed; and timeout at once where the RECEIPT lay
-- behind messages that nobody read.
local fixture = require "spec.support.fixture"

describe("a disconnect that is not answered", function()
  it("is true for nobody, and over for each in its time", function()
    local client, loop, net = fixture.connect({}, { DISCONNECT = false })
    local first, second
    loop.run(function()
      first = { client:disconnect(10) }
    end, function()
      loop.sleep(0.5)
      local start = loop.now()
      second = { client:disconnect(1) }
      assert.near(1, loop.now() - start, 1e-6)
    end)
    fixture.failure("timeout", second[1], second[2], second[3])
    fixture.failure("closed", first[1], first[2], first[3])
    assert.equal("closed", client.state)
    assert.equal(1, #net.server:got("DISCONNECT"))
  end)

  it("names who does not read, where that is why", function()
    local client, loop, net = fixture.connect { limits = { inbox = 500, inbox_hard = 1000 } }
    local inbox = assert(client:subscribe("/queue/a"))
    for _ = 1, 20 do net.server:message(inbox.id, ("x"):rep(200)) end
    local err = fixture.failure("limit", client:disconnect())
    assert.truthy(err.message:find("nobody reads subscription sub-1", 1, true))
    assert.equal(1000, loop.now())
    assert.equal("closed", client.state)
  end)
end)
