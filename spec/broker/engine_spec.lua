-- SPDX-License-Identifier: MIT
-- The embedded broker's engine: topics, queues, acknowledgement, and what a slow
-- consumer costs. STOMP 1.2, "Client Frames" as brokers do them.
local clients = require "spec.support.engine_client"

local setup = clients.setup

describe("the broker engine", function()
  describe("with topics", function()
    it("gives a message to every subscription of the topic, with its headers", function()
      local _, a, b, c = setup(3)
      a:subscribe("1", "/topic/x"):subscribe("2", "/topic/x")
      b:subscribe("9", "/topic/y")
      c:publish("/topic/x", "hello",
        { ["content-type"] = "text/plain", receipt = "r1", ack = "no" })
      local messages = a:take("MESSAGE")
      assert.equal(2, #messages)
      assert.equal("1", messages[1].headers.subscription)
      assert.equal("2", messages[2].headers.subscription)
      assert.not_equal(messages[1].headers["message-id"], messages[2].headers["message-id"])
      local headers = messages[1].headers
      assert.equal("/topic/x", headers.destination)
      assert.equal("text/plain", headers["content-type"])
      assert.equal("false", headers.redelivered)
      assert.is_nil(headers.receipt)
      assert.is_nil(headers.ack)
      assert.same({}, b:bodies())
    end)

    it("passes on the sender's headers, in one order, but none that are its own", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/topic/x")
      b:publish("/topic/x", "hello", { ["content-length"] = "99", ["message-id"] = "forged",
        subscription = "forged", redelivered = "true", ack = "forged", receipt = "r",
        d = "4", b = "2", a = "1", c = "3", e = "5" })
      local names = {}
      for i, pair in ipairs(a:take("MESSAGE")[1].list) do names[i] = pair[1] .. "=" .. pair[2] end
      assert.same("subscription=1", names[1])
      assert.same({ "redelivered=false", "a=1", "b=2", "c=3", "d=4", "e=5" },
        { (table.unpack or unpack)(names, 4) }) -- luacheck: ignore 113 143
    end)

    it("keeps nothing for who comes later", function()
      local broker, a, b = setup(2)
      a:publish("/topic/x", "early")
      b:subscribe("1", "/topic/x")
      assert.same({}, b:bodies())
      assert.equal(0, broker:stats().held_bytes)
    end)

    it("gives nothing after UNSUBSCRIBE, DISCONNECT or the end", function()
      local _, a, b, c, d = setup(4)
      for _, one in ipairs { a, b, c } do one:subscribe("1", "/topic/x") end
      a:frame("UNSUBSCRIBE", { id = "1" })
      b:frame("DISCONNECT")
      c:leave()
      d:publish("/topic/x", "late")
      for _, one in ipairs { a, b, c } do assert.same({}, one:bodies()) end
    end)
  end)

  describe("with queues", function()
    it("gives each message to one subscription, in turn", function()
      local _, a, b, c = setup(3)
      a:subscribe("1", "/queue/x")
      b:subscribe("1", "/queue/x")
      for i = 1, 6 do c:publish("/queue/x", tostring(i)) end
      assert.same({ "1", "3", "5" }, a:bodies())
      assert.same({ "2", "4", "6" }, b:bodies())
    end)

    it("keeps the turns when one of them leaves", function()
      local _, a, b, c, d = setup(4)
      for _, one in ipairs { a, b, c } do one:subscribe("1", "/queue/x") end
      d:publish("/queue/x", "1"):publish("/queue/x", "2")
      a:frame("UNSUBSCRIBE", { id = "1" })
      d:publish("/queue/x", "3")
      assert.same({ "2" }, b:bodies())
      assert.same({ "3" }, c:bodies())
    end)

    it("keeps messages in order until somebody comes", function()
      local broker, a, b = setup(2)
      for i = 1, 5 do a:publish("jobs", tostring(i)) end
      assert.equal(5, broker:stats().queued)
      b:subscribe("1", "jobs")
      assert.same({ "1", "2", "3", "4", "5" }, b:bodies())
      local stats = broker:stats()
      assert.equal(0, stats.queued)
      assert.equal(0, stats.held_bytes)
    end)

    it("honours a prefetch and goes on with the acknowledgement", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client-individual", { ["prefetch-count"] = "2" })
      for i = 1, 4 do b:publish("/queue/x", tostring(i)) end
      local first = a:take("MESSAGE")
      assert.equal(2, #first)
      a:frame("ACK", { id = first[2].headers.ack })
      assert.same({ "3" }, a:bodies())
    end)

    it("takes prefetch 0 as no limit", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client", { ["prefetch-count"] = "0" })
      for i = 1, 3 do b:publish("/queue/x", tostring(i)) end
      assert.same({ "1", "2", "3" }, a:bodies())
    end)

    it("sends the RECEIPT of SUBSCRIBE before the messages", function()
      local _, a, b = setup(2)
      b:publish("/queue/x", "1")
      a:subscribe("1", "/queue/x", "auto", { receipt = "r" })
      assert.equal("RECEIPT", a.got[1].command)
      assert.equal("MESSAGE", a.got[2].command)
    end)

    it("refuses a SEND when too much is kept, empty bodies included", function()
      local broker, a = setup(1, { queue_limit = 10000 })
      local n = 0
      while #a.got == 0 and n < 1000 do
        n = n + 1
        a:publish("/queue/" .. n, "", { receipt = "r" .. n })
        if a.got[1] and a.got[1].command == "RECEIPT" then a.got = {} end
      end
      local text, body, frame = a:refusal()
      assert.equal("Broker is full", text)
      assert.equal("/queue/" .. n, body)
      assert.equal("r" .. n, frame.headers["receipt-id"])
      assert.is_true(n > 10 and n < 50, n)
      assert.is_true(broker:stats().held_bytes <= 10000)
    end)

    it("forgets a queue that is empty and that nobody reads", function()
      local broker, a, b = setup(2)
      for i = 1, 10 do a:publish("/queue/" .. i, "x") end
      for i = 1, 10 do
        b:subscribe("s", "/queue/" .. i):frame("UNSUBSCRIBE", { id = "s" })
      end
      assert.is_nil(next(broker.destinations.queues))
    end)
  end)

  describe("on ACK and NACK", function()
    it("takes an individual ACK for one message", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client-individual")
      for i = 1, 3 do b:publish("/queue/x", tostring(i)) end
      local messages = a:take("MESSAGE")
      a:frame("ACK", { id = messages[2].headers.ack })
      assert.equal(2, broker:stats().unacknowledged)
      a:leave()
      local c = clients.new(broker):subscribe("1", "/queue/x")
      assert.same({ "1*", "3*" }, c:bodies())
      assert.equal(0, broker:stats().held_bytes)
    end)

    it("takes a client ACK for all messages up to it", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client")
      for i = 1, 4 do b:publish("/queue/x", tostring(i)) end
      local messages = a:take("MESSAGE")
      a:settle("ACK", messages[3])
      a:leave()
      assert.same({ "4*" }, clients.new(broker):subscribe("1", "/queue/x"):bodies())
    end)

    it("gives what was nacked to another subscription", function()
      local _, a, b, c = setup(3)
      a:subscribe("1", "/queue/x", "client-individual")
      b:subscribe("1", "/queue/x", "client-individual")
      c:publish("/queue/x", "1"):publish("/queue/x", "2")
      b:bodies()
      a:frame("NACK", { id = a:take("MESSAGE")[1].headers.ack }) -- a would be next
      assert.same({}, a:bodies())
      assert.same({ "1*" }, b:bodies())
    end)

    it("gives what was nacked back where there is nobody else", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client-individual")
      b:publish("/queue/x", "1")
      local messages = a:take("MESSAGE")
      a:frame("NACK", { id = messages[1].headers.ack })
      assert.same({ "1*" }, a:bodies())
    end)

    it("nacks up to the message in client mode, in order", function()
      local _, a, b, c = setup(3)
      a:subscribe("1", "/queue/x", "client", { ["prefetch-count"] = "3" })
      for i = 1, 5 do c:publish("/queue/x", tostring(i)) end
      local messages = a:take("MESSAGE")
      b:subscribe("1", "/queue/x")
      assert.same({ "4", "5" }, b:bodies())
      a:frame("NACK", { id = messages[2].headers.ack })
      assert.same({ "1*", "2*" }, b:bodies())
    end)

    it("drops what was nacked with requeue:false", function()
      local broker, a, b, c = setup(3)
      a:subscribe("1", "/queue/x", "client-individual", { ["prefetch-count"] = "1" })
      c:publish("/queue/x", "1"):publish("/queue/x", "2")
      a:settle("NACK", a:take("MESSAGE")[1], { requeue = "false" })
      assert.same({ "2" }, a:bodies())
      b:subscribe("1", "/queue/x")
      assert.same({}, b:bodies())
      assert.equal(1, broker:stats().unacknowledged)
    end)

    it("drops a topic's message that was nacked", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/topic/x", "client-individual")
      b:publish("/topic/x", "1")
      a:frame("NACK", { id = a:take("MESSAGE")[1].headers.ack })
      assert.same({}, a:bodies())
      assert.equal(0, broker:stats().unacknowledged)
      assert.equal(0, a.session.kept_bytes)
    end)

    it("refuses one for a message that is none, was settled, or is another's", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client-individual")
      b:publish("/queue/x", "1")
      local ack = a:take("MESSAGE")[1].headers.ack
      b:frame("ACK", { id = ack })
      assert.equal("Unexpected ACK", (b:refusal()))
      a:frame("ACK", { id = ack }):frame("NACK", { id = ack, receipt = "r" })
      local text, body, frame = a:refusal()
      assert.equal("Unexpected NACK", text)
      assert.truthy(body:find(ack, 1, true))
      assert.equal("r", frame.headers["receipt-id"])
      assert.equal(0, broker:stats().held_bytes)
    end)
  end)

  describe("when a session is lost", function()
    it("gives its messages to others, redelivered and in their order", function()
      local broker, a, b = setup(2)
      -- two subscriptions of one session: 1 3 5 and 2 4 6
      a:subscribe("1", "/queue/x", "client"):subscribe("2", "/queue/x", "client-individual")
      for i = 1, 6 do b:publish("/queue/x", tostring(i)) end
      assert.equal(6, broker:stats().unacknowledged)
      a:leave()
      b:publish("/queue/x", "7")
      assert.equal(1, broker:stats().sessions)
      b:subscribe("1", "/queue/x")
      assert.same({ "1*", "2*", "3*", "4*", "5*", "6*", "7" }, b:bodies())
    end)

    it("puts messages of several lost sessions where they were", function()
      local broker, a, b, c = setup(3)
      a:subscribe("1", "/queue/x", "client")
      b:subscribe("1", "/queue/x", "client")
      for i = 1, 6 do c:publish("/queue/x", tostring(i)) end
      a:leave()
      b:leave()
      local d = clients.new(broker):subscribe("1", "/queue/x")
      assert.same({ "1*", "2*", "3*", "4*", "5*", "6*" }, d:bodies())
    end)

    it("does the same for UNSUBSCRIBE, of which no ACK is taken any more", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client")
      b:publish("/queue/x", "1")
      local ack = a:take("MESSAGE")[1].headers.ack
      a:frame("UNSUBSCRIBE", { id = "1", receipt = "r" })
      assert.equal("r", a:take("RECEIPT")[1].headers["receipt-id"])
      b:subscribe("1", "/queue/x")
      assert.same({ "1*" }, b:bodies())
      a:frame("ACK", { id = ack })
      a:refusal()
    end)
  end)

  describe("refuses with ERROR", function()
    local cases = {
      ["Unknown destination"] = { "SEND", { destination = "/nowhere/x" } },
      ["Invalid destination"] = { "SUBSCRIBE", { id = "1", destination = "/reply-queue/x" } },
      ["No subscription found"] = { "UNSUBSCRIBE", { id = "none" } },
      ["Unexpected ACK"] = { "ACK", { id = "none" } },
      ["Processing error"] = { "SUBSCRIBE", { id = "1", destination = "/queue/x", ack = "manual" } },
      ["Not supported"] = { "SUBSCRIBE", { id = "1", destination = "/queue/x", selector = "a = 1" } },
    }
    for text, case in pairs(cases) do
      it(text .. ", which ends the session", function()
        local _, a, b = setup(2)
        a:subscribe("t", "/topic/x"):frame(case[1], case[2])
        local said, body = a:refusal()
        assert.equal(text, said)
        if case[2].id == "none" then assert.truthy(body:find("none", 1, true)) end
        a:publish("/topic/x", "more", { receipt = "r" })
        b:publish("/topic/x", "more")
        assert.same({}, a.got)
      end)
    end

    it("a prefetch that is no number", function()
      for _, text in ipairs { "many", "-1", "1.5", "" } do
        local _, a = setup(1)
        a:subscribe("1", "/queue/x", "client", { ["prefetch-count"] = text })
        assert.equal("Processing error", (a:refusal()))
      end
    end)

    it("a subscription id that is in use", function()
      local _, a = setup(1)
      a:subscribe("1", "/topic/x"):subscribe("1", "/topic/y")
      assert.equal("Duplicated subscription identifier", (a:refusal()))
    end)
  end)

  describe("with a peer that has no room", function()
    it("gives a queue's messages to others meanwhile", function()
      local _, a, b, c = setup(3)
      a:subscribe("1", "/queue/x")
      b:subscribe("1", "/queue/x")
      a.room = false
      for i = 1, 6 do c:publish("/queue/x", tostring(i)) end
      assert.same({ "2", "3", "4", "5", "6" }, b:bodies())
      a:read_on()
      assert.same({ "1" }, a:bodies())
    end)

    it("serves its queues in the order in which it subscribed to them", function()
      local _, a, b = setup(2)
      for i = 1, 9 do a:subscribe(tostring(i), "/queue/" .. 10 - i) end
      a.room = false
      a:frame("BEGIN", { transaction = "t", receipt = "r" })
      for i = 1, 9 do b:publish("/queue/" .. i, tostring(i)) end
      a:read_on()
      assert.same({ "9", "8", "7", "6", "5", "4", "3", "2", "1" }, a:bodies())
    end)

    it("leaves a queue's messages in the queue, and hands them out later", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x")
      a.room = false
      for i = 1, 100 do b:publish("/queue/x", tostring(i)) end
      assert.equal(99, broker:stats().queued)
      a:read_on()
      local bodies = a:bodies()
      assert.equal(100, #bodies)
      assert.equal("1", bodies[1])
      assert.equal("100", bodies[100])
    end)

    it("writes what waited in order, as far as there is room", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/topic/x")
      a.room = false
      for i = 1, 5 do b:publish("/topic/x", tostring(i)) end
      local send = a.send
      a.room = true
      a.send = function(self, ...)
        if #self.got == 2 then return false end
        return send(self, ...)
      end
      a:read_on()
      assert.same({ "1", "2" }, a:bodies())
      b:publish("/topic/x", "6")
      a.send = nil
      a:read_on()
      assert.same({ "3", "4", "5", "6" }, a:bodies())
      assert.equal(0, a.session.pending_bytes)
    end)

    it("gives it up when too much waits: one ERROR, and no growth", function()
      local _, slow, quick, c = setup(3)
      slow:subscribe("1", "/topic/x")
      quick:subscribe("1", "/topic/x")
      slow.room = false
      local body = ("x"):rep(100000)
      for _ = 1, 200 do
        c:publish("/topic/x", body)
        assert.is_true(slow.session.pending_bytes <= 8388608)
      end
      assert.equal(200, #quick:bodies())
      slow:read_on()
      local text, why = slow:refusal()
      assert.equal("Slow consumer", text)
      assert.truthy(why:find("does not read", 1, true))
      assert.same({}, slow.got)
    end)

    it("gives up one that asks for receipts and never reads", function()
      local _, a = setup(1)
      a.room = false
      local receipt = ("r"):rep(10000)
      for _ = 1, 2000 do
        a:publish("/topic/x", "", { receipt = receipt })
        assert.is_true(a.session.pending_bytes <= 8388608)
      end
      a:read_on()
      assert.equal("Slow consumer", (a:refusal()))
      assert.same({}, a.got)
    end)

    it("gives up one that never acknowledges what it gets of topics", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/topic/x", "client")
      local body = ("x"):rep(1000000)
      for _ = 1, 20 do b:publish("/topic/x", body) end
      assert.equal(8, #a:bodies())
      local _, why = a:refusal()
      assert.truthy(why:find("does not acknowledge", 1, true))
    end)
  end)

  it("answers DISCONNECT with its RECEIPT", function()
    local _, a = setup(1)
    a:frame("DISCONNECT", { receipt = "bye" })
    assert.equal("bye", a:take("RECEIPT")[1].headers["receipt-id"])
  end)
end)
