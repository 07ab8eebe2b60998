-- SPDX-License-Identifier: MIT
-- client:drain: nothing more is handed out, handlers finish and acknowledge,
-- receipts are awaited, then DISCONNECT.
local fixture = require "spec.support.fixture"

local function commands(net)
  local list = {}
  for _, frame in ipairs(net.server.frames) do list[#list + 1] = frame.command end
  return list
end

describe("client:drain", function()
  it("lets handlers finish, acknowledge and send, begins no other, then disconnects", function()
    local client, loop, net = fixture.connect()
    local begun = 0
    assert(client:subscribe("/queue/a", { ack = "client-individual", concurrency = 2 }, function(message)
      begun = begun + 1
      loop.sleep(begun)
      assert(client:send("/queue/done", message.body, nil, { confirm = true }))
      assert(message:ack())
    end))
    for i = 1, 5 do net.server:message("sub-1", tostring(i)) end
    client:receive(0.5)
    loop.spawn(function()
      loop.sleep(0.7)
      net.server:message("sub-1", "comes meanwhile")
      loop.sleep(0.7)
      net.server:message("sub-1", "and another")
    end)
    assert.is_true(client:drain())
    assert.equal(2, begun)
    assert.equal(1002, loop.now())
    assert.same({ "CONNECT", "SUBSCRIBE", "SEND", "ACK", "SEND", "ACK", "DISCONNECT" }, commands(net))
    assert.equal(0, net.link.held)
    assert.equal("closed", client.state)
    assert.is_true(client:run())
    assert.is_true(client:drain())
  end)

  it("waits for outstanding receipts before DISCONNECT", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    local sent
    loop.run(function()
      sent = client:send("/queue/a", "", nil, { confirm = true })
    end, function()
      assert.is_true(client:drain(9))
      assert.equal(1003, loop.now())
    end, function()
      loop.sleep(3)
      assert.same({ "CONNECT", "SEND" }, commands(net))
      net.server:receipt(net.server:got("SEND")[1])
    end)
    assert.is_true(sent)
  end)

  it("tells whoever waits for messages at once: closed; messages ends", function()
    local client, loop, net = fixture.connect()
    local one = assert(client:subscribe("/queue/a"))
    local two = assert(client:subscribe("/queue/b"))
    assert(client:subscribe("/queue/c", function() loop.sleep(5) end))
    net.server:message("sub-3", "x")
    local results = {}
    local step, state = two:messages() -- 5.1 cannot wait inside `for`
    loop.run(function()
      results[1] = { client:receive() }
      assert.equal(1001, loop.now())
      results[2] = { client:receive() }
    end, function()
      results[3] = { one:receive() }
      results[4] = { one:receive() }
    end, function()
      assert.is_nil(step(state))
      assert.equal(1001, loop.now())
      results[5] = { client:subscribe("/queue/d") }
    end, function()
      loop.sleep(1)
      assert.is_true(client:drain())
      assert.equal(1005, loop.now())
    end)
    for i = 1, 5 do
      local err = fixture.failure("closed", results[i][1], results[i][2], results[i][3])
      assert.truthy(err.message:find("drains", 1, true))
    end
  end)

  it("drops what is queued: not acknowledged, not refused", function()
    local client, _, net = fixture.connect()
    local subscription = assert(client:subscribe("/queue/a", { ack = "client" }))
    net.server:message("sub-1", "1")
    net.server:message("sub-1", "2")
    assert.equal("1", subscription:receive(1).body)
    fixture.failure("timeout", client:run(1))
    assert.is_true(net.link.held > 0)
    assert.is_true(client:drain())
    assert.equal(0, net.link.held)
    assert.same({ "CONNECT", "SUBSCRIBE", "DISCONNECT" }, commands(net))
  end)

  it("waits for messages that other coroutines took, until they are acknowledged or refused", function()
    for _, ack in ipairs { "client", "client-individual" } do
      local client, loop, net = fixture.connect()
      local one = assert(client:subscribe("/queue/a", { ack = ack }))
      local two = assert(client:subscribe("/queue/b", { ack = "client-individual" }))
      assert(client:subscribe("/queue/c")) -- ack = auto: nothing is awaited
      for i = 1, 2 do net.server:message("sub-1", tostring(i)) end
      net.server:message("sub-3", "3")
      net.server:message("sub-2", "4")
      local left
      loop.run(function()
        local first, second = one:receive(1), one:receive(1)
        loop.sleep(2)
        if ack == "client-individual" then assert(first:ack()) end
        loop.sleep(2)
        assert(second:ack())
      end, function()
        local message = client:receive(1)
        while message.subscription ~= "sub-2" do message = client:receive(1) end
        loop.sleep(6)
        assert(message:nack())
        left = { two:receive() }
      end, function()
        loop.sleep(1)
        assert.is_true(client:drain())
        assert.equal(1006, loop.now())
      end)
      fixture.failure("closed", left[1], left[2], left[3])
      local list = commands(net)
      assert.equal("NACK", list[#list - 1])
      assert.equal("DISCONNECT", list[#list])
    end
  end)

  it("says how many messages were not acknowledged in time", function()
    local client, loop, net = fixture.connect()
    local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
    for i = 1, 3 do net.server:message("sub-1", tostring(i)) end
    local result
    loop.run(function()
      local _, message = subscription:receive(1), subscription:receive(1)
      loop.sleep(20)
      fixture.failure("closed", message:ack())
    end, function()
      loop.sleep(1)
      result = { client:drain(5) }
      assert.equal(1006, loop.now())
    end)
    local err = fixture.failure("timeout", result[1], result[2], result[3])
    assert.equal("timeout: drain: 2 messages not acknowledged (sub-1, /queue/a) within 5 s",
      err.message)
    assert.equal("closed", client.state)
  end)

  it("does not wait for messages of a coroutine that waits for the end itself", function()
    for _, way in ipairs { "drain", "run" } do
      local client, loop, net = fixture.connect()
      local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
      net.server:message("sub-1", "1")
      net.server:message("sub-1", "2")
      loop.run(function()
        assert(subscription:receive(1))
        loop.sleep(3)
        assert.is_true(client[way](client))
      end, function()
        assert(subscription:receive(1))
        loop.sleep(1)
        assert.is_true(client:drain())
        assert.equal(1003, loop.now())
      end)
    end
  end)

  it("does not wait for messages of a connection that is lost meanwhile", function()
    local client, loop, net = fixture.reconnecting()
    local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
    net.server:message("sub-1", "1")
    loop.run(function()
      local message = assert(subscription:receive(1))
      loop.sleep(20)
      fixture.failure("closed", message:ack())
    end, function()
      loop.sleep(1)
      assert.is_true(client:drain())
      assert.equal(1002, loop.now())
    end, function()
      loop.sleep(2)
      net.server:close(1000)
    end)
  end)

  it("does not wait for messages whose subscription ends meanwhile", function()
    local client, loop, net = fixture.connect()
    local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
    net.server:message("sub-1", "1")
    loop.run(function()
      assert(subscription:receive(1))
      loop.sleep(2)
      assert(subscription:unsubscribe())
    end, function()
      loop.sleep(1)
      assert.is_true(client:drain())
      assert.equal(1002, loop.now())
    end)
  end)

  it("does not wait for messages that nobody can acknowledge any more", function()
    local client, loop, net = fixture.connect()
    local one = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
    assert(client:subscribe("/queue/b", { ack = "client-individual" }, function()
      error("it broke")
    end))
    client:on("error", function() end)
    net.server:message("sub-1", "1")
    net.server:message("sub-2", "2")
    loop.run(function()
      assert(one:receive(1))
      loop.sleep(1)
      assert(one:unsubscribe())
    end, function()
      loop.sleep(2)
      assert.is_true(client:drain())
      assert.equal(1002, loop.now())
    end)
  end)

  it("may be called by several handlers: none waits for another that does", function()
    local client, loop, net = fixture.connect()
    local results = {}
    assert(client:subscribe("/queue/a", { ack = "client-individual" }, function(message, given)
      assert(message:ack())
      results[3] = { given:drain() }
    end))
    assert(client:subscribe("/queue/b", { ack = "client-individual", concurrency = 2 }, function(message, given)
      loop.sleep(2)
      assert(message:ack())
      results[tonumber(message.body)] = { given:drain() }
    end))
    net.server:message("sub-2", "1")
    net.server:message("sub-2", "2")
    net.server:message("sub-1", "3")
    assert.is_true(client:run(20))
    loop.idle()
    for i = 1, 3 do assert.is_true(results[i][1]) end
    assert.equal(1002, loop.now())
    assert.equal(3, #net.server:got("ACK"))
    assert.equal(1, #net.server:got("DISCONNECT"))
  end)

  it("gives up after its time-out, names who is late, and is closed", function()
    local client, loop, net = fixture.connect { confirm_timeout = 7 }
    assert(client:subscribe("/queue/slow", function() loop.sleep(1e6) end))
    net.server:message("sub-1", "1")
    client:receive(1)
    local err = fixture.failure("timeout", client:drain())
    assert.equal("timeout: drain: handlers of sub-1 (/queue/slow) still run within 7 s", err.message)
    assert.equal(1008, loop.now())
    assert.equal("closed", client.state)
    assert.same({}, net.server:got("DISCONNECT"))
  end)

  it("gives up when receipts do not come", function()
    local client, loop = fixture.connect({}, { SEND = false })
    local drained
    loop.run(function()
      client:send("/queue/a", "", nil, { confirm = true })
    end, function()
      drained = { client:drain(2) }
    end)
    local err = fixture.failure("timeout", drained[1], drained[2], drained[3])
    assert.truthy(err.message:find("1 RECEIPTs", 1, true))
    assert.equal(1002, loop.now())
    assert.equal("closed", client.state)
  end)

  it("says how else it ended meanwhile", function()
    local client, loop, net = fixture.connect()
    assert(client:subscribe("/queue/a", function() loop.sleep(2) end))
    net.server:message("sub-1", "1")
    client:receive(1)
    net.server:send("ERROR", { message = "no" })
    fixture.failure("broker", client:drain())
    assert.truthy(fixture.raised(function() client:drain("5") end):find("timeout", 1, true))
  end)
end)
