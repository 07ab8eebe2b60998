-- SPDX-License-Identifier: MIT
-- Sends that waited for room in the outbox when the connection was lost went out
-- after those that other tasks sent while there was none. Found by the simulation
-- (seed 731805).
local fixture = require "spec.support.fixture"

describe("sends that wait for room when the connection is lost", function()
  local function bodies_of(server)
    local list = {}
    for i, frame in ipairs(server:got("SEND")) do list[i] = frame.body end
    return list
  end

  it("go out before what is sent meanwhile, with and without RECEIPT", function()
    local client, loop, net = fixture.reconnecting()
    net.link.full = true
    local results = {}
    local function send(i, confirm)
      return function()
        results[i] = client:send("/queue/a", tostring(i), nil, { confirm = confirm })
      end
    end
    loop.run(send(1, false), send(2, true), send(3, false), function()
      loop.sleep(0.5)
      net.server:close(1006)
      loop.sleep(0.1)
      assert.equal("reconnecting", client.state)
      send(4, false)()
    end)
    assert.same({ true, true, true, true }, results)
    assert.same({ "1", "2", "3", "4" }, bodies_of(net.server))
  end)

  it("wait in line where the backlog is full, and may give up", function()
    local client, loop, net = fixture.reconnecting { limits = { outbox = 2000 } }
    net.link.full = true
    local late
    local function send(body, timeout)
      return client:send("/queue/a", body, nil, { timeout = timeout })
    end
    local first, second, third = ("1"):rep(1500), ("2"):rep(1500), ("3"):rep(1500)
    loop.run(function()
      assert(send(first))
    end, function()
      late = { send(second, 0.9) }
    end, function()
      assert(send(third))
    end, function()
      loop.sleep(0.5)
      net.refuse = 2
      net.server:close(1006)
    end)
    assert.equal("timeout", late[3].kind)
    assert.same({ first, third }, bodies_of(net.server))
  end)

  it("that belong to the connection fail with it", function()
    local client, loop, net = fixture.reconnecting()
    net.link.full = true
    local err
    loop.run(function()
      err = fixture.failure("closed", client:send("/queue/a", "x", nil, { queue = false }))
    end, function()
      loop.sleep(0.5)
      net.server:close(1006)
      client:receive(5)
    end)
    assert.is_nil(err.outcome)
    assert.same({}, bodies_of(net.server))
  end)
end)
