-- SPDX-License-Identifier: MIT
-- client:send and flush: STOMP 1.2, "SEND", "RECEIPT".
local fixture = require "spec.support.fixture"

describe("client:send", function()
  it("sends any bytes", function()
    local client, _, net = fixture.connect()
    assert.is_true(client:send("/queue/a", "a\0\255b"))
    local frame = net.server:got("SEND")[1]
    assert.equal("a\0\255b", frame.body)
    assert.equal("/queue/a", frame.headers.destination)
    assert.is_nil(frame.headers.receipt)
  end)

  it("sends a table as JSON and says so, unless the program does", function()
    local client, _, net = fixture.connect()
    assert(client:send("/queue/a", { n = 1 }))
    assert(client:send("/queue/a", { 1, 2 }, { ["content-type"] = "text/x" }))
    local frames = net.server:got("SEND")
    assert.equal('{"n":1}', frames[1].body)
    assert.equal("application/json", frames[1].headers["content-type"])
    assert.equal("[1,2]", frames[2].body)
    assert.equal("text/x", frames[2].headers["content-type"])
  end)

  it("fails with invalid for what cannot be JSON", function()
    local client, _, net = fixture.connect()
    fixture.failure("invalid", client:send("/queue/a", { f = print }))
    assert.same({}, net.server:got("SEND"))
  end)

  it("takes headers as a table or a list", function()
    local client, _, net = fixture.connect()
    assert(client:send("/queue/a", "", { n = 10, yes = true, text = "x" }))
    assert(client:send("/queue/a", "", { { "n", 1 }, { "n", 2 } }, { confirm = true }))
    local frames = net.server:got("SEND")
    assert.equal("10", frames[1].headers.n)
    assert.equal("true", frames[1].headers.yes)
    assert.equal("x", frames[1].headers.text)
    assert.equal("1", frames[2].headers.n)
    assert.equal("/queue/a", frames[2].headers.destination)
    assert.equal("true", frames[2].headers.persistent)
    assert.truthy(frames[2].headers.receipt)
  end)

  it("refuses headers that an argument or option sets", function()
    local client, _, net = fixture.connect()
    for name, by in pairs {
      destination = "destination argument", id = "option id", ack = "option ack",
      receipt = "option confirm", transaction = "option transaction",
      ["content-length"] = "option content_length",
    } do
      local err = fixture.failure("invalid", client:send("/queue/a", "", { [name] = "1" }))
      assert.truthy(err.message:find(by, 1, true))
      fixture.failure("invalid", client:send("/queue/a", "", { { name, "1" } }))
    end
    assert.same({}, net.server:got("SEND"))
  end)

  it("fails with invalid for an empty destination and a header that cannot be sent", function()
    local client, _, net = fixture.connect()
    fixture.failure("invalid", client:send("", "x"))
    fixture.failure("invalid", client:send("/queue/a", "x", { a = "\0" }))
    assert.same({}, net.server:got("SEND"))
  end)

  it("raises at the caller's line for misuse", function()
    local client = fixture.connect()
    local cases = {
      { nil, "x" }, { "/a", nil }, { "/a", 5 }, { "/a", "x", 5 },
      { "/a", "x", { a = {} } }, { "/a", "x", { [true] = 5 }, says = "names are strings" },
      { "/a", "x", { 5 }, says = "{name, value}" },
      { "/a", "x", { { "a", "1" }, b = "2" }, says = "'b' beside it" },
      { "/a", "x", { { "a", "1" }, nil, { "b", "2" } }, says = "a gap before 3" },
      { "/a", "x", nil, { queue = 1 }, says = "option 'queue'" }, { "/a", "x", nil, { confirm = 1 } },
      { "/a", "x", nil, { confirm = "twice" } },
    }
    for i, case in ipairs(cases) do
      local message = fixture.raised(function() client:send(case[1], case[2], case[3], case[4]) end)
      assert.truthy(message:find(case.says or "expected", 1, true), i .. ": " .. message)
    end
  end)

  it("leaves content-length out where asked to", function()
    local client, _, net = fixture.connect()
    assert(client:send("/queue/a", "text", nil, { content_length = false }))
    assert.is_nil(net.server:got("SEND")[1].headers["content-length"])
    fixture.failure("invalid", client:send("/queue/a", "a\0b", nil, { content_length = false }))
  end)
end)

describe("an idempotent send", function()
  it("has an id of its own, in a header of choice", function()
    local client, _, net = fixture.connect()
    assert(client:send("/queue/a", "", nil, { idempotent = true }))
    assert(client:send("/queue/a", "", { { "n", 1 } }, { idempotent = "_AMQ_DUPL_ID", confirm = true }))
    assert(client:send("/queue/a", "", nil, { idempotent = false }))
    local sent = net.server:got("SEND")
    assert.equal("0102030405060708-1", sent[1].headers["idempotency-key"])
    assert.equal("0102030405060708-2", sent[2].headers["_AMQ_DUPL_ID"])
    assert.is_nil(sent[2].headers["idempotency-key"])
    assert.is_nil(sent[3].headers["idempotency-key"])
  end)

  it("refuses a header that the program or an argument sets", function()
    local client, _, net = fixture.connect()
    local err = fixture.failure("invalid",
      client:send("/queue/a", "", { key = "mine" }, { idempotent = "key" }))
    assert.truthy(err.message:find("option idempotent", 1, true))
    fixture.failure("invalid", client:send("/queue/a", "", nil, { idempotent = "destination" }))
    fixture.failure("invalid", client:send("/queue/a", "", nil, { idempotent = "receipt" }))
    fixture.failure("invalid", client:send("/queue/a", "", nil, { idempotent = "persistent", confirm = true }))
    assert.truthy(fixture.raised(function() client:send("/queue/a", "", nil, { idempotent = "" }) end)
      :find("idempotent", 1, true))
    fixture.raised(function() client:send("/queue/a", "", nil, { idempotent = 5 }) end)
    assert.same({}, net.server:got("SEND"))
  end)
end)

describe("a confirmed send", function()
  it("returns when its RECEIPT is here, also out of order", function()
    local first
    local client, loop = fixture.connect({}, {
      SEND = function(server, frame)
        if not first then
          first = frame
        else
          server:receipt(frame)
          server:receipt(first)
        end
      end,
    })
    local log = {}
    local function send(name)
      return function()
        assert(client:send("/queue/a", name, nil, { confirm = true }))
        log[#log + 1] = name
      end
    end
    loop.run(send "one", send "two")
    table.sort(log)
    assert.same({ "one", "two" }, log)
  end)

  it("adds persistent unless the program says otherwise", function()
    local client, _, net = fixture.connect()
    assert(client:send("/queue/a", "", nil, { confirm = true }))
    assert(client:send("/queue/a", "", { persistent = "false" }, { confirm = true }))
    assert.equal("true", net.server:got("SEND")[1].headers.persistent)
    assert.equal("false", net.server:got("SEND")[2].headers.persistent)
  end)

  it("fails with timeout and an unknown outcome when no RECEIPT comes", function()
    local client, loop = fixture.connect({ confirm_timeout = 30 }, { SEND = false })
    local err = fixture.failure("timeout", client:send("/queue/a", "", nil, { confirm = true }))
    assert.equal("timeout: no RECEIPT for SEND /queue/a within 30 s", err.message)
    assert.equal("unknown", err.outcome)
    assert.equal(1030, loop.now())
    err = fixture.failure("timeout",
      client:send("/queue/a", "", nil, { confirm = true, timeout = 2 }))
    assert.truthy(err.message:find("within 2 s", 1, true))
  end)

  it("fails as the connection does, with an unknown outcome", function()
    local client = fixture.connect({}, {
      SEND = function(server) server:close(1000, "STOMP died") end,
    })
    local err = fixture.failure("closed", client:send("/queue/a", "", nil, { confirm = true }))
    assert.equal("unknown", err.outcome)
    assert.truthy(err.message:find("see the broker's log", 1, true))
    assert.equal("SEND", err.after[1].command)
    assert.equal("/queue/a", err.after[1].destination)
    assert.equal("closed", client.state)
  end)

  it("fails with broker when an ERROR comes", function()
    local client, _, net = fixture.connect({}, {
      SEND = function(server) server:send("ERROR", { message = "no" }, "because\nof that") end,
    })
    local err = fixture.failure("broker", client:send("/queue/a", "", nil, { confirm = true }))
    assert.equal("broker: no: because", err.message)
    assert.equal("because\nof that", err.frame.body)
    assert.equal("unknown", err.outcome)
    assert.is_nil(err.permanent)
    assert.is_true(net.link.n_close > 0)
    fixture.failure("broker", client:run())
  end)
end)

describe("a full outbox", function()
  it("makes send wait for room, in order", function()
    local client, loop, net = fixture.connect()
    net.link.full = true
    local function send(text)
      return function() assert(client:send("/queue/a", text)) end
    end
    loop.run(send "1", send "2", send "3", function()
      loop.sleep(1)
      net.link:drain()
    end)
    local bodies = {}
    for i, frame in ipairs(net.server:got("SEND")) do bodies[i] = frame.body end
    assert.same({ "1", "2", "3" }, bodies)
    assert.equal(1001, loop.now())
  end)

  it("fails with timeout when no room comes; nothing was sent", function()
    local client, loop, net = fixture.connect { confirm_timeout = 7 }
    net.link.full = true
    local err = fixture.failure("timeout", client:send("/queue/a", "x"))
    assert.is_nil(err.outcome)
    assert.equal(1007, loop.now())
    net.link:drain()
    assert(client:send("/queue/a", "y"))
    assert.equal("y", net.server:got("SEND")[1].body)
  end)

  it("lets the next one try where the first gave up", function()
    local client, loop, net = fixture.connect()
    net.link.full = true
    local first
    loop.run(function()
      first = { client:send("/queue/a", "1", nil, { timeout = 1 }) }
    end, function()
      assert(client:send("/queue/a", "2"))
    end, function()
      loop.sleep(2)
      net.link:drain()
    end)
    fixture.failure("timeout", first[1], first[2], first[3])
    assert.equal("2", net.server:got("SEND")[1].body)
  end)
end)

describe("client:flush", function()
  it("waits for the confirmed sends of all tasks", function()
    local frames = {}
    local client, loop, net = fixture.connect({}, {
      SEND = function(_, frame) frames[#frames + 1] = frame end,
    })
    local done = 0
    local function send()
      assert(client:send("/queue/a", "", nil, { confirm = true }))
      done = done + 1
    end
    loop.run(send, send, function()
      loop.sleep(1)
      assert.is_true(client:flush(5))
      assert.equal(1002, loop.now())
    end, function()
      loop.sleep(1.5)
      net.server:receipt(frames[1])
      loop.sleep(0.5)
      net.server:receipt(frames[2])
    end)
    assert.equal(2, done)
    assert.is_true(client:flush())
  end)

  it("fails with timeout, and when one of them fails", function()
    local client, loop = fixture.connect({ confirm_timeout = 4 }, { SEND = false })
    local short, long
    loop.run(function()
      client:send("/queue/a", "", nil, { confirm = true })
    end, function()
      short = { client:flush(1) }
    end, function()
      long = { client:flush(9) }
    end)
    fixture.failure("timeout", short[1], short[2], short[3])
    fixture.failure("timeout", long[1], long[2], long[3])
    assert.truthy(long[2]:find("SEND /queue/a", 1, true))
    assert.equal(1004, loop.now())
  end)
end)
