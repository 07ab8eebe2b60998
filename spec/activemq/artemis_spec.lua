-- SPDX-License-Identifier: MIT
-- The client and ActiveMQ Artemis, by an acceptor where /queue/ and /topic/ are
-- prefixes, and by the one that it is installed with.
local activemq = require "spec.support.activemq"
local activemq_suite = require "spec.support.activemq_suite"
local fixture = require "spec.support.fixture"
local session_suite = require "spec.support.session_suite"

describe("on Artemis a client #artemis", function()
  local broker
  setup(function() broker = activemq.start "artemis" end)
  teardown(function() broker:stop() end)

  session_suite({ it = it, after_each = after_each },
    function() return broker.configured, "admin", "admin" end, {
      ["gives what was not acknowledged to the next one"] = "`redelivered` only on the first",
      ["asks and answers, many at once, in every version"] = "at 1.0 it does not say who it is",
      ["ends an unknown destination with an error that names the frame"] = "any name is an address",
      ["acknowledges in a transaction: at COMMIT, not after ABORT"] = "below",
    })
  activemq_suite({ it = it, after_each = after_each }, function() return broker end)

  local queue = activemq.queue

  it("gives what was not acknowledged to the next one", function()
    local client, name = assert(broker:connect()), queue "again"
    local subscription = assert(client:subscribe(name, { ack = "client-individual", confirm = true }))
    for i = 1, 3 do assert(client:send(name, tostring(i), nil, { confirm = true })) end
    local messages = {}
    for i = 1, 3 do messages[i] = assert(subscription:receive(10)) end
    assert(messages[2]:ack())
    assert(client:disconnect())
    client = assert(broker:connect())
    subscription = assert(client:subscribe(name))
    for _, body in ipairs { "1", "3" } do assert.equal(body, assert(subscription:receive(10)).body) end
    fixture.failure("timeout", subscription:receive(0.2))
    client:close()
  end)

  it("sends bodies of any bytes and size to an acceptor as it is installed", function()
    local client = assert(broker:connect { url = broker.url })
    local subscription = assert(client:subscribe("large", { confirm = true }))
    for _, size in ipairs { 65536, 100000, 3000000 } do
      local body = ("\255\0"):rep(size / 2)
      assert(client:send("large", body, nil, { confirm = true }))
      assert.is_true(assert(subscription:receive(10)).body == body)
    end
    assert(client:disconnect())
  end)

  it("needs headers to have a queue where no prefix says so", function()
    local client, name = assert(broker:connect { url = broker.url }), queue "anycast"
    assert(client:send(name, "lost", nil, { confirm = true })) -- a topic, by default: nobody is there
    local to, from = { ["destination-type"] = "ANYCAST" }, { ["subscription-type"] = "ANYCAST" }
    local other = queue "anycast"
    assert(client:send(other, "kept", to, { confirm = true }))
    local subscription = assert(client:subscribe(other, { headers = from }))
    assert.equal("kept", assert(subscription:receive(10)).body)
    fixture.failure("timeout", assert(client:subscribe(name)):receive(0.3))
    assert(client:disconnect())
  end)

  it("is not kept from a second message by prefetch and ack auto", function()
    local client, name = assert(broker:connect()), queue "auto"
    for i = 1, 5 do assert(client:send(name, tostring(i), nil, { confirm = true })) end
    local subscription = assert(client:subscribe(name, { prefetch = 1 }))
    for i = 1, 5 do assert.equal(tostring(i), assert(subscription:receive(5)).body) end
    client:close()
  end)

  it("never gets more than the prefetch, however short the messages are", function()
    local client, name = assert(broker:connect()), queue "p"
    for _ = 1, 50 do assert(client:send(name, "", nil, { confirm = true })) end
    for _, n in ipairs { 1, 2, 10 } do
      local one = assert(broker:connect())
      local subscription = assert(one:subscribe(name, { id = "x", ack = "client-individual", prefetch = n }))
      local came = 0
      while subscription:receive(0.3) do came = came + 1 end
      assert.is_true(came >= 1 and came <= n, came)
      one:close()
    end
    client:close()
  end)

  it("acknowledges in a transaction after COMMIT, not after ABORT", function()
    local client, name = assert(broker:connect()), queue "transaction"
    for i = 1, 2 do assert(client:send(name, tostring(i), nil, { confirm = true })) end
    local subscription = assert(client:subscribe(name, { ack = "client-individual" }))
    local one, two = assert(subscription:receive(10)), assert(subscription:receive(10))
    local undone, kept = assert(client:begin()), assert(client:begin())
    assert(undone:ack(one))
    assert(kept:ack(two))
    assert(undone:abort())
    assert(kept:commit())
    assert(client:disconnect())
    client = assert(broker:connect())
    subscription = assert(client:subscribe(name, { ack = "client-individual" }))
    assert.equal("1", assert(subscription:receive(10)).body)
    fixture.failure("timeout", subscription:receive(0.3))
    client:close()
  end)

  it("has what it rejects thrown away", function()
    local client, name = assert(broker:connect()), queue "nack"
    local subscription = assert(client:subscribe(name, { ack = "client-individual", confirm = true }))
    assert(client:send(name, "bad", nil, { confirm = true }))
    assert(assert(subscription:receive(10)):nack())
    assert(client:disconnect())
    client = assert(broker:connect())
    fixture.failure("timeout", assert(client:subscribe(name)):receive(0.3))
    client:close()
  end)

  it("is told why a frame was refused", function()
    for words, act in pairs {
      ["numbers"] = function(client) client:send(queue "x", "x", { priority = "abc" }) end,
      ["client-id"] = function(client)
        client:subscribe("/topic/x", { headers = { ["durable-subscription-name"] = "d" } })
      end,
    } do
      local client = assert(broker:connect())
      act(client)
      local err = fixture.failure("broker", client:run(10))
      assert.truthy(err.hint:find(words, 1, true))
    end
  end)
end)
