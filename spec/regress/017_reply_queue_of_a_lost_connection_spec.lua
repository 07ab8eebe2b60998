-- SPDX-License-Identifier: MIT
-- The SUBSCRIBE to a reply queue that waited for room when its connection was lost
-- went out on the next one, where nobody knew it any more: on ActiveMQ it took the
-- replies of the next request.
local fixture = require "spec.support.fixture"

describe("a request whose SUBSCRIBE waits for room when the connection is lost", function()
  it("is closed; the next one has a reply queue of its own connection", function()
    local client, loop, net = fixture.reconnecting({}, {
      CONNECT = function(server) server:accept { server = "ActiveMQ/5.17.2" } end,
      SEND = function(server, frame)
        local last = server:got("SUBSCRIBE")
        server:message(last[#last].headers.id, "yes", {
          ["correlation-id"] = frame.headers["correlation-id"], destination = frame.headers["reply-to"],
        })
      end,
    })
    loop.run(function()
      net.link.full = true
      local lost
      loop.spawn(function() lost = { client:request("/queue/a", "1") } end)
      loop.sleep(0.1)
      net.server:close(1000)
      client:receive(5)
      assert.equal("connected", client.state)
      fixture.failure("closed", lost[1], lost[2], lost[3])
      assert.same({}, net.server:got("SUBSCRIBE"))
      assert.equal("yes", assert(client:request("/queue/a", "2")).body)
      assert.equal(1, #net.server:got("SUBSCRIBE"))
    end)
  end)
end)
