-- SPDX-License-Identifier: MIT
-- Tables that a program gives are its own again when the call is over: what it
-- changes in them afterwards changes nothing that is sent later.
local fixture = require "spec.support.fixture"

describe("headers of SEND, given as a list,", function()
  it("stay as they were given while the SEND waits for a connection", function()
    local client, loop, net = fixture.reconnecting()
    loop.run(function()
      net.server:close(1000)
      client:receive(0.1)
      assert.equal("reconnecting", client.state)
      local given = { { "n", 0 } }
      for i = 1, 3 do
        given[1][2] = i
        assert(client:send("/queue/a", "", given))
      end
      given[1][1], given[1][2] = "m", {}
      client:receive(5)
      for i, frame in ipairs(net.server:got("SEND")) do
        assert.equal(tostring(i), frame.headers.n)
      end
      assert.equal(3, #net.server:got("SEND"))
    end)
  end)

  it("stay so for a SEND that is sent again", function()
    local client, loop, net = fixture.reconnecting({}, { SEND = false })
    local given = { { "n", 1 } }
    loop.run(function()
      assert(client:send("/queue/a", "", given, { confirm = true }))
    end, function()
      loop.sleep(0.1)
      given[1][2] = 2
      net.script.SEND = nil
      net.server:close(1000)
    end)
    assert.equal("1", net.servers[1]:got("SEND")[1].headers.n)
    assert.equal("1", net.servers[2]:got("SEND")[1].headers.n)
  end)
end)

describe("headers of SUBSCRIBE", function()
  for what, given in pairs {
    ["a table"] = { selector = "a = 1" },
    ["a list"] = { { "selector", "a = 1" } },
  } do
    it("given as " .. what .. " go out as they were given on each connection", function()
      local client, loop, net = fixture.reconnecting()
      loop.run(function()
        assert(client:subscribe("/queue/a", { headers = given }))
        if given[1] then given[1][2] = "a = 2" else given.selector = "a = 2" end
        given.extra = {} -- cannot be sent at all
        client:receive(1)
        net.server:close(1000)
        client:receive(5)
        for i = 1, 2 do
          assert.equal("a = 1", net.servers[i]:got("SUBSCRIBE")[1].headers.selector)
        end
      end)
    end)
  end
end)

-- Lose the connection, and wait until there is another one.
local function lose(client, loop, net)
  loop.sleep(1)
  net.server:close(1000)
  client:receive(5)
end

describe("options of connect", function()
  it("are what they were when it was called, on each connection", function()
    local given = {
      headers = { app = "a" }, upgrade_headers = { { "X-App", "a" } },
      tls = { server_name = "a" }, limits = { inbox = 5000 }, versions = { "1.1" },
      redact = { "app" }, heartbeat = { send = 3 }, reconnect = { min = 1, jitter = 0 },
    }
    local client, loop, net = fixture.connect(given)
    given.headers.app, given.upgrade_headers[1][2] = "b", "b"
    given.tls.server_name, given.limits.inbox = "b", 6000
    given.versions[1], given.redact[1] = "1.0", nil
    given.heartbeat.send, given.reconnect.min = 4, 60
    loop.run(function()
      lose(client, loop, net)
      local options = net.options
      assert.equal("a", net.servers[2]:got("CONNECT")[1].headers.app)
      assert.same({ { "X-App", "a" } }, options.upgrade_headers)
      assert.equal("a", options.tls.server_name)
      assert.equal(5000, options.limits.inbox)
      assert.same({ "1.1" }, options.versions)
      assert.equal(3, options.heartbeat.send)
    end)
  end)

  it("stay as they are whatever before_connect does to those of its attempt", function()
    local given = { headers = { n = 1 }, upgrade_headers = { { "X-N", 1 } } }
    local seen = {}
    given.before_connect = function(attempt)
      seen[#seen + 1] = { attempt.headers.n, attempt.headers.once, #attempt.upgrade_headers }
      attempt.headers.n = attempt.headers.n + 1
      attempt.headers.once = not attempt.headers.once
      attempt.upgrade_headers[1][2] = 2
      attempt.upgrade_headers[2] = { "X-M", 1 }
    end
    local client, loop, net = fixture.reconnecting(given)
    loop.run(function()
      lose(client, loop, net)
      assert.same({ { 1, nil, 1 }, { 1, nil, 1 } }, seen)
      for i = 1, 2 do
        local headers = net.servers[i]:got("CONNECT")[1].headers
        assert.same({ "2", "true" }, { headers.n, headers.once })
      end
      assert.same({ { "X-N", 2 }, { "X-M", 1 } }, net.options.upgrade_headers)
      assert.same({ n = 1 }, given.headers)
      assert.same({ { "X-N", 1 } }, given.upgrade_headers)
    end)
  end)
end)
