-- SPDX-License-Identifier: MIT
-- A connection that is lost, and the next one: CONNECTED, SUBSCRIBEs, queued
-- sends, confirmed sends without RECEIPT, in this order.
local fixture = require "spec.support.fixture"

local connect = fixture.reconnecting

-- The commands that a server got, with destination.
local function dialogue(server)
  local list = {}
  for i, frame in ipairs(server.frames) do
    local to = frame.headers.destination
    list[i] = to and frame.command .. " " .. to or frame.command
  end
  return list
end

describe("a client that reconnects", function()
  it("subscribes again, and a waiting receive simply goes on", function()
    local client, loop, net = connect()
    local a = client:subscribe("/queue/a", { ack = "client-individual" })
    client:subscribe("/queue/b")
    local got
    loop.run(function()
      got = a:receive(60)
    end, function()
      net.server:close(1000)
      loop.sleep(5)
      assert.equal("connected", client.state)
      net.server:message(a.id, "again")
    end)
    assert.equal("again", got.body)
    assert.equal(2, #net.servers)
    assert.same({ "CONNECT", "SUBSCRIBE /queue/a", "SUBSCRIBE /queue/b" },
      dialogue(net.server))
    assert.equal("client-individual", net.server:got("SUBSCRIBE")[1].headers.ack)
    assert.equal(1, client:stats().reconnects)
    assert(got:ack())
  end)

  it("tells disconnect, connected and reconnect, and close at the very end", function()
    local told = {}
    local function note(name)
      return function(...) told[#told + 1] = name .. " " .. tostring((...)):sub(1, 12) end
    end
    local client, loop, net = connect {
      on_disconnect = note "disconnect", on_reconnect = function(c, url, attempt)
        told[#told + 1] = ("reconnect %s %s %d"):format(c.state, url, attempt)
      end, on_close = note "close",
    }
    client:on("connected", function(c, url)
      told[#told + 1] = "connected " .. c.version .. " " .. url
    end)
    net.refuse = 1
    loop.run(function()
      net.server:close(1000)
      client:receive(9)
    end)
    client:disconnect()
    assert.same({
      "disconnect closed: the ", "connected 1.2 ws://broker.test/ws",
      "reconnect connected ws://broker.test/ws 2", "close true",
    }, told)
  end)

  it("keeps the order: SUBSCRIBE, queued, confirmed without RECEIPT", function()
    local client, loop, net = connect({}, { SEND = false })
    client:subscribe("/queue/s")
    local results = {}
    loop.run(function()
      results[1] = client:send("/queue/confirmed", "1", nil, { confirm = true })
    end, function()
      results[2] = client:send("/queue/confirmed", "2", nil, { confirm = true })
    end, function()
      loop.sleep(1)
      net.server:close(1006)
      net.script.SEND = nil
      loop.sleep(0.5)
      assert.equal("reconnecting", client.state)
      assert.is_true(client:send("/queue/queued", "3"))
      assert.is_true(client:send("/queue/queued", "4", nil, { confirm = true }))
    end)
    assert.same({ true, true }, results)
    assert.same({ "CONNECT", "SUBSCRIBE /queue/s", "SEND /queue/queued",
      "SEND /queue/queued", "SEND /queue/confirmed", "SEND /queue/confirmed" },
      dialogue(net.server))
    local bodies = {}
    for i, frame in ipairs(net.server:got("SEND")) do bodies[i] = frame.body end
    assert.same({ "3", "4", "1", "2" }, bodies)
  end)

  it("sends again what a script sent that nobody drove meanwhile", function()
    local client, loop, net = connect()
    net.server:close(1000)
    assert.is_true(client:send("/queue/a", "x")) -- taken by the old connection, or queued
    net.link:next()
    assert.is_true(client:send("/queue/a", "y"))
    assert.equal("reconnecting", client.state)
    loop.sleep(2)
    assert.equal("connected", client.state)
    assert.equal("y", net.server:got("SEND")[1].body)
  end)

  it("never sends a confirm = \"once\" twice", function()
    local client, loop, net = connect({}, { SEND = false })
    local ok, message, err
    loop.run(function()
      ok, message, err = client:send("/queue/a", "1", nil, { confirm = "once" })
    end, function()
      loop.sleep(1)
      net.server:close(1000)
    end, function()
      client:receive(9)
    end)
    fixture.failure("closed", ok, message, err)
    assert.equal("unknown", err.outcome)
    assert.same({}, net.server:got("SEND"))
  end)

  it("refuses to acknowledge a message of an earlier connection", function()
    local client, loop, net = connect()
    local a = client:subscribe("/queue/a", { ack = "client" })
    local b = client:subscribe("/queue/b", { acknowledge = { destination = "/app/ack" } })
    net.server:message(a.id)
    net.server:message(b.id, "", { messageId = "7" })
    local old, other = a:receive(1), b:receive(1)
    net.server:close(1000)
    loop.run(function() client:receive(5) end)
    assert.equal("connected", client.state)
    net.server:message(a.id)
    local new = a:receive(1)
    for _, message in ipairs { old, other } do
      fixture.failure("closed", message:ack())
      fixture.failure("closed", message:nack())
    end
    assert.same({}, net.server:got("ACK"))
    assert.same({}, net.server:got("SEND"))
    assert.is_true(new:ack())
  end)

  it("does not queue what is not to be queued, and what cannot be sent", function()
    local client, loop, net = connect { limits = { outbox = 1000 } }
    net.server:close(1000)
    loop.run(function() client:receive(0.5) end)
    assert.equal("reconnecting", client.state)
    fixture.failure("closed", client:send("/queue/a", "x", nil, { queue = false }))
    fixture.failure("invalid", client:send("/queue/a", "x", { a = "\0" }))
    fixture.failure("limit", client:send("/queue/a", ("x"):rep(1001)))
    net.refuse = 100
    assert.is_true(client:send("/queue/a", ("x"):rep(800)))
    local err = fixture.failure("timeout",
      client:send("/queue/a", ("x"):rep(800), nil, { timeout = 3 }))
    assert.truthy(err.message:find("no room while reconnecting", 1, true))
    net.refuse = 0
    assert.is_true(client:send("/queue/b", ("y"):rep(800)))
    loop.sleep(0)
    assert.same({ "SEND /queue/a", "SEND /queue/b" },
      { dialogue(net.server)[2], dialogue(net.server)[3] })
  end)

  it("says of a confirmed send that it was not sent where there was none in time", function()
    local client, loop, net = connect({}, { SEND = false })
    loop.run(function()
      net.server:close(1000)
      net.refuse = 2
      client:receive(0.1)
      local err = fixture.failure("timeout",
        client:send("/queue/a", "1", nil, { confirm = true, timeout = 2 }))
      assert.equal("timeout: SEND /queue/a was not sent: no connection within 2 s", err.message)
      assert.is_nil(err.outcome)
      client:receive(20)
      assert.equal(0, #net.server:got("SEND")) -- nor later
      -- one that went out once may have been taken
      loop.spawn(function()
        client:receive(1)
        net.server:close(1000)
        net.refuse = 5
      end)
      err = fixture.failure("timeout",
        client:send("/queue/a", "2", nil, { confirm = true, timeout = 3 }))
      assert.equal("timeout: no RECEIPT for SEND /queue/a within 3 s", err.message)
      assert.equal("unknown", err.outcome)
    end)
  end)

  it("lets subscribe and begin wait for the connection", function()
    local client, loop, net = connect()
    net.server:close(1000)
    loop.run(function() client:receive(0.5) end)
    net.refuse = 2
    local subscription = assert(client:subscribe("/queue/late"))
    assert.equal(1007, loop.now())
    assert.truthy(subscription)
    assert.equal(1, #net.server:got("SUBSCRIBE"))
    net.server:close(1000)
    loop.run(function() client:receive(0.5) end)
    net.refuse = 1000
    local err = fixture.failure("timeout", client:subscribe("/q", { timeout = 5 }))
    assert.truthy(err.message:find("no connection", 1, true))
  end)

  it("forgets an unsubscribed subscription without a word to the next", function()
    local client, loop, net = connect()
    local a = client:subscribe("/queue/a")
    net.server:close(1000)
    loop.run(function() client:receive(0.5) end)
    assert.is_true(a:unsubscribe { confirm = true })
    loop.run(function() client:receive(5) end)
    assert.same({ "CONNECT" }, dialogue(net.server))
  end)

  it("awaits the RECEIPT of a SUBSCRIBE across connections", function()
    local client, loop, net = connect({}, { SUBSCRIBE = false })
    local subscription
    loop.run(function()
      subscription = assert(client:subscribe("/queue/a", { confirm = true }))
    end, function()
      loop.sleep(2)
      net.server:close(1000)
      net.script.SUBSCRIBE = nil
    end)
    assert.equal("connected", client.state)
    assert.truthy(subscription)
  end)

  it("leaves open transactions behind", function()
    local client, loop, net = connect()
    local transaction = assert(client:begin())
    net.server:close(1000)
    loop.run(function() client:receive(5) end)
    fixture.failure("closed", transaction:send("/queue/a", "x"))
    fixture.failure("closed", transaction:commit())
    assert.same({ "CONNECT" }, dialogue(net.server))
  end)

  it("counts held messages in the inbox of the next connection", function()
    local client, loop, net = connect()
    local a = client:subscribe("/queue/a")
    for i = 1, 3 do net.server:message(a.id, ("x"):rep(i * 100)) end
    loop.run(function() client:receive(0) end)
    client:subscribe("/queue/b"):receive(0.1)
    local before = net.link.held
    assert.is_true(before > 300)
    net.server:close(1000)
    loop.run(function() client:subscribe("/queue/c"):receive(5) end)
    assert.equal("connected", client.state)
    assert.equal(before, net.link.held)
    for i = 2, 3 do assert.equal(i * 100, #a:receive(1).body) end
    assert.equal(0, net.link.held)
  end)
end)

describe("the ways down while reconnecting", function()
  it("disconnect and close return at once", function()
    for _, way in ipairs { "disconnect", "close" } do
      local client, loop, net = connect()
      net.server:close(1000)
      net.refuse = 99
      local run
      loop.run(function()
        run = { client:run() }
      end, function()
        loop.sleep(20)
        local now = loop.now()
        assert.is_true(client[way](client))
        assert.equal(now, loop.now())
      end)
      assert.same({ true }, run)
      assert.equal("closed", client.state)
      assert.is_true(client:disconnect())
    end
  end)

  it("disconnect says what it leaves behind", function()
    local client, loop, net = connect({}, { SEND = false })
    local confirmed
    loop.run(function()
      confirmed = { client:send("/queue/a", "x", nil, { confirm = true }) }
    end, function()
      net.server:close(1000)
      net.refuse = 99
      loop.sleep(0.5)
      client:send("/queue/b", "y")
      local err = fixture.failure("closed", client:disconnect())
      assert.truthy(err.message:find("1 queued sends are lost", 1, true))
    end)
    assert.equal("closed", confirmed[3].kind)
    assert.equal("unknown", confirmed[3].outcome)
  end)

  it("an end after our own disconnect is not followed by another connection", function()
    local client, loop, net = connect({}, {
      DISCONNECT = function(server) server:close(1006) end,
    })
    loop.run(function() client:disconnect() end)
    loop.sleep(20)
    assert.equal(1, #net.servers)
    assert.equal("closed", client.state)
  end)
end)

describe("what ends each new connection", function()
  local function picky(bad)
    return {
      SUBSCRIBE = function(server, frame)
        if frame.headers.destination == bad then return server:close(1000, "no") end
        server:receipt(frame)
      end,
      SEND = function(server, frame)
        if frame.headers.destination == bad then return server:close(1000, "no") end
        server:receipt(frame)
      end,
    }
  end

  it("is set aside after the second time where it is a subscription", function()
    local told = {}
    local client, loop, net = connect({
      on_error = function(message, err) told[#told + 1] = { message, err } end,
    }, picky("/queue/bad"))
    local good = client:subscribe("/queue/good")
    local bad, other
    loop.run(function()
      loop.sleep(5)
      bad = client:subscribe("/queue/bad")
      other = client:subscribe("/queue/other")
      local ok, message, err = bad:receive(60)
      fixture.failure("closed", ok, message, err)
      assert.truthy(message:find("SUBSCRIBE /queue/bad (sub-2) ends each connection", 1, true))
    end, function()
      good:receive(30)
    end)
    assert.equal("connected", client.state)
    assert.equal(3, #net.servers)
    assert.equal(1, #told)
    assert.same({ "CONNECT", "SUBSCRIBE /queue/good", "SUBSCRIBE /queue/other" },
      dialogue(net.server))
    net.server:message(other.id, "lives")
    assert.equal("lives", other:receive(1).body)
  end)

  it("is told to its caller where it is a confirmed send; the others arrive", function()
    local client, loop, net = connect({}, picky("/queue/bad"))
    local results = {}
    local function send(i, destination)
      return function()
        results[i] = { client:send(destination, "x", nil, { confirm = true }) }
      end
    end
    loop.run(send(1, "/queue/a"), send(2, "/queue/bad"), send(3, "/queue/c"))
    assert.same({ true }, results[1])
    fixture.failure("closed", results[2][1], results[2][2], results[2][3])
    assert.equal("unknown", results[2][3].outcome)
    assert.same({ true }, results[3])
    loop.sleep(9)
    assert.equal("connected", client.state)
    assert.is_true(#net.servers <= 4)
  end)

  it("is told at once where the ERROR names its receipt", function()
    local client, loop, net = connect({}, {
      SEND = function(server, frame)
        if frame.body == "bad" then
          server:send("ERROR", { message = "no", ["receipt-id"] = frame.headers.receipt })
        else
          server:receipt(frame)
        end
      end,
    })
    loop.run(function()
      fixture.failure("broker", client:send("/q", "bad", nil, { confirm = true }))
      assert.is_true(client:send("/q", "good", nil, { confirm = true }))
    end)
    assert.equal(2, #net.servers)
  end)
end)

describe("many tasks on a client that reconnects", function()
  it("all get what they wait for", function()
    local client, loop = connect({ reconnect = { min = 0.1, max = 1, jitter = 0 } }, {
      SEND = function(server, frame)
        server.n_sends = (server.n_sends or 0) + 1
        if server.n_sends == 40 then return server:close(1006) end
        server:receipt(frame)
        server:message(frame.headers.reply, frame.body)
      end,
    })
    local done, tasks = 0, {}
    for i = 1, 20 do
      tasks[i] = function()
        local mine = assert(client:subscribe("/topic/" .. i, { id = "s" .. i }))
        for k = 1, 30 do
          assert(client:send("/topic/" .. i, i .. ":" .. k, { reply = mine.id },
            { confirm = true, timeout = 1000 }))
          local got
          repeat got = mine:receive(100).body until got == i .. ":" .. k
        end
        done = done + 1
      end
    end
    loop.run((table.unpack or unpack)(tasks)) -- luacheck: ignore 113 143 (by version)
    assert.equal(20, done)
    assert.is_true(client:stats().reconnects > 10)
    assert.equal(0, client:stats().receipts_outstanding)
  end)
end)

describe("handlers while a connection is lost", function()
  it("wait for their receipts across it, and cost the others nothing", function()
    local done, stuck = {}, 0
    local client, loop, net = connect({}, { SEND = false })
    client:subscribe("/queue/for-ever", function()
      stuck = stuck + 1
      loop.condition():wait(100000)
    end)
    client:subscribe("/queue/raises", function(message) error(message.body) end)
    client:subscribe("/queue/work", { ack = "client-individual" }, function(message)
      done[#done + 1] = client:send("/queue/done", message.body, nil, { confirm = true })
      local ok, _, err = message:ack()
      done[#done + 1] = ok or err.kind
    end)
    local errors = 0
    client:on("error", function() errors = errors + 1 end)
    for id = 1, 3 do net.server:message("sub-" .. id, "x") end
    loop.run(function()
      client:run(1)
      net.server:close(1006)
      net.script.SEND = nil
      client:run(5)
      for id = 1, 3 do net.server:message("sub-" .. id, "y") end
      client:run(1)
    end)
    assert.same({ true, "closed", true, true }, done)
    assert.equal(1, stuck)
    assert.equal(2, errors)
    assert.equal("connected", client.state)
  end)

  it("may disconnect, close and unsubscribe in it", function()
    for _, way in ipairs { "disconnect", "close" } do
      local client, loop, net = connect()
      local a
      a = client:subscribe("/queue/a", function()
        loop.sleep(1.5) -- the connection is lost meanwhile
        assert.equal("reconnecting", client.state)
        assert.is_true(a:unsubscribe())
        assert.is_true(client[way](client))
      end)
      net.refuse = 99
      net.server:message(a.id, "x")
      loop.run(function()
        client:run(1)
        net.server:close(1006)
        assert.is_true(client:run(5))
      end)
      assert.equal("closed", client.state)
    end
  end)
end)
