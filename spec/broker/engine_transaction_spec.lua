-- SPDX-License-Identifier: MIT
-- The embedded broker's engine: transactions (STOMP 1.2, "BEGIN"),
-- with the RECEIPTs as RabbitMQ sends them.
local clients = require "spec.support.engine_client"

local setup = clients.setup

describe("the broker engine", function()
  describe("in a transaction", function()
    it("publishes at COMMIT, in order", function()
      local broker, a, b = setup(2)
      b:subscribe("1", "/queue/x")
      a:frame("BEGIN", { transaction = "t" })
      for i = 1, 3 do a:publish("/queue/x", tostring(i), { transaction = "t" }) end
      assert.same({}, b:bodies())
      assert.is_true(broker:stats().held_bytes > 0)
      a:frame("COMMIT", { transaction = "t" })
      local messages = b:take("MESSAGE")
      assert.equal(3, #messages)
      assert.equal("3", messages[3].body)
      assert.is_nil(messages[1].headers.transaction)
      assert.equal(0, broker:stats().held_bytes)
    end)

    it("forgets sends and acknowledgements at ABORT and with the session", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client-individual")
      b:publish("/queue/x", "1")
      a:frame("BEGIN", { transaction = "t" })
      a:frame("ACK", { id = a:take("MESSAGE")[1].headers.ack, transaction = "t" })
      a:publish("/queue/y", "2", { transaction = "t" })
      a:frame("ABORT", { transaction = "t" })
      assert.equal(1, broker:stats().unacknowledged)
      a:frame("BEGIN", { transaction = "t" }):publish("/queue/y", "3", { transaction = "t" })
      a:leave()
      b:subscribe("1", "/queue/y"):subscribe("2", "/queue/x")
      assert.same({ "1*" }, b:bodies())
      assert.equal(0, broker:stats().held_bytes)
    end)

    it("acknowledges at COMMIT", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client-individual")
      b:publish("/queue/x", "1")
      a:frame("BEGIN", { transaction = "t" })
      a:frame("ACK", { id = a:take("MESSAGE")[1].headers.ack, transaction = "t" })
      assert.equal(1, broker:stats().unacknowledged)
      a:frame("COMMIT", { transaction = "t" })
      assert.equal(0, broker:stats().unacknowledged)
    end)

    it("refuses one that is open already, or is not", function()
      for _, frames in ipairs {
        { { "BEGIN" }, { "BEGIN" } }, { { "COMMIT" } }, { { "ABORT" } },
        { { "SEND", "/queue/x" } }, { { "BEGIN" }, { "COMMIT" }, { "COMMIT" } },
      } do
        local _, a = setup(1)
        for _, frame in ipairs(frames) do
          a:frame(frame[1], { transaction = "t", destination = frame[2] })
        end
        assert.equal("Bad transaction", (a:refusal()))
      end
    end)

    it("refuses a SEND when open transactions hold too much", function()
      local broker, a = setup(1, { queue_limit = 5000 })
      a:frame("BEGIN", { transaction = "t" })
      for _ = 1, 30 do a:publish("/topic/x", "", { transaction = "t" }) end
      assert.equal("Broker is full", (a:refusal()))
      a:leave()
      assert.equal(0, broker:stats().held_bytes)
    end)
  end)

  describe("sends the RECEIPT", function()
    it("of a SEND after the COMMIT's, in order, and none after ABORT", function()
      local broker, a = setup(1)
      a:frame("BEGIN", { transaction = "t" })
      a:publish("/queue/x", "1", { transaction = "t", receipt = "s1" })
      a:publish("/queue/x", "2", { transaction = "t" })
      a:publish("/queue/x", "3", { transaction = "t", receipt = "s3" })
      assert.same({}, a:receipts())
      a:frame("COMMIT", { transaction = "t", receipt = "c" })
      assert.same({ "c", "s1", "s3" }, a:receipts())
      a:frame("BEGIN", { transaction = "t", receipt = "b" })
      a:publish("/queue/x", "4", { transaction = "t", receipt = "s4" })
      assert.equal(1, broker:stats().transactions)
      a:frame("ABORT", { transaction = "t", receipt = "a" })
      assert.same({ "b", "a" }, a:receipts())
      assert.equal(0, broker:stats().transactions)
    end)

    it("of an ACK at once", function()
      local _, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client-individual")
      b:publish("/queue/x", "1")
      a:frame("BEGIN", { transaction = "t" })
      a:settle("ACK", a:take("MESSAGE")[1], { transaction = "t", receipt = "r" })
      assert.same({ "r" }, a:receipts())
      a:frame("COMMIT", { transaction = "t" })
      assert.same({}, a:receipts())
    end)

    it("of no SEND that was refused", function()
      local _, a = setup(1)
      a:publish("/queue/x", "1", { transaction = "none", receipt = "r" })
      local _, _, frame = a:refusal()
      assert.equal("r", frame.headers["receipt-id"])
      assert.same({}, a:receipts())
    end)
  end)

  describe("with a message that is acknowledged in a transaction", function()
    local function promised(version)
      local broker = clients.engine()
      local a, b = clients.new(broker, version), clients.new(broker)
      a:subscribe("1", "/queue/x", "client-individual")
      b:publish("/queue/x", "1")
      local message = a:take("MESSAGE")[1]
      a:frame("BEGIN", { transaction = "t" })
      a:settle("ACK", message, { transaction = "t" })
      return broker, a, message, b
    end

    it("refuses a second ACK, and names the transaction", function()
      for _, version in ipairs { "1.0", "1.1", "1.2" } do
        local _, a, message = promised(version)
        a:settle("ACK", message)
        local text, body = a:refusal()
        assert.equal("Unexpected ACK", text)
        assert.truthy(body:find("transaction t", 1, true))
      end
    end)

    it("takes another one after ABORT", function()
      local broker, a, message = promised()
      a:frame("ABORT", { transaction = "t" })
      a:settle("NACK", message)
      assert.same({ "1*" }, a:bodies())
      assert.equal(1, broker:stats().unacknowledged)
    end)

    it("acknowledges it at COMMIT though its subscription has ended", function()
      local broker, a, _, b = promised()
      a:frame("UNSUBSCRIBE", { id = "1" })
      b:subscribe("1", "/queue/x")
      assert.same({}, b:bodies())
      assert.equal(1, broker:stats().unacknowledged)
      assert.equal(1, broker:stats("/queue/x").unacknowledged)
      a:frame("COMMIT", { transaction = "t" })
      assert.same({}, b:bodies())
      assert.same({}, a:take("ERROR"))
      assert.equal(1, broker:stats("/queue/x").acknowledged)
      assert.equal(0, broker:stats().held_bytes + broker:stats().unacknowledged)
      b:leave()
      assert.is_nil(next(broker.destinations.queues))
    end)

    it("gives it to others when its subscription has ended, at ABORT and with the session", function()
      for _, how in ipairs { "ABORT", "leave" } do
        local broker, a, _, b = promised()
        a:frame("UNSUBSCRIBE", { id = "1" })
        b:publish("/queue/x", "2")
        b:subscribe("1", "/queue/x")
        assert.same({ "2" }, b:bodies())
        if how == "ABORT" then a:frame("ABORT", { transaction = "t" }) else a:leave() end
        assert.same({ "1*" }, b:bodies())
        assert.same({}, a:take("ERROR"))
        assert.equal(0, broker:stats().held_bytes)
      end
    end)

    it("holds what a cumulative ACK covers, and gives the rest to others", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x", "client")
      for i = 1, 4 do b:publish("/queue/x", tostring(i)) end
      local messages = a:take("MESSAGE")
      a:frame("BEGIN", { transaction = "t" }):settle("ACK", messages[2], { transaction = "t" })
      a:frame("UNSUBSCRIBE", { id = "1" })
      b:subscribe("1", "/queue/x")
      assert.same({ "3*", "4*" }, b:bodies())
      a:frame("COMMIT", { transaction = "t" })
      assert.equal(2, broker:stats("/queue/x").acknowledged)
      assert.equal(0, broker:stats().held_bytes)
    end)

    it("lets go of a topic's message, too", function()
      for _, command in ipairs { "COMMIT", "ABORT" } do
        local broker, a, b = setup(2)
        a:subscribe("1", "/topic/x", "client-individual")
        b:publish("/topic/x", "1")
        a:frame("BEGIN", { transaction = "t" }):settle("ACK", a:take("MESSAGE")[1], { transaction = "t" })
        a:frame("UNSUBSCRIBE", { id = "1" })
        assert.equal(1, broker:stats().unacknowledged)
        a:frame(command, { transaction = "t" })
        assert.equal(0, broker:stats().unacknowledged)
        assert.equal(0, a.session.kept_bytes)
      end
    end)

    it("nacks it at COMMIT", function()
      local _, a, message = promised()
      a:frame("ABORT", { transaction = "t" })
      a:frame("BEGIN", { transaction = "u" }):settle("NACK", message, { transaction = "u" })
      assert.same({}, a:bodies())
      a:frame("COMMIT", { transaction = "u" })
      assert.same({ "1*" }, a:bodies())
    end)
  end)
end)
