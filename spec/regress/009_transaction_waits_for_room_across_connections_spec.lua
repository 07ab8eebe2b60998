-- SPDX-License-Identifier: MIT
-- What waited for room in a transaction when its connection was lost was offered to
-- the next one, and failed with invalid: no such transaction.
local fixture = require "spec.support.fixture"

describe("a transaction whose frames wait for room when the connection is lost", function()
  it("is closed, and nothing of it goes out on the next one", function()
    local client, loop, net = fixture.reconnecting()
    local sent, acked, committed
    loop.run(function()
      local inbox = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
      net.server:message(inbox.id, "x")
      local message = assert(inbox:receive(1))
      local t = assert(client:begin())
      net.link.full = true
      loop.spawn(function() sent = { t:send("/queue/a", "x") } end)
      loop.spawn(function() acked = { t:ack(message) } end)
      loop.spawn(function() committed = { t:commit() } end)
      loop.sleep(0.1)
      net.server:close(1000)
      client:receive(5)
      assert.equal("connected", client.state)
    end)
    for _, result in ipairs { sent, acked, committed } do
      fixture.failure("closed", result[1], result[2], result[3])
    end
    for _, command in ipairs { "SEND", "ACK", "COMMIT" } do
      assert.same({}, net.server:got(command))
    end
  end)
end)
