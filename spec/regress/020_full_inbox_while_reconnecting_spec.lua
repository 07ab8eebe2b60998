-- SPDX-License-Identifier: MIT
-- With a full inbox a new connection that had no room in its outbox either made the
-- client turn in a circle for ever; and an attempt said that no CONNECTED came in time.
local fixture = require "spec.support.fixture"

describe("a client whose inbox is full when the connection is lost", function()
  local client, loop, net, inbox
  before_each(function()
    client, loop, net = fixture.reconnecting { limits = { inbox = 500, inbox_hard = 1000 } }
    inbox = assert(client:subscribe("/queue/a"))
    loop.sleep(2)
    for _ = 1, 20 do net.server:message(inbox.id, ("x"):rep(200)) end
    fixture.failure("limit", client:send("/queue/b", "x", nil, { confirm = true }))
    net.link.pipe = {} -- the rest was on its way
    net.server:close(1000)
  end)

  it("says who does not read, and is connected once somebody does", function()
    local seen = {}
    client.settings.before_connect = function(attempt) seen[#seen + 1] = attempt.err end
    loop.run(function()
      client:run(10)
      assert.equal("reconnecting", client.state)
      for i = 2, #seen do
        assert.equal("limit", seen[i].kind)
        assert.truthy(seen[i].message:find("nobody reads subscription sub-1", 1, true))
      end
      assert.is_true(#seen > 2)
      while inbox:receive(1) do end
      client:run(20)
      assert.equal("connected", client.state)
    end)
  end)

  it("waits for room to resume in, though reading has stopped", function()
    local open = net.open
    net.open = function(options)
      options.limits = {}
      local link = open(options)
      link.full = true
      link.stalled = function(self) return self.is_awaited and #self.server.frames > 0 end
      return link
    end
    loop.run(function()
      client:run(5)
      assert.equal("reconnecting", client.state)
      net.link:drain()
      client:run(1)
      assert.equal("connected", client.state)
    end)
    assert.equal(1, #net.server:got("SUBSCRIBE"))
  end)
end)
