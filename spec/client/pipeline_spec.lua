-- SPDX-License-Identifier: MIT
-- confirm = "later": a script without tasks has many confirmed sends in flight, and
-- flush waits for all of them.
local fixture = require "spec.support.fixture"

local later = { confirm = "later" }

describe("a send with confirm = \"later\"", function()
  it("returns at once; flush waits for the RECEIPT", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    for i = 1, 3 do assert.is_true(client:send("/queue/a", tostring(i), nil, later)) end
    assert.equal(1000, loop.now())
    assert.equal(3, client:stats().receipts_outstanding)
    assert.equal("true", net.server:got("SEND")[1].headers.persistent)
    loop.spawn(function()
      for i = 3, 1, -1 do
        loop.sleep(1)
        net.server:receipt(net.server:got("SEND")[i])
      end
    end)
    assert.is_true(client:flush(9))
    assert.equal(1003, loop.now())
    assert.equal(0, client:stats().receipts_outstanding)
    assert.is_true(client:flush(0))
  end)

  it("costs flush one wake-up, however many there are", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    local rests = fixture.rests(loop)
    loop.run(function()
      client:receive(5) -- pumps
    end, function()
      for _ = 1, 100 do assert(client:send("/queue/a", "", nil, later)) end
      assert.is_true(client:flush())
    end, function()
      loop.sleep(1)
      for _, frame in ipairs(net.server:got("SEND")) do net.server:receipt(frame) end
    end)
    assert.equal(1, rests())
  end)

  it("keeps nothing of what is answered", function()
    local client = fixture.reconnecting()
    for _ = 1, 10 do assert(client:send("/queue/a", ("x"):rep(1000), nil, later)) end
    client:receive(0)
    assert.equal(0, client:stats().receipts_outstanding)
    local entries = client.pipeline.entries
    for i = entries.first, entries.last do assert.is_nil(entries[i].again) end
  end)

  it("has at most 4,096 in flight: then it waits for the older half", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    for _ = 1, 4096 do assert(client:send("/queue/a", "", nil, later)) end
    local sent = net.server:got("SEND")
    assert.equal(4096, #sent)
    loop.spawn(function()
      loop.sleep(1)
      for i = 1, 2047 do net.server:receipt(sent[i]) end
      loop.sleep(1)
      net.server:receipt(sent[2048])
    end)
    assert.is_true(client:send("/queue/a", "one more", nil, later))
    assert.equal(1002, loop.now())
    for _ = 1, 2047 do assert(client:send("/queue/a", "", nil, later)) end
    local err = fixture.failure("timeout",
      client:send("/queue/a", "not sent", nil, { confirm = "later", timeout = 3 }))
    assert.is_nil(err.outcome)
    assert.equal(1005, loop.now())
    assert.equal(4096 + 2048, #net.server:got("SEND"))
    fixture.failure("timeout", client:flush(1))
    for i, frame in ipairs(net.server:got("SEND")) do
      if i > 2048 then net.server:receipt(frame) end
    end
    assert.is_true(client:flush(1))
    assert(client:send("/queue/a", "", nil, later))
  end)

  it("has at most limits.outbox bytes in flight where it may be sent again", function()
    local limits = { outbox = 10000 }
    local client, loop, net = fixture.connect({ limits = limits, reconnect = true }, { SEND = false })
    local function send(n) return client:send("/queue/a", ("x"):rep(n), nil, later) end
    for _ = 1, 10 do assert(send(1000)) end
    loop.spawn(function()
      loop.sleep(1)
      for i = 5, 1, -1 do net.server:receipt(net.server:got("SEND")[i]) end
      loop.sleep(1)
      for i = 6, 10 do net.server:receipt(net.server:got("SEND")[i]) end
    end)
    assert.is_true(send(1000))
    assert.equal(1001, loop.now())
    assert.is_true(send(5000)) -- that is too much with the six that are in flight
    assert.equal(1002, loop.now())
    fixture.failure("timeout", send(9000))
    local alone, _, its = fixture.connect({ limits = limits }, { SEND = false })
    for _ = 1, 30 do
      assert(alone:send("/queue/a", ("x"):rep(1000), nil, later))
      its.link:next()
    end
  end)

  it("that nobody waits for when the connection ends is told by flush", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    assert(client:send("/queue/a", "", nil, later))
    net.server:send("ERROR", { message = "no" })
    fixture.failure("broker", client:run())
    local err = fixture.failure("broker", client:flush())
    assert.equal("unknown", err.outcome)
    fixture.failure("closed", client:send("/queue/a", "", nil, later))
    assert.equal(1000, loop.now())
  end)

  it("is sent again on the next connection, in order", function()
    local client, loop, net = fixture.connect({ reconnect = { min = 1, max = 8, jitter = 0 } }, { SEND = false })
    local flushed
    loop.run(function()
      for i = 1, 3 do assert(client:send("/queue/a", tostring(i), nil, later)) end
      flushed = client:flush()
    end, function()
      loop.sleep(2)
      net.server:receipt(net.server:got("SEND")[2])
      loop.sleep(2)
      net.script.SEND = nil
      net.server:close(1006)
    end)
    assert.is_true(flushed)
    local bodies = {}
    for i, frame in ipairs(net.server:got("SEND")) do bodies[i] = frame.body end
    assert.same({ "1", "3" }, bodies)
  end)

  it("that is refused is told to on_error, and by the next flush, once", function()
    local told = {}
    local client, loop, net = fixture.connect({
      reconnect = { min = 1, max = 8, jitter = 0 },
      on_error = function(_, err) told[#told + 1] = err end,
    }, {
      SEND = function(server, frame)
        if frame.body ~= "bad" then return server:receipt(frame) end
        server:send("ERROR", { message = "no", ["receipt-id"] = frame.headers.receipt })
      end,
    })
    local results = {}
    loop.run(function()
      for _, body in ipairs { "good", "bad", "good" } do
        assert(client:send("/queue/a", body, nil, later))
      end
      client:receive(10)
      results[1] = { client:flush() }
      results[2] = { client:flush() }
    end)
    local err = fixture.failure("broker", results[1][1], results[1][2], results[1][3])
    assert.same({ err }, told)
    assert.is_true(results[2][1])
    assert.equal("connected", client.state)
    assert.equal(2, #net.servers)
  end)

  it("that got no RECEIPT is told by disconnect, in each state", function()
    local client, loop = fixture.connect({}, { SEND = false })
    for _ = 1, 2 do assert(client:send("/queue/a", "", nil, later)) end
    local err = fixture.failure("timeout", client:disconnect(3))
    assert.equal("unknown", err.outcome)
    assert.equal("timeout: 2 of 2 RECEIPTs not here (SEND /queue/a) within 2.4 s", err.message)
    assert.near(1002.4, loop.now(), 1e-6)
    assert.equal("closed", client.state)
    assert.is_true(client:disconnect())
    local net
    client, loop, net = fixture.connect({ reconnect = { min = 100, max = 100, jitter = 0 } }, { SEND = false })
    assert(client:send("/queue/a", "", nil, later))
    loop.run(function()
      net.server:close(1006)
      client:receive(1)
      assert.equal("reconnecting", client.state)
      fixture.failure("closed", client:disconnect())
    end)
    client = fixture.connect()
    assert(client:send("/queue/a", "", nil, later))
    assert.is_true(client:disconnect())
  end)

  it("may not be anything else", function()
    local client = fixture.connect()
    assert.truthy(fixture.raised(function() client:send("/queue/a", "", nil, { confirm = "sometime" }) end)
      :find("confirm", 1, true))
  end)
end)
