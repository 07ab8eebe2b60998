-- SPDX-License-Identifier: MIT
-- The embedded broker's engine: from CONNECT on, what differs between the versions
-- of STOMP, and what a session outlives.
local clients = require "spec.support.engine_client"

describe("the broker engine", function()
  describe("on CONNECT", function()
    it("says who it is, and which session it is", function()
      local broker = clients.engine()
      local a = clients.peer(broker):frame("CONNECT", { receipt = "none" })
      assert.equal(1, #a.got)
      assert.equal("CONNECTED", a.got[1].command)
      assert.matches("^lua%-stomp/%d", a.got[1].headers.server)
      assert.equal(a.session.id, a.got[1].headers.session)
      local b = clients.peer(clients.engine { server = "RabbitMQ/3.10.8" }):frame("STOMP")
      assert.equal("RabbitMQ/3.10.8", b.got[1].headers.server)
      assert.equal("session-1", b.session.id)
    end)

    it("admits everybody where there are no logins", function()
      local a = clients.peer(clients.engine()):frame("CONNECT", { login = "ann" })
      assert.equal("CONNECTED", a.got[1].command)
      assert.equal("ann", a.session.login)
    end)

    it("admits a login with its passcode and nobody else", function()
      local broker = clients.engine { logins = { ann = "secret" } }
      local a = clients.peer(broker):frame("CONNECT", { login = "ann", passcode = "secret" })
      assert.equal("CONNECTED", a.got[1].command)
      for i, headers in ipairs {
        {}, { login = "ann" }, { login = "ann", passcode = "" },
        { login = "ann", passcode = "Secret" },
        { passcode = "secret" }, { login = "eve", passcode = "secret" }, { login = "eve" },
      } do
        local b = clients.peer(broker):frame("CONNECT", headers)
        local text, body, frame = b:refusal()
        assert.equal("Bad CONNECT", text)
        assert.truthy(body:find(headers.login or "nil", 1, true))
        assert.equal("1.0,1.1,1.2", frame.headers.version)
        assert.equal(i, broker:stats().refused_logins)
        b:frame("SEND", { destination = "/queue/x", receipt = "r" })
        assert.same({}, b.got)
      end
    end)
  end)

  describe("with a peer that says nothing", function()
    it("ends it when its time is over, and no sooner", function()
      local broker = clients.engine { timeout = 5 }
      local silent, other = clients.peer(broker), clients.new(broker)
      clients.pass(broker, 4.9)
      assert.is_nil(silent.ended)
      clients.pass(broker, 0.1)
      assert.equal("closed", silent.ended)
      assert.is_nil(broker:deadline(silent.session))
      clients.pass(broker, 3600)
      assert.is_nil(other.ended)
      assert.equal(1, broker:stats().timed_out)
      silent:frame("CONNECT")
      assert.same({}, silent.got)
    end)

    it("ends one that says DISCONNECT and stays", function()
      local broker, a = clients.setup(1, { timeout = 5 })
      clients.pass(broker, 60)
      a:frame("DISCONNECT", { receipt = "bye" })
      assert.same({ "bye" }, a:receipts())
      clients.pass(broker, 4.9)
      assert.is_nil(a.ended)
      clients.pass(broker, 0.1)
      assert.equal("closed", a.ended)
      assert.equal(0, broker:stats().timed_out)
    end)

    it("gives it ten seconds, and does not wait for one that was refused", function()
      local broker = clients.engine { logins = {} }
      local refused, silent = clients.new(broker), clients.peer(broker)
      assert.is_nil(broker:deadline(refused.session))
      assert.equal(clients.now(broker) + 10, broker:deadline(silent.session))
    end)
  end)

  describe("speaks", function()
    local function talk(version, headers)
      local broker = clients.engine()
      local a, b = clients.new(broker, version), clients.new(broker)
      a:subscribe("1", "/queue/x", "client-individual", headers)
      for i = 1, 2 do b:publish("/queue/x", tostring(i)) end
      return broker, a, a:take("MESSAGE"), b
    end

    it("1.2: an ACK names the `ack` header, which is not the message-id", function()
      local broker, a, messages = talk "1.2"
      local headers = messages[1].headers
      assert.not_equal(headers["message-id"], headers.ack)
      a:frame("ACK", { id = headers.ack })
      assert.equal(1, broker:stats().unacknowledged)
      a:frame("ACK", { id = messages[2].headers["message-id"] })
      assert.equal("Unexpected ACK", (a:refusal()))
    end)

    it("1.1: an ACK names message-id and subscription, there is no `ack`", function()
      local broker, a, messages = talk "1.1"
      assert.is_nil(messages[1].headers.ack)
      a:frame("ACK", { ["message-id"] = messages[1].headers["message-id"], subscription = "1" })
      assert.equal(1, broker:stats().unacknowledged)
      a:frame("NACK", { ["message-id"] = messages[2].headers["message-id"], subscription = "2" })
      local text, body = a:refusal()
      assert.equal("Unexpected NACK", text)
      assert.truthy(body:find("subscription 2", 1, true))
    end)

    it("1.0: an ACK names message-id", function()
      local broker, a, messages = talk "1.0"
      assert.is_nil(messages[1].headers.ack)
      for _, message in ipairs(messages) do
        a:frame("ACK", { ["message-id"] = message.headers["message-id"] })
      end
      assert.equal(0, broker:stats().unacknowledged)
      assert.same({}, a.got)
    end)

    it("1.0: a subscription without id is named by its destination", function()
      local broker = clients.engine()
      local a = clients.new(broker, "1.0")
      a:subscribe(nil, "/topic/x"):subscribe("/topic/x", "/topic/x"):subscribe(nil, "/topic/y")
      a:publish("/topic/x", "1")
      local messages = a:take("MESSAGE")
      assert.equal(2, #messages)
      assert.is_nil(messages[1].headers.subscription)
      assert.equal("/topic/x", messages[2].headers.subscription)
      a:frame("UNSUBSCRIBE", { destination = "/topic/x" })
      a:publish("/topic/x", "2"):publish("/topic/y", "3")
      assert.same({ "2", "3" }, a:bodies())
      a:subscribe(nil, "/topic/y")
      local text, body = a:refusal()
      assert.equal("Duplicated subscription identifier", text)
      assert.equal("/topic/y", body)
    end)

    it("each with each: a message's headers are those of its receiver's version", function()
      local broker = clients.engine()
      local with_ack = {}
      for _, version in ipairs { "1.0", "1.1", "1.2" } do
        local a = clients.new(broker, version)
        a:subscribe("1", "/topic/x", "client")
        with_ack[version] = a
      end
      with_ack["1.0"]:publish("/topic/x", "1", { ack = "forged" })
      for version, a in pairs(with_ack) do
        assert.equal(version == "1.2", a:take("MESSAGE")[1].headers.ack ~= nil)
      end
    end)
  end)

  describe("with a queue", function()
    it("keeps messages while its consumers are away, in order", function()
      local broker, a, b = clients.setup(2)
      for round = 1, 3 do
        a:subscribe("1", "/queue/x", "client-individual")
        b:publish("/queue/x", round .. " while there")
        a:leave()
        b:publish("/queue/x", round .. " while away")
        a = clients.new(broker)
      end
      a:subscribe("1", "/queue/x")
      assert.same({ "1 while there*", "1 while away*", "2 while there*", "2 while away*",
        "3 while there*", "3 while away" }, a:bodies())
    end)

    it("gives what one session holds to another at once when it is lost", function()
      local broker, a, b, c = clients.setup(3)
      a:subscribe("1", "/queue/x", "client", { ["prefetch-count"] = "2" })
      b:subscribe("1", "/queue/x", "client", { ["prefetch-count"] = "1" })
      for i = 1, 3 do c:publish("/queue/x", tostring(i)) end
      assert.same({ "2" }, b:bodies())
      a:leave()
      assert.same({}, b:bodies()) -- its prefetch is full
      assert.equal(2, broker:stats("/queue/x").queued)
      a:leave() -- twice: nothing more
      assert.equal(2, broker:stats().sessions)
      a:publish("/queue/x", "too late")
      assert.equal(2, broker:stats("/queue/x").queued)
    end)
  end)

  it("acknowledges ten thousand messages in any order, in time that grows with them", function()
    local broker, a, b = clients.setup(2)
    a:subscribe("1", "/queue/x", "client-individual")
    for i = 1, 10000 do b:publish("/queue/x", tostring(i)) end
    local messages = a:take("MESSAGE")
    for i = #messages, 1, -1 do a:settle("ACK", messages[i]) end
    assert.equal(0, broker:stats().unacknowledged)
    assert.equal(0, broker:stats().held_bytes)
  end)
end)
