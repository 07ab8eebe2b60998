-- SPDX-License-Identifier: MIT
-- The ways down: STOMP 1.2, "DISCONNECT", "ERROR", and what peers do instead.
local core = require "stomp.core"
local fixture = require "spec.support.fixture"

describe("client:disconnect", function()
  it("sends DISCONNECT with a receipt, waits for it and closes", function()
    local client, _, net = fixture.connect()
    local closes = {}
    client:on("close", function(...) closes[#closes + 1] = { ... } end)
    assert.same({ true }, { client:disconnect() })
    assert.truthy(net.server:got("DISCONNECT")[1].headers.receipt)
    assert.equal("closed", client.state)
    assert.same({ { true } }, closes)
    assert.is_true(net.link.n_close > 0)
    assert.same({ true }, { client:disconnect() })
    assert.equal(1, #net.server:got("DISCONNECT"))
  end)

  it("says where the server ended in order without the RECEIPT", function()
    local client = fixture.connect({}, {
      DISCONNECT = function(server) server:close(1000, "STOMP died") end,
    })
    assert.same({ true, "no receipt" }, { client:disconnect() })
  end)

  it("waits for outstanding receipts first", function()
    local frame
    local client, loop, net = fixture.connect({}, {
      SEND = function(_, given) frame = given end,
    })
    local confirmed
    loop.run(function()
      confirmed = client:send("/queue/a", "", nil, { confirm = true })
    end, function()
      loop.sleep(1)
      assert.is_true(client:disconnect())
      assert.equal(1003, loop.now())
    end, function()
      loop.sleep(2)
      assert.same({}, net.server:got("DISCONNECT"))
      loop.sleep(1)
      net.server:receipt(frame)
    end)
    assert.is_true(confirmed)
  end)

  it("fails with timeout when nothing comes, and is closed all the same", function()
    local client, loop, net = fixture.connect({}, { DISCONNECT = false })
    local err = fixture.failure("timeout", client:disconnect())
    assert.equal("timeout: no RECEIPT for DISCONNECT within 5 s", err.message)
    assert.equal(1005, loop.now())
    assert.equal("closed", client.state)
    assert.is_true(net.link.n_close > 0)
    assert.is_true(client:disconnect(1))
  end)

  it("says how it ended where it did not end in order", function()
    local client = fixture.connect({}, {
      DISCONNECT = function(server) server:send("ERROR", { message = "no" }) end,
    })
    fixture.failure("broker", client:disconnect())
  end)

  it("may be called by two tasks", function()
    local client, loop, net = fixture.connect({}, {
      DISCONNECT = function(server, frame)
        server.kept = frame
      end,
    })
    local results = {}
    local function leave()
      local ok = client:disconnect()
      results[#results + 1] = ok
    end
    loop.run(leave, leave, function()
      loop.sleep(1)
      net.server:receipt(net.server.kept)
      net.server:close(1000)
    end)
    assert.same({ true, true }, results)
    assert.equal(1, #net.server:got("DISCONNECT"))
  end)
end)

describe("client:close", function()
  it("closes at once, without DISCONNECT, as often as wanted", function()
    local client, loop, net = fixture.connect()
    local closes = 0
    client:on("close", function(clean) closes = closes + (clean and 1 or 100) end)
    assert.is_true(client:close())
    assert.equal("closed", client.state)
    assert.is_true(client:close())
    assert.same({}, net.server:got("DISCONNECT"))
    assert.equal(1, closes)
    assert.equal(1000, loop.now())
    fixture.failure("closed", client:send("/queue/a", "x"))
    fixture.failure("closed", client:subscribe("/queue/a"))
    fixture.failure("closed", client:receive())
    assert.is_true(client:run())
  end)

  it("happens when a scope that owns the client is left", function()
    local load = loadstring or load -- luacheck: ignore 113 (by version)
    local chunk = load("local c <close> = ...")
    if not chunk then return pending("needs Lua 5.4") end
    local client = fixture.connect()
    chunk(client)
    assert.equal("closed", client.state)
  end)
end)

describe("an end that nobody asked for", function()
  it("close 1000 is one, and the error names what was sent last", function()
    local told
    local client, _, net = fixture.connect {
      on_disconnect = function(message, err) told = { message, err } end,
    }
    local closes = {}
    client:on("close", function(...) closes[#closes + 1] = { ... } end)
    client:subscribe("/exchange/missing/k")
    net.server:close(1000, "STOMP died")
    local err = fixture.failure("closed", client:run())
    assert.truthy(err.message:find("no reason given", 1, true))
    assert.truthy(err.message:find("see the broker's log", 1, true))
    assert.equal("SUBSCRIBE", err.after[1].command)
    assert.equal("/exchange/missing/k", err.after[1].destination)
    assert.same({ err.message, err }, told)
    assert.same({ { false, err.message, err } }, closes)
    assert.equal("closed", client.state)
  end)

  it("an ERROR fails all that wait and closes our side, though the server stays", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    local subscription = client:subscribe("/queue/a")
    local kinds = {}
    local function note(_, _, err) kinds[#kinds + 1] = err.kind end
    loop.run(function() note(subscription:receive()) end,
      function() note(client:send("/queue/a", "", nil, { confirm = true })) end,
      function() note(client:run()) end,
      function()
        loop.sleep(1)
        net.server:send("ERROR", { message = "Processing error", subscription = "sub-1" },
          "text\nmore")
      end)
    assert.same({ "broker", "broker", "broker" }, kinds)
    assert.is_true(net.link.n_close > 0)
    local _, message, err = client:run()
    assert.equal("broker: Processing error: text", message)
    assert.equal("text\nmore", err.frame.body)
    assert.equal("SEND", err.after[1].command)
  end)

  it("a malformed frame is a protocol error with its offset", function()
    local client, _, net = fixture.connect()
    net.link.pipe[1] = "MESSAGE\nnocolon\n\n\0"
    local err = fixture.failure("protocol", client:run())
    assert.is_number(err.offset)
  end)

  it("client:run fails with timeout while it lasts", function()
    local client, loop = fixture.connect()
    local err = fixture.failure("timeout", client:run(3))
    assert.equal("timeout: run: still connected after 3 s", err.message)
    assert.equal(1003, loop.now())
    assert.equal("connected", client.state)
  end)
end)

describe("RabbitMQ's ERROR about a subscription that has ended", function()
  it("ends nothing, and is told", function()
    local told = {}
    local client, _, net = fixture.connect {
      trace = function(direction, text) told[#told + 1] = direction .. " " .. text end,
    }
    local heard
    client:on("error", function(message) heard = message end)
    -- our own server session would end with it
    net.link.pipe[#net.link.pipe + 1] =
      assert(core.encode("ERROR", { message = "Subscription not found" }, "no tag 'T_1'\n"))
    assert.is_true(client:send("/queue/a", "x", nil, { confirm = true }))
    assert.equal("connected", client.state)
    assert.is_true(client:disconnect())
    assert.equal("broker: Subscription not found: no tag 'T_1'", heard)
    assert.truthy(table.concat(told, "\n"):find("info broker: Subscription not found", 1, true))
  end)
end)
