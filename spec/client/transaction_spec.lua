-- SPDX-License-Identifier: MIT
-- Transactions: STOMP 1.2, "BEGIN", "COMMIT", "ABORT". The RECEIPT of a SEND in
-- one comes after that of its COMMIT, as on RabbitMQ.
local fixture = require "spec.support.fixture"

-- Answers as RabbitMQ does: a SEND in a transaction after its COMMIT.
local function like_rabbitmq()
  local waiting = {}
  return {
    SEND = function(server, frame)
      local id = frame.headers.transaction
      if not id then return server:receipt(frame) end
      waiting[id] = waiting[id] or {}
      table.insert(waiting[id], frame)
    end,
    COMMIT = function(server, frame)
      server:receipt(frame)
      for _, sent in ipairs(waiting[frame.headers.transaction] or {}) do server:receipt(sent) end
    end,
  }
end

local function commands(net)
  local list = {}
  for _, frame in ipairs(net.server.frames) do
    local transaction = frame.headers.transaction
    list[#list + 1] = frame.command .. (transaction and " " .. transaction or "")
  end
  return list
end

describe("a transaction", function()
  it("sends within it and commits, by object and by id", function()
    local client, _, net = fixture.connect()
    local t = assert(client:begin())
    assert(t:send("/queue/a", "1", { n = 1 }))
    assert(client:send("/queue/a", "2", nil, { transaction = t }))
    assert(client:send("/queue/a", "3", nil, { transaction = t.id }))
    assert(client:send("/queue/a", "4"))
    assert.is_true(t:commit())
    assert.same({ "CONNECT", "BEGIN tx-1", "SEND tx-1", "SEND tx-1", "SEND tx-1", "SEND",
      "COMMIT tx-1" }, commands(net))
    assert.equal("1", net.server:got("SEND")[1].headers.n)
    assert.is_nil(net.server:got("COMMIT")[1].headers.receipt)
    assert.equal("stomp.transaction tx-1 (committed)", tostring(t))
  end)

  it("takes an id of the program's, once at a time", function()
    local client, _, net = fixture.connect()
    local t = assert(client:begin("mine"))
    assert.equal("mine", t.id)
    fixture.failure("invalid", client:begin("mine"))
    fixture.failure("invalid", client:begin(""))
    assert(t:abort())
    assert(assert(client:begin("mine")):commit())
    assert(client:begin("tx-1"))
    assert.equal("tx-2", assert(client:begin()).id)
    assert.same({ "CONNECT", "BEGIN mine", "ABORT mine", "BEGIN mine", "COMMIT mine",
      "BEGIN tx-1", "BEGIN tx-2" }, commands(net))
  end)

  it("is over after commit or abort: invalid, and nothing is sent", function()
    local client, _, net = fixture.connect()
    for _, last in ipairs { "commit", "abort" } do
      local t = assert(client:begin())
      assert(t[last](t))
      local n = #net.server.frames
      local err = fixture.failure("invalid", t:send("/queue/a", "x"))
      assert.truthy(err.message:find(t.id, 1, true))
      fixture.failure("invalid", t:commit())
      fixture.failure("invalid", t:commit { confirm = true })
      fixture.failure("invalid", t:abort())
      fixture.failure("invalid", client:send("/queue/a", "x", nil, { transaction = t }))
      fixture.failure("invalid", client:send("/queue/a", "x", nil, { transaction = t.id }))
      assert.equal(n, #net.server.frames)
    end
    assert.equal(0, client:stats().receipts_outstanding)
  end)

  it("refuses what is no transaction of this client", function()
    local client = fixture.connect()
    local other = fixture.connect()
    local t = assert(other:begin())
    fixture.failure("invalid", client:send("/queue/a", "x", nil, { transaction = t }))
    fixture.failure("invalid", client:send("/queue/a", "x", nil, { transaction = "nope" }))
    assert.truthy(fixture.raised(function() client:send("/queue/a", "x", nil, { transaction = {} }) end)
      :find("transaction", 1, true))
    assert.truthy(fixture.raised(function() client:begin(5) end):find("id", 1, true))
    assert.truthy(fixture.raised(function() t:send("/queue/a", "x", nil, { transaction = t }) end)
      :find("transaction", 1, true))
    assert.truthy(fixture.raised(function() t:commit { confirmed = true } end):find("confirmed", 1, true))
    assert.truthy(fixture.raised(function() t:ack("x") end):find("ack", 1, true))
  end)

  it("awaits the RECEIPTs of its confirmed sends in commit", function()
    local client, loop, net = fixture.connect({}, like_rabbitmq())
    local t = assert(client:begin())
    assert.is_true(t:send("/queue/a", "1", nil, { confirm = true }))
    assert.is_true(t:send("/queue/a", "2", nil, { confirm = true }))
    assert.equal(1000, loop.now())
    assert.equal("true", net.server:got("SEND")[1].headers.persistent)
    assert.equal(2, client:stats().receipts_outstanding)
    assert.is_true(t:commit())
    assert.truthy(net.server:got("COMMIT")[1].headers.receipt)
    assert.equal(0, client:stats().receipts_outstanding)
  end)

  it("is not safe at COMMIT's RECEIPT: commit waits for the last SEND's", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    local t = assert(client:begin())
    for _ = 1, 2 do assert(t:send("/queue/a", "", nil, { confirm = true })) end
    local sent = net.server:got("SEND")
    local late
    loop.run(function()
      late = { t:commit { timeout = 2 } }
    end, function()
      loop.sleep(1)
      net.server:receipt(sent[2])
    end)
    local err = fixture.failure("timeout", late[1], late[2], late[3])
    assert.equal("unknown", err.outcome)
    assert.truthy(err.message:find("1 of RECEIPTs of COMMIT tx-1", 1, true), err.message)
    assert.equal(1002, loop.now())
    assert.equal(0, client:stats().receipts_outstanding)
  end)

  it("costs one wake-up, however many sends it awaits", function()
    local client, loop, net = fixture.connect({}, { SEND = false, COMMIT = false })
    local t = assert(client:begin())
    for _ = 1, 100 do assert(t:send("/queue/a", "", nil, { confirm = true })) end
    local rests = fixture.rests(loop)
    local ok
    loop.run(function()
      client:receive(5) -- pumps
    end, function()
      ok = t:commit()
    end, function()
      loop.sleep(1)
      net.server:receipt(net.server:got("COMMIT")[1])
      for _, frame in ipairs(net.server:got("SEND")) do net.server:receipt(frame) end
    end)
    assert.is_true(ok)
    assert.equal(1, rests())
  end)

  it("need not be confirmed", function()
    local client, _, net = fixture.connect({}, { SEND = false })
    local t = assert(client:begin())
    assert(t:send("/queue/a", "", nil, { confirm = true }))
    assert.is_true(t:commit { confirm = false })
    assert.is_nil(net.server:got("COMMIT")[1].headers.receipt)
    fixture.failure("timeout", client:flush(1))
    net.server:receipt(net.server:got("SEND")[1])
    assert.is_true(client:flush(1))
    local second = assert(client:begin())
    assert.is_true(second:commit { confirm = true })
    assert.truthy(net.server:got("COMMIT")[2].headers.receipt)
  end)

  it("drops the waiters of its sends at abort", function()
    local client, loop = fixture.connect({}, { SEND = false })
    local t = assert(client:begin())
    assert(t:send("/queue/a", "", nil, { confirm = true }))
    local flushed
    loop.run(function()
      flushed = client:flush(5)
    end, function()
      assert.is_true(t:abort())
    end)
    assert.is_true(flushed)
    assert.equal(1000, loop.now())
    assert.equal(0, client:stats().receipts_outstanding)
    assert.is_true(client:disconnect())
  end)

  it("acknowledges at COMMIT; after ABORT a message can be acknowledged again", function()
    local client, _, net = fixture.connect()
    local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
    for i = 1, 3 do net.server:message("sub-1", tostring(i)) end
    local one, two, three = subscription:receive(1), subscription:receive(1), subscription:receive(1)
    local t = assert(client:begin())
    assert.is_true(t:ack(one))
    assert.is_true(two:nack(t))
    fixture.failure("invalid", one:ack())
    assert(t:abort())
    fixture.failure("invalid", one:ack("none"))
    local again = assert(client:begin())
    assert.is_true(one:ack(again.id))
    assert.is_true(again:nack(two))
    assert.is_true(three:ack())
    assert(again:commit())
    fixture.failure("invalid", one:ack())
    assert.equal("tx-1", net.server:got("ACK")[1].headers.transaction)
    assert.equal("tx-1", net.server:got("NACK")[1].headers.transaction)
    assert.equal("tx-2", net.server:got("ACK")[2].headers.transaction)
    assert.is_nil(net.server:got("ACK")[3].headers.transaction)
    fixture.failure("invalid", three:ack(again))
    assert.truthy(fixture.raised(function() three:ack(5) end):find("transaction", 1, true))
  end)

  it("takes acknowledgements by SEND in, too", function()
    local client, _, net = fixture.connect()
    local subscription = assert(client:subscribe("/queue/a",
      { acknowledge = { destination = "/app/ack", header = "nr" } }))
    net.server:message("sub-1", "1", { nr = "7" })
    local message = subscription:receive(1)
    local t = assert(client:begin())
    assert(message:ack(t))
    fixture.failure("invalid", message:ack())
    assert(t:abort())
    assert(message:ack())
    local sent = net.server:got("SEND")
    assert.same({ "tx-1", "7" }, { sent[1].headers.transaction, sent[1].headers.nr })
    assert.is_nil(sent[2].headers.transaction)
  end)

  local load = loadstring or load -- luacheck: ignore 113 143 (5.1 has the one, later ones the other)
  local scope = load [[
    local client, f = ...
    local t <close> = assert(client:begin())
    f(t)
  ]]

  it("aborts when its scope ends", function()
    if not scope then return end -- before 5.4
    local client, _, net = fixture.connect()
    scope(client, function() end)
    scope(client, function(t) assert(t:commit()) end)
    pcall(scope, client, function() error("x") end)
    assert.same({ "CONNECT", "BEGIN tx-1", "ABORT tx-1", "BEGIN tx-2", "COMMIT tx-2", "BEGIN tx-3", "ABORT tx-3" },
      commands(net))
  end)

  it("that cannot be aborted when its scope ends is told to on_error", function()
    if not scope then return end -- before 5.4
    local told = {}
    local client, loop, net = fixture.connect {
      confirm_timeout = 2, on_error = function(_, err) told[#told + 1] = err.kind end,
    }
    scope(client, function() net.link.full = true end)
    net.link:drain()
    scope(client, function() client:close() end)
    loop.idle()
    assert.same({ "timeout" }, told)
  end)
end)

describe("the end of a connection", function()
  it("ends its transactions: closed", function()
    local client = fixture.connect()
    local t = assert(client:begin())
    assert(t:send("/queue/a", "", nil, { transaction = nil }))
    client:close()
    local err = fixture.failure("closed", t:send("/queue/a", ""))
    assert.truthy(err.message:find("tx-1", 1, true))
    fixture.failure("closed", t:commit())
    fixture.failure("closed", t:abort())
    fixture.failure("closed", client:send("/queue/a", "", nil, { transaction = t }))
    fixture.failure("closed", client:begin())
    assert.equal("stomp.transaction tx-1 (lost)", tostring(t))
  end)

  it("by an ERROR inside reaches the commit that waits, outcome unknown", function()
    local client = fixture.connect({}, {
      COMMIT = function(server, frame)
        server:receipt(frame)
        server:send("ERROR", { message = "no such exchange" })
      end,
      SEND = false,
    })
    local t = assert(client:begin())
    assert(t:send("/exchange/missing/x", "", nil, { confirm = true }))
    local err = fixture.failure("broker", t:commit())
    assert.equal("unknown", err.outcome)
    assert.equal(0, client:stats().receipts_outstanding)
  end)

  it("that we closed fails a commit that waits", function()
    local client, loop = fixture.connect({}, { COMMIT = false })
    local t = assert(client:begin())
    local result
    loop.run(function()
      result = { t:commit { confirm = true } }
    end, function()
      loop.sleep(1)
      client:close()
    end)
    local err = fixture.failure("closed", result[1], result[2], result[3])
    assert.equal("unknown", err.outcome)
    assert.equal(1001, loop.now())
  end)
end)

describe("a transaction and a full outbox", function()
  it("stays open when COMMIT finds no room, and nobody else ends it meanwhile", function()
    local client, loop, net = fixture.connect()
    local t = assert(client:begin())
    net.link.full = true
    local first, second
    loop.run(function()
      first = { t:commit { timeout = 1, confirm = true } }
    end, function()
      second = { t:abort() }
    end)
    fixture.failure("timeout", first[1], first[2], first[3])
    fixture.failure("invalid", second[1], second[2], second[3])
    assert.equal(0, client:stats().receipts_outstanding)
    net.link:drain()
    assert.is_true(t:commit())
  end)

  it("fails to begin within the time; the id is free again", function()
    local client, _, net = fixture.connect { confirm_timeout = 3 }
    net.link.full = true
    fixture.failure("timeout", client:begin("a"))
    net.link:drain()
    assert(client:begin("a"))
  end)
end)
