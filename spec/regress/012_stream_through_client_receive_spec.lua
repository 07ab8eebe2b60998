-- SPDX-License-Identifier: MIT
-- A stream whose messages were taken by client:receive was read from its beginning
-- again after a reconnect.
local fixture = require "spec.support.fixture"

describe("a stream that client:receive reads", function()
  it("goes on behind the last message, waited for or not", function()
    local client, loop, net = fixture.reconnecting()
    loop.run(function()
      local stream = assert(client:subscribe("/queue/s", { stream = "first" }))
      net.server:message(stream.id, "a", { ["x-stream-offset"] = "7" })
      assert.equal("a", assert(client:receive(1)).body)
      local function offset_after_loss()
        loop.sleep(9)
        net.server:close(1000)
        client:receive(9)
        return net.server:got("SUBSCRIBE")[1].headers["x-stream-offset"]
      end
      assert.equal("offset=8", offset_after_loss())
      loop.spawn(function()
        loop.sleep(1)
        net.server:message(stream.id, "b", { ["x-stream-offset"] = "8" })
        net.link:nudge()
      end)
      assert.equal("b", assert(client:receive(5)).body)
      assert.equal("offset=9", offset_after_loss())
    end)
  end)
end)
