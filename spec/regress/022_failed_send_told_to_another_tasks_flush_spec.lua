-- SPDX-License-Identifier: MIT
-- A flush that had begun before a send with confirm = "later" was made told its
-- failure, and the flush of the task that had sent it said that all was well. Found
-- by the simulation (seed 1061744).
local fixture = require "spec.support.fixture"

describe("flush", function()
  it("tells what failed of the sends before it, and leaves the others to others", function()
    local refused
    local client, loop, net = fixture.connect({
      on_error = function() refused = true end,
    }, { SEND = false })
    local first, second, third
    loop.run(function()
      client:send("/queue/a", "1", nil, { confirm = true, timeout = 3 }) -- no answer
    end, function()
      loop.sleep(0.1)
      first = { client:flush(2) }
    end, function()
      loop.sleep(0.2)
      assert(client:send("/queue/a", "2", nil, { confirm = "later" }))
      local id = net.server:got("SEND")[2].headers.receipt
      local entry = client.receipts:awaited(id)
      client.receipts:refuse(entry, "broker: no", { kind = "broker", message = "broker: no" })
      loop.sleep(3)
      second = { client:flush(2) }
      third = { client:flush(2) }
    end)
    assert.equal("timeout", first[3].kind)
    assert.equal("broker", second[3].kind)
    assert.same({ true }, third)
    assert.is_true(refused)
  end)
end)
