-- SPDX-License-Identifier: MIT
-- Several handlers of one subscription at a time, order by key with it, and
-- unsubscribe while handlers run and messages are queued.
local fixture = require "spec.support.fixture"

-- A subscription whose handler notes when it begins and ends a message, and takes
-- as long as the body says.
local function watch(client, loop, options)
  local seen = { log = {}, inside = 0, most = 0 }
  seen.subscription = assert(client:subscribe("/queue/a", options, function(message)
    seen.inside = seen.inside + 1
    seen.most = math.max(seen.most, seen.inside)
    local name, seconds = message.body:match("^(%S+) (%S+)$")
    seen.log[#seen.log + 1] = "+" .. name
    loop.sleep(tonumber(seconds))
    seen.log[#seen.log + 1] = "-" .. name
    seen.inside = seen.inside - 1
    if name:find("raise", 1, true) then error("no good") end
  end))
  return seen
end

describe("option concurrency", function()
  it("runs so many handlers at a time, and begins in order", function()
    local client, loop, net = fixture.connect()
    local seen = watch(client, loop, { concurrency = 3 })
    for i, seconds in ipairs { 5, 1, 1.2, 1, 1, 1 } do net.server:message("sub-1", i .. " " .. seconds) end
    client:run(1.5)
    assert.same({ "+1", "+2", "+3", "-2", "+4", "-3", "+5" }, seen.log)
    client:run(10)
    assert.equal(3, seen.most)
    assert.equal(12, #seen.log)
    assert.equal(0, net.link.held)
    seen.log = {}
    net.server:message("sub-1", "again 0")
    client:run(1)
    assert.same({ "+again", "-again" }, seen.log)
  end)

  it("of 1 is what there is without it", function()
    local client, loop, net = fixture.connect()
    local seen = watch(client, loop, { concurrency = 1, ack = "client" })
    for i = 1, 3 do net.server:message("sub-1", i .. " 1") end
    client:run(10)
    assert.same({ "+1", "-1", "+2", "-2", "+3", "-3" }, seen.log)
  end)

  it("goes on after a handler that raises", function()
    local errors = {}
    local client, loop, net = fixture.connect { on_error = function(_, err) errors[#errors + 1] = err.kind end }
    local seen = watch(client, loop, { concurrency = 2, order_by = "key" })
    for i = 1, 3 do
      net.server:message("sub-1", "raise" .. i .. " 1", { key = "x" })
      net.server:message("sub-1", "raise" .. i .. "other 1")
    end
    client:run(20)
    assert.equal(12, #seen.log)
    assert.equal(6, #errors)
    assert.equal("handler", errors[1])
    assert.equal(2, seen.most)
  end)

  it("counts what waits towards limits.inbox and names it when reading stops", function()
    local client, loop, net = fixture.connect { limits = { inbox = 2000, inbox_hard = 4000 } }
    watch(client, loop, { concurrency = 2 })
    for i = 1, 20 do net.server:message("sub-1", i .. " 1e9", { pad = ("x"):rep(1000) }) end
    net.script.SEND = false
    local err = fixture.failure("limit", client:send("/queue/b", "", nil, { confirm = true }))
    assert.truthy(err.message:find("sub-1", 1, true))
  end)

  it("is refused with cumulative acknowledgement, without a handler, and as nonsense", function()
    local client = fixture.connect()
    local function f() end
    assert.truthy(fixture.raised(function() client:subscribe("/queue/a", { concurrency = 2, ack = "client" }, f) end)
      :find("concurrency", 1, true))
    assert.truthy(fixture.raised(function() client:subscribe("/queue/a", { concurrency = 2 }) end)
      :find("concurrency", 1, true))
    assert.truthy(fixture.raised(function() client:subscribe("/queue/a", { order_by = "key" }) end)
      :find("order_by", 1, true))
    for _, n in ipairs { 0, -1, 1.5, 1 / 0 } do
      fixture.raised(function() client:subscribe("/queue/a", { concurrency = n }, f) end)
    end
    fixture.raised(function() client:subscribe("/queue/a", { concurrency = "2" }, f) end)
  end)
end)

describe("option order_by", function()
  it("keeps messages of equal key in order, one at a time", function()
    local client, loop, net = fixture.connect()
    local seen = watch(client, loop, { concurrency = 3, order_by = "key" })
    for _, name in ipairs { "a1 3", "a2 1", "b1 1", "a3 1", "c1 1", "b2 1", "d1 1" } do
      net.server:message("sub-1", name, { key = name:sub(1, 1) })
    end
    client:run(20)
    local at = {}
    for i, what in ipairs(seen.log) do at[what] = i end
    assert.equal(14, #seen.log)
    assert.equal(3, seen.most)
    assert.is_true(at["-a1"] < at["+a2"] and at["-a2"] < at["+a3"] and at["-b1"] < at["+b2"])
    assert.is_true(at["+d1"] < at["+a2"]) -- a key that waits holds up no other
    assert.equal(0, net.link.held)
  end)

  it("lets messages without that header run at once", function()
    local client, loop, net = fixture.connect()
    local seen = watch(client, loop, { concurrency = 2, order_by = "key" })
    net.server:message("sub-1", "1 1")
    net.server:message("sub-1", "2 1")
    client:run(5)
    assert.same({ "+1", "+2" }, { seen.log[1], seen.log[2] })
  end)
end)

describe("unsubscribe while handlers run", function()
  for _, options in ipairs { { ack = "client-individual" }, { ack = "client-individual", concurrency = 2 },
    { ack = "client-individual", concurrency = 2, order_by = "key" } } do
    it("lets them finish and acknowledge first, and drops what is queued (" ..
      (options.order_by or options.concurrency or 1) .. ")", function()
      local client, loop, net = fixture.connect()
      local subscription
      local begun, n = 0, options.concurrency or 1
      subscription = assert(client:subscribe("/queue/a", options, function(message)
        begun = begun + 1
        loop.sleep(2)
        assert(message:ack())
      end))
      for i = 1, 6 do net.server:message("sub-1", tostring(i), { key = tostring(i % 3) }) end
      client:run(1)
      net.script.UNSUBSCRIBE = function(server, frame)
        assert(#server:got("ACK") == n)
        server:receipt(frame)
      end
      loop.spawn(function()
        loop.sleep(0.5)
        net.server:message("sub-1", "comes meanwhile")
      end)
      assert.is_true(subscription:unsubscribe { confirm = true })
      assert.equal(1, #net.server:got("UNSUBSCRIBE"))
      assert.equal(n, begun)
      assert.equal(0, net.link.held)
      client:run(5)
      assert.equal(n, begun)
    end)
  end

  it("waits for them no longer than its time-out; what is acknowledged later is invalid", function()
    local client, loop, net = fixture.connect()
    local late
    local subscription = assert(client:subscribe("/queue/a", { ack = "client" }, function(message)
      loop.sleep(10)
      late = { message:ack() }
    end))
    net.server:message("sub-1", "1")
    client:run(1)
    assert.is_true(subscription:unsubscribe { timeout = 3 })
    assert.equal(1004, loop.now())
    client:run(20)
    fixture.failure("invalid", late[1], late[2], late[3])
    assert.same({}, net.server:got("ACK"))
  end)

  it("does not wait for the handler that called it, nor in ack mode auto", function()
    for _, ack in ipairs { "auto", "client-individual" } do
      local client, loop, net = fixture.connect()
      local subscription
      subscription = assert(client:subscribe("/queue/a", { ack = ack, concurrency = 2 }, function(message)
        if message.body == "1" then assert(subscription:unsubscribe()) else loop.sleep(5) end
      end))
      if ack == "auto" then net.server:message("sub-1", "2") end
      net.server:message("sub-1", "1")
      client:run(1)
      assert.equal(1, #net.server:got("UNSUBSCRIBE"))
    end
  end)

  it("does not wait for a handler that waits for the calling one in the same way", function()
    for _, concurrency in ipairs { 1, 2 } do
      for n = 2, 3 do -- each the next, in a ring
        local client, loop, net = fixture.connect()
        local list, acked, failures = {}, 0, 0
        for i = 1, n do
          list[i] = assert(client:subscribe("/queue/" .. i, {
            ack = "client-individual", concurrency = concurrency,
          }, function(message)
            loop.sleep(i)
            assert(list[i % n + 1]:unsubscribe())
            if message:ack() then acked = acked + 1 else failures = failures + 1 end
          end))
          net.server:message(list[i].id, "x")
        end
        client:run(20)
        assert.equal(1000 + 20, loop.now())
        assert.equal(n, acked + failures)
        assert.equal(1, failures) -- its own subscription had to go first
        assert.equal(n, #net.server:got("UNSUBSCRIBE"))
        local went = {}
        for _, frame in ipairs(net.server:got("UNSUBSCRIBE")) do went[#went + 1] = frame.headers.id end
        assert.equal("sub-1", went[1])
      end
    end
  end)

  it("waits for a handler that waits for others", function()
    local client, loop, net = fixture.connect()
    local other = assert(client:subscribe("/queue/b", { ack = "client-individual" }, function(message)
      loop.sleep(5)
      assert(message:ack())
    end))
    local one = assert(client:subscribe("/queue/a", { ack = "client-individual" }, function(message)
      assert(other:unsubscribe())
      assert(message:ack())
    end))
    net.server:message(other.id, "1")
    net.server:message(one.id, "2")
    loop.run(function() client:run(10) end, function()
      loop.sleep(1)
      assert(one:unsubscribe())
      assert.equal(1005, loop.now())
    end)
    assert.equal(2, #net.server:got("ACK"))
  end)
end)
