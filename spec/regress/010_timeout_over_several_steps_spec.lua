-- SPDX-License-Identifier: MIT
-- Calls that wait several times had their whole time-out each time: request for a
-- connection, for room and for room; a pipelined send for RECEIPTs and for room.
local fixture = require "spec.support.fixture"

describe("a time-out", function()
  it("of a request is for all its steps together", function()
    local client, loop, net = fixture.reconnecting()
    loop.run(function()
      net.refuse = 2
      net.server:close(1000)
      client:receive(0.01)
      client:on("reconnect", function() net.link.full = true end)
      client:on("connected", function() net.link.full = true end)
      local start = loop.now()
      fixture.failure("timeout", client:request("/queue/a", "x",
        { timeout = 10, reply = { to = "/queue/replies" } }))
      assert.near(10, loop.now() - start, 0.1)
      assert.equal(2, #net.servers) -- it waited for the connection, too
    end)
  end)

  it("of a send with confirm = \"later\" is for RECEIPTs and room together", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    loop.run(function()
      for _ = 1, 4096 do assert(client:send("/queue/a", "x", nil, { confirm = "later" })) end
      loop.spawn(function()
        loop.sleep(9)
        for _, frame in ipairs(net.server:got("SEND")) do net.server:receipt(frame) end
        net.link:nudge()
        net.link.full = true
      end)
      local start = loop.now()
      fixture.failure("timeout", client:send("/queue/a", "x", nil,
        { confirm = "later", timeout = 10 }))
      assert.near(10, loop.now() - start, 0.1)
    end)
  end)
end)
