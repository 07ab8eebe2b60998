-- SPDX-License-Identifier: MIT
-- The headers of a SUBSCRIBE on each connection: made anew where a function makes
-- them.
local fixture = require "spec.support.fixture"

describe("a function that makes the headers of SUBSCRIBE", function()
  local function lose(client, loop, net)
    loop.sleep(2)
    net.server:close(1000)
    client:receive(5)
    assert.equal("connected", client.state)
  end

  it("is called for each connection", function()
    local client, loop, net = fixture.reconnecting()
    local n = 0
    loop.run(function()
      assert(client:subscribe("/queue/a", {
        ack = "client", prefetch = 5,
        headers = function()
          n = n + 1
          return { token = "t" .. n }
        end,
      }))
      for i = 1, 3 do
        local headers = net.server:got("SUBSCRIBE")[1].headers
        assert.equal("t" .. i, headers.token)
        assert.same({ "sub-1", "/queue/a", "client", "5" },
          { headers.id, headers.destination, headers.ack, headers["prefetch-count"] })
        lose(client, loop, net)
      end
    end)
  end)

  for what, case in pairs {
    raises = { function() error("no token") end, "handler" },
    ["gives none"] = { function() return "token" end, "handler" },
    ["gives what is reserved"] = { function() return { id = "mine" } end, "invalid" },
    ["gives what cannot be sent"] = { function() return { token = "\0" } end, "invalid" },
  } do
    it("costs its own subscription where it " .. what .. ", and no other", function()
      local told = {}
      local client, loop, net = fixture.reconnecting {
        on_error = function(_, err) told[#told + 1] = err end,
      }
      local first, broken = true, nil
      loop.run(function()
        broken = assert(client:subscribe("/queue/a", { headers = function()
          if not first then return case[1]() end
          first = false
          return {}
        end }))
        assert(client:subscribe("/queue/b"))
        local failure
        loop.spawn(function() failure = { broken:receive() } end)
        lose(client, loop, net)
        fixture.failure(case[2], failure[1], failure[2], failure[3])
        fixture.failure(case[2], broken:receive(1))
        assert.equal("stomp.subscription sub-1 /queue/a (set aside)", tostring(broken))
        assert.is_true(broken:unsubscribe())
        assert.equal(1, #net.server:got("SUBSCRIBE"))
        assert.equal("/queue/b", net.server:got("SUBSCRIBE")[1].headers.destination)
        assert.equal(1, #told)
        assert.equal(case[2], told[1].kind)
        assert.same({}, net.server:got("UNSUBSCRIBE"))
      end)
    end)
  end
end)
