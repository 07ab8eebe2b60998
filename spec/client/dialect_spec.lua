-- SPDX-License-Identifier: MIT
-- What differs by CONNECTED's server header (lua/stomp/dialect.lua), as a program
-- meets it. What real brokers make of it: spec/activemq.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"
local testing = require "stomp.testing"

local artemis = "ActiveMQ-Artemis/2.40.0 ActiveMQ Artemis Messaging Engine"
local classic = "ActiveMQ/5.18.6"

local function connect(name, options, script)
  local all = { CONNECT = function(server) server:accept { server = name } end }
  for command, answer in pairs(script or {}) do all[command] = answer end
  return fixture.connect(options, all)
end

describe("prefetch", function()
  local function headers_at(name, options)
    local client, _, net = connect(name)
    assert(client:subscribe("/queue/a", options))
    local headers = net.server:got("SUBSCRIBE")[1].headers
    return headers["prefetch-count"], headers["activemq.prefetchSize"], headers["consumer-window-size"]
  end

  it("goes by the header that the broker knows", function()
    local five = { prefetch = 5, ack = "client-individual" }
    assert.same({ "5" }, { headers_at("RabbitMQ/3.10.8", five) })
    assert.same({ "5" }, { headers_at("lua-stomp/0.1.0", five) })
    assert.same({ nil, "5" }, { headers_at(classic, five) })
    assert.same({ "5", "5" }, { headers_at("Unheard-of/1", five) })
    assert.same({ "5", "5" }, { headers_at(nil, five) })
  end)

  it("becomes octets on Artemis, of which no message is shorter", function()
    assert.same({ nil, nil, "585" }, { headers_at(artemis, { prefetch = 5, ack = "client", id = "sub-1" }) })
    assert.same({ nil, nil, "113" }, { headers_at(artemis, { prefetch = 1, ack = "client-individual", id = "x" }) })
    assert.same({ nil, nil, "2147483647" }, { headers_at(artemis, { prefetch = 2 ^ 31 - 1, ack = "client" }) })
  end)

  it("is left out where Artemis would never give a second message: ack auto", function()
    assert.same({}, { headers_at(artemis, { prefetch = 1 }) })
    -- and where it may be one that does not say so
    assert.same({ "1" }, { headers_at(nil, { prefetch = 1 }) })
    assert.same({ nil, "1" }, { headers_at(classic, { prefetch = 1 }) })
  end)

  it("means any number where it is 0", function()
    local zero = { prefetch = 0, ack = "client" }
    assert.same({ "0" }, { headers_at("RabbitMQ/3.10.8", zero) })
    assert.same({}, { headers_at(classic, zero) })
    assert.same({ nil, nil, "-1" }, { headers_at(artemis, zero) })
  end)
end)

describe("client:request on Artemis", function()
  local function answer(server, frame)
    local headers = { ["correlation-id"] = frame.headers["correlation-id"] }
    server:message(server:got("SUBSCRIBE")[1].headers.id, frame.body:upper(), headers)
  end

  it("subscribes to a name of its own as to a topic, the same on each connection", function()
    local client, _, net = connect(artemis, { reconnect = fixture.steady }, { SEND = answer })
    for _ = 1, 2 do assert.equal("ABC", assert(client:request("/queue/upper", "abc")).body) end
    local first = net.server
    assert.equal(1, #first:got("SUBSCRIBE"))
    local subscribed = first:got("SUBSCRIBE")[1].headers
    assert.matches("^lua%-stomp%.replies%.%x+%-%d+$", subscribed.destination)
    assert.equal("MULTICAST", subscribed["subscription-type"])
    assert.equal(subscribed.destination, first:got("SEND")[1].headers["reply-to"])
    first:close()
    fixture.failure("timeout", client:receive(5))
    assert.equal("ABC", assert(client:request("/queue/upper", "abc")).body)
    assert.not_equal(first, net.server)
    assert.equal(subscribed.destination, net.server:got("SUBSCRIBE")[1].headers.destination)
  end)

  it("takes option reply as it is", function()
    local client, _, net = connect(artemis, {}, { SEND = answer })
    assert(client:request("/queue/upper", "abc", { reply = { to = "mine" } }))
    local subscribed = net.server:got("SUBSCRIBE")[1].headers
    assert.equal("mine", subscribed.destination)
    assert.is_nil(subscribed["subscription-type"])
  end)
end)

describe("a transaction on Artemis, which acknowledges at once,", function()
  -- client, net, subscription with n messages that were received
  local function received(n, ack, script)
    local client, _, net = connect(artemis, {}, script)
    local subscription = assert(client:subscribe("/queue/a", { ack = ack or "client-individual" }))
    local messages = {}
    for i = 1, n do
      net.server:message(subscription.id, tostring(i))
      messages[i] = assert(subscription:receive(1))
    end
    return client, net, messages
  end

  it("holds acknowledgements back until COMMIT is answered", function()
    local seen
    local client, net, messages = received(3, nil, {
      COMMIT = function(server, frame)
        seen = #server:got("ACK") + #server:got("NACK")
        server:receipt(frame)
      end,
    })
    local t = assert(client:begin())
    assert.is_true(t:ack(messages[1]))
    assert.is_true(messages[2]:nack(t))
    fixture.failure("invalid", t:ack(messages[1]))
    fixture.failure("invalid", messages[1]:ack())
    assert.is_true(messages[3]:ack()) -- is not in it
    assert.equal(1, #net.server:got("ACK"))
    assert.is_true(t:commit())
    assert.equal(1, seen)
    assert.same({ "a3", "a1" }, { net.server:got("ACK")[1].headers.id, net.server:got("ACK")[2].headers.id })
    assert.equal("a2", net.server:got("NACK")[1].headers.id)
    assert.is_nil(net.server:got("ACK")[2].headers.transaction)
    fixture.failure("invalid", messages[1]:ack())
  end)

  it("sends none after ABORT: the message can be acknowledged again", function()
    local client, net, messages = received(1)
    local t = assert(client:begin())
    assert(t:ack(messages[1]))
    assert(t:abort())
    assert.same({}, net.server:got("ACK"))
    assert(messages[1]:ack())
    assert.equal(1, #net.server:got("ACK"))
  end)

  it("sends none when COMMIT is not answered", function()
    local client, net, messages = received(1, nil, { COMMIT = false })
    local t = assert(client:begin())
    assert(t:ack(messages[1]))
    local err = fixture.failure("timeout", t:commit { timeout = 1 })
    assert.equal("unknown", err.outcome)
    assert.same({}, net.server:got("ACK"))
    assert(messages[1]:ack())
  end)

  it("says so when the connection ends between COMMIT and the acknowledgement", function()
    local client, net, messages = received(1, nil, {
      COMMIT = function(server, frame)
        server:receipt(frame)
        server:close(1001)
      end,
    })
    local t = assert(client:begin())
    assert(t:ack(messages[1]))
    fixture.failure("closed", t:commit())
    assert.same({}, net.server:got("ACK"))
  end)

  it("refuses what cannot be acknowledged, at once", function()
    local client, net, messages = received(1, "auto")
    local t = assert(client:begin())
    fixture.failure("invalid", t:ack(messages[1]))
    assert(t:commit())
    assert.same({}, net.server:got("ACK"))
    assert.is_nil(net.server:got("COMMIT")[1].headers.receipt)
  end)

  it("bears with a cumulative acknowledgement that came first", function()
    local client, net, messages = received(2, "client")
    local t = assert(client:begin())
    assert(t:ack(messages[1]))
    assert(messages[2]:ack())
    assert.is_true(t:commit())
    assert.equal(1, #net.server:got("ACK"))
  end)
end)

describe("a body that is not UTF-8", function()
  local world, broker
  before_each(function()
    world = testing.world { seed = 3 }
    broker = world:broker { server = classic }
  end)
  after_each(function() world:close() end)

  it("is refused on ActiveMQ, which would ignore it: nothing is sent", function()
    world:run(function()
      local client = assert(stomp.connect(broker.url, world:options()))
      local sent = client:stats().frames_sent
      for _, confirm in ipairs { false, true, "later" } do
        local err = fixture.failure("invalid", client:send("/queue/a", "\255", nil, { confirm = confirm }))
        assert.truthy(err.message:find("base64", 1, true))
      end
      fixture.failure("invalid", client:send("/queue/a", "\255"))
      assert.equal(sent, client:stats().frames_sent)
      assert.equal(0, client:stats().receipts_outstanding)
      assert(client:flush(1))
      assert(client:send("/queue/a", "a\0é", nil, { confirm = true }))
      client:close()
    end)
  end)

  it("is told of when it was queued while there was no connection", function()
    world:run(function()
      local told, back = {}, world.loop.condition()
      local client = assert(stomp.connect(broker.url, world:options {
        reconnect = true,
        on_error = function(_, err) told[#told + 1] = err.name end,
        on_disconnect = function() back:signal() end,
      }))
      world:spawn(function() client:run() end)
      world.network:cut()
      back:wait(60)
      assert.equal("reconnecting", client.state)
      assert(client:send("/queue/a", "\255"))
      assert(client:send("/queue/a", "text"))
      assert(client:send("/queue/a", "last", nil, { confirm = true }))
      assert.same({ "IBINARY" }, told)
      assert.equal(2, broker:stats("/queue/a").queued)
      client:close()
    end)
  end)
end)
