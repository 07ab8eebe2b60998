-- SPDX-License-Identifier: MIT
-- Subscriptions without handler: STOMP 1.2, "SUBSCRIBE", "MESSAGE", "ACK".
local fixture = require "spec.support.fixture"

describe("client:subscribe", function()
  it("sends SUBSCRIBE with an id of its own, the mode and the headers", function()
    local client, _, net = fixture.connect()
    local one = assert(client:subscribe("/queue/a"))
    local two = assert(client:subscribe("/queue/a", { ack = "client", headers = { selector = "x" } }))
    local frames = net.server:got("SUBSCRIBE")
    assert.equal(one.id, frames[1].headers.id)
    assert.equal("auto", frames[1].headers.ack)
    assert.equal("client", frames[2].headers.ack)
    assert.equal("x", frames[2].headers.selector)
    assert.are_not.equal(one.id, two.id)
    assert.same({ "/queue/a", "client" }, { two.destination, two.ack })
  end)

  it("takes an id, and refuses one that is in use", function()
    local client, _, net = fixture.connect()
    assert(client:subscribe("/queue/a", { id = "sub-1" }))
    assert.equal("sub-2", client:subscribe("/queue/b").id)
    fixture.failure("invalid", client:subscribe("/queue/c", { id = "sub-2" }))
    assert.equal(2, #net.server:got("SUBSCRIBE"))
  end)

  it("takes a function that makes the headers", function()
    local client, _, net = fixture.connect()
    assert(client:subscribe("/queue/a", { headers = function() return { n = 7 } end }))
    assert.equal("7", net.server:got("SUBSCRIBE")[1].headers.n)
  end)

  it("refuses a header that says something else than the option that sets it", function()
    local client, _, net = fixture.connect({}, {
      CONNECT = function(server) server:accept { server = "RabbitMQ/3.10.8" } end,
    })
    for options, culprit in pairs {
      [{ prefetch = 5, headers = { ["prefetch-count"] = 7 } }] = "prefetch-count is set to 5",
      [{ prefetch = 5, headers = { { "prefetch-count", 7 } } }] = "prefetch-count is set to 5",
      [{ stream = "first", headers = { ["x-stream-offset"] = "last" } }] = "x-stream-offset is set to first",
    } do
      local err = fixture.failure("invalid", client:subscribe("/queue/a", options))
      assert.truthy(err.message:find(culprit, 1, true), err.message)
    end
    assert.same({}, net.server:got("SUBSCRIBE"))
    assert(client:subscribe("/queue/a", { prefetch = 5, headers = { ["prefetch-count"] = "5", n = 1 } }))
    assert.equal("5", net.server:got("SUBSCRIBE")[1].headers["prefetch-count"])
  end)

  it("waits for the RECEIPT where asked to, and undoes what nobody answers", function()
    local client, _, net = fixture.connect()
    assert(client:subscribe("/queue/a", { confirm = true }))
    net.server.script.SUBSCRIBE = false
    local err = fixture.failure("timeout", client:subscribe("/queue/b", { confirm = true, timeout = 2 }))
    assert.equal("timeout: no RECEIPT for SUBSCRIBE /queue/b within 2 s", err.message)
    assert.equal("sub-2", net.server:got("UNSUBSCRIBE")[1].headers.id)
  end)

  it("fails with invalid for an empty destination and reserved headers", function()
    local client, _, net = fixture.connect()
    fixture.failure("invalid", client:subscribe(""))
    fixture.failure("invalid", client:subscribe("/queue/a", { id = "" }))
    fixture.failure("invalid", client:subscribe("/queue/a", { acknowledge = { destination = "" } }))
    fixture.failure("invalid", client:subscribe("/queue/a", { headers = { ack = "client" } }))
    assert.same({}, net.server:got("SUBSCRIBE"))
  end)

  it("raises at the caller's line for misuse", function()
    local client = fixture.connect()
    for _, case in ipairs {
      { 5 }, { "/a", 5 }, { "/a", {}, 5 }, { "/a", { ack = "some" } }, { "/a", { concurrency = 2 } },
      { "/a", { prefetch = 1.5 } }, { "/a", { acknowledge = {} } }, { "/a", { acknowledge = { to = "x" } } },
      { "/a", { headers = { a = {} } } }, { "/a", { headers = function() return 5 end } },
      { "/a", { headers = { { "a" } } } },
    } do
      fixture.raised(function() client:subscribe(case[1], case[2], case[3]) end)
    end
  end)
end)

describe("subscription:receive", function()
  it("gives the messages in order, whatever came between", function()
    local client, _, net = fixture.connect()
    local a, b = client:subscribe("/queue/a"), client:subscribe("/queue/b")
    for i = 1, 3 do
      net.server:message(b.id, "b" .. i)
      net.server:message(a.id, "a" .. i)
    end
    for i = 1, 3 do assert.equal("a" .. i, a:receive(0).body) end
    for i = 1, 3 do assert.equal("b" .. i, b:receive(0).body) end
    fixture.failure("timeout", a:receive(0))
  end)

  it("keeps the order over thousands of messages", function()
    local client, loop, net = fixture.connect()
    local a, b = client:subscribe("/queue/a"), client:subscribe("/queue/b")
    local got = 0
    loop.run(function()
      for i = 1, 3000 do assert.equal(tostring(i), a:receive(5).body) end
    end, function()
      for i = 1, 3000 do
        assert.equal(tostring(i), b:receive(5).body)
        got = got + 1
      end
    end, function()
      for i = 1, 3000 do
        net.server:message(a.id, tostring(i))
        net.server:message(b.id, tostring(i))
        if i % 700 == 0 then loop.sleep(0.1) end
      end
    end)
    assert.equal(3000, got)
  end)

  it("fails with timeout, naming the destination", function()
    local client, loop = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    local err = fixture.failure("timeout", subscription:receive(2.5))
    assert.equal("timeout: no message on /queue/a within 2.5 s", err.message)
    assert.equal(1002.5, loop.now())
  end)

  it("hands out what came before an unclean end, then says why it ended", function()
    local client, _, net = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    net.server:message("sub-1", "last")
    net.server:close()
    assert.equal("last", subscription:receive().body)
    fixture.failure("closed", subscription:receive())
    fixture.failure("closed", subscription:receive(1))
  end)

  it("raises where a handler takes the messages", function()
    local client = fixture.connect()
    local subscription = client:subscribe("/queue/a", function() end)
    fixture.raised(function() subscription:receive() end)
    fixture.raised(function() subscription:messages() end)
    fixture.raised(function() client:receive("5") end)
  end)

  it("raises where the time-out is no number of seconds, and says what it is", function()
    local client = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    for got, value in pairs { nan = 0 / 0, string = "5", boolean = false } do
      local text = fixture.raised(function() subscription:receive(value) end)
      assert.truthy(text:find("timeout: .* expected, got " .. got), text)
    end
  end)
end)

describe("subscription:messages", function()
  local function collect(finish)
    local client, loop, net = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    local bodies = {}
    loop.spawn(function()
      net.server:message("sub-1", "1")
      net.server:message("sub-1", "2")
      loop.sleep(1)
      finish(client, subscription, net)
    end)
    for message in subscription:messages() do bodies[#bodies + 1] = message.body end
    return bodies
  end

  it("ends after our own unsubscribe, disconnect and close", function()
    for name, finish in pairs {
      unsubscribe = function(_, subscription) assert(subscription:unsubscribe()) end,
      disconnect = function(client) assert(client:disconnect()) end,
      close = function(client) assert(client:close()) end,
    } do
      assert.same({ "1", "2" }, collect(finish), name)
    end
  end)

  it("raises the message of any other end", function()
    local ok, message = pcall(collect, function(_, _, net) net.server:close() end)
    assert.is_false(ok)
    assert.equal("closed:", message:sub(1, 7))
  end)
end)

describe("subscription:unsubscribe", function()
  it("drops what nobody took and wakes who waits", function()
    local client, loop, net = fixture.connect()
    local subscription = client:subscribe("/queue/a", { ack = "client" })
    local other = client:subscribe("/queue/b")
    net.server:message(subscription.id, "x")
    fixture.failure("timeout", other:receive(0))
    assert(subscription:unsubscribe { headers = { durable = true }, confirm = true })
    assert.equal(0, net.link.held)
    fixture.failure("closed", subscription:receive(1))
    local headers = net.server:got("UNSUBSCRIBE")[1].headers
    assert.same({ subscription.id, "true" }, { headers.id, headers.durable })
    loop.run(function()
      fixture.failure("closed", other:receive())
    end, function()
      loop.sleep(1)
      assert(other:unsubscribe())
    end)
    assert.is_true(other:unsubscribe())
    assert.equal(2, #net.server:got("UNSUBSCRIBE"))
  end)
end)

describe("client:receive", function()
  it("gives messages of all subscriptions without handler in the order they came", function()
    local client, _, net = fixture.connect()
    client:subscribe("/queue/a")
    client:subscribe("/queue/b")
    local handled = {}
    client:subscribe("/queue/c", function(message) handled[#handled + 1] = message.body end)
    for i, id in ipairs { "sub-2", "sub-1", "sub-3", "sub-1", "sub-2" } do
      net.server:message(id, tostring(i))
    end
    for _, body in ipairs { "1", "2", "4", "5" } do assert.equal(body, client:receive(1).body) end
    fixture.failure("timeout", client:receive(1))
    assert.same({ "3" }, handled)
  end)

  it("leaves to a subscription's own waiter what is its", function()
    local client, loop, net = fixture.connect()
    local a = client:subscribe("/queue/a")
    client:subscribe("/queue/b")
    loop.run(function()
      assert.equal("2", client:receive(5).body)
    end, function()
      assert.equal("1", a:receive(5).body)
    end, function()
      loop.sleep(1)
      net.server:message("sub-1", "1")
      net.server:message("sub-2", "2")
    end)
  end)
end)

describe("message:ack", function()
  it("acknowledges by the version's rules, once", function()
    local client, _, net = fixture.connect()
    local subscription = client:subscribe("/queue/a", { ack = "client-individual" })
    net.server:message("sub-1", "x")
    net.server:message("sub-1", "y")
    local x, y = subscription:receive(1), subscription:receive(1)
    assert.is_true(x:ack())
    assert.is_true(y:nack())
    assert.equal("a1", net.server:got("ACK")[1].headers.id)
    assert.equal("a2", net.server:got("NACK")[1].headers.id)
    fixture.failure("invalid", x:ack())
    fixture.failure("invalid", y:ack())
    assert.equal(1, #net.server:got("ACK"))
  end)

  it("is invalid in mode auto, closed after the end", function()
    local client, _, net = fixture.connect()
    local auto = client:subscribe("/queue/a")
    local manual = client:subscribe("/queue/b", { ack = "client" })
    net.server:message(auto.id)
    net.server:message(manual.id)
    fixture.failure("invalid", auto:receive(1):ack())
    local message = manual:receive(1)
    client:close()
    fixture.failure("closed", message:ack())
    fixture.failure("closed", message:nack())
    assert.same({}, net.server:got("ACK"))
  end)

  it("is a SEND with the message's header where the server wants it so", function()
    local client, _, net = fixture.connect()
    local subscription = client:subscribe("/queue/a", { acknowledge = { destination = "acknowledge" } })
    net.server:message("sub-1", "x", { messageId = "id-7" })
    net.server:message("sub-1", "y")
    local x, y = subscription:receive(1), subscription:receive(1)
    assert.is_true(x:ack())
    local frame = net.server:got("SEND")[1]
    assert.same({ "acknowledge", "id-7", "" },
      { frame.headers.destination, frame.headers.messageId, frame.body })
    fixture.failure("invalid", x:ack())
    fixture.failure("invalid", x:nack())
    fixture.failure("invalid", y:ack())
    assert.equal(1, #net.server:got("SEND"))
    assert.same({}, net.server:got("ACK"))
  end)

  it("is counted then as any other", function()
    local client, _, net = fixture.connect()
    local acked = {}
    client:on("acked", function(message, how) acked[#acked + 1] = message.id .. " " .. how end)
    local subscription = client:subscribe("/queue/a", {
      ack = "client-individual", acknowledge = { destination = "/ack", header = "message-id" },
    })
    net.server:message("sub-1", "x")
    local message = assert(subscription:receive(1))
    assert.equal(1, client:stats().unacked)
    assert.is_true(message:ack())
    assert.same({ "m1 ack" }, acked)
    assert.equal(0, client:stats().unacked)
  end)

  it("is sent before the handler where automatic", function()
    local client, _, net = fixture.connect()
    local seen, errors = {}, {}
    client:on("error", function(message) errors[#errors + 1] = message end)
    client:subscribe("/queue/a",
      { acknowledge = { destination = "/ack", header = "id", automatic = true } },
      function(message) seen[#seen + 1] = message.body .. #net.server:got("SEND") end)
    net.server:message("sub-1", "x", { id = "1" })
    net.server:message("sub-1", "y")
    client:run(1)
    assert.same({ "x1", "y1" }, seen)
    assert.equal(1, #errors)
    assert.equal("invalid:", errors[1]:sub(1, 8))
  end)
end)

describe("leaving the scope of a subscription", function()
  local leave -- Lua 5.4's <close> calls it
  before_each(function() leave = getmetatable(assert(fixture.connect():subscribe("/a"))).__close end)

  it("unsubscribes", function()
    local client, _, net = fixture.connect()
    leave(assert(client:subscribe("/queue/a")))
    assert.equal("sub-1", net.server:got("UNSUBSCRIBE")[1].headers.id)
  end)

  it("tells on_error where that fails, but not that it is over anyway", function()
    local told = {}
    local options = { confirm_timeout = 1, on_error = function(message) told[#told + 1] = message end }
    local client, loop, net = fixture.connect(options)
    local subscription = assert(client:subscribe("/queue/a"))
    net.link.full = true
    leave(subscription)
    loop.sleep(0)
    assert.equal(1, #told)
    assert.equal("timeout:", told[1]:sub(1, 8))
    client = fixture.connect(options)
    subscription = assert(client:subscribe("/queue/a"))
    client:close()
    leave(subscription)
    loop.sleep(0)
    assert.equal(1, #told)
  end)
end)

describe("a message", function()
  it("has fields, JSON and one readable line", function()
    local client, _, net = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    net.server:message("sub-1", '{"n":[1,2]}', { redelivered = "true", x = "y" })
    net.server:message("sub-1", "{")
    local message = subscription:receive(1)
    assert.same({ "MESSAGE", "/queue/a", "m1", "sub-1", true, "y" }, { message.command,
      message.destination, message.id, message.subscription, message.redelivered, message.headers.x })
    assert.same({ n = { 1, 2 } }, message:json())
    assert.is_nil(tostring(message):find("\n", 1, true))
    assert.truthy(tostring(message):find("MESSAGE /queue/a", 1, true))
    fixture.failure("invalid", subscription:receive(1):json())
  end)

  it("is answered to its reply-to, with its correlation-id", function()
    local client, _, net = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    net.server:message("sub-1", "?", { ["reply-to"] = "/queue/r", ["correlation-id"] = "c9" })
    net.server:message("sub-1", "?")
    assert(subscription:receive(1):reply({ ok = true }, { x = 1 }))
    local frame = net.server:got("SEND")[1]
    assert.same({ "/queue/r", "c9", "1", '{"ok":true}' }, { frame.headers.destination,
      frame.headers["correlation-id"], frame.headers.x, frame.body })
    fixture.failure("invalid", subscription:receive(1):reply("x"))
  end)
end)
