-- SPDX-License-Identifier: MIT
-- The embedded broker's engine: what it does wrong on purpose, and only then.
local clients = require "spec.support.engine_client"
local fixture = require "spec.support.fixture"

local setup, misbehave, pass = clients.setup, clients.misbehave, clients.pass

describe("the broker engine, misbehaving,", function()
  describe("with cut_after", function()
    it("handles the n-th frame, loses its answer and cuts the connection", function()
      local broker, a, b = setup(2)
      misbehave(broker, { cut_after = 2 })
      a:publish("/queue/x", "1", { receipt = "r1" })
      assert.same({ "r1" }, a:receipts())
      assert.is_nil(a.ended)
      a:publish("/queue/x", "2", { receipt = "r2" })
      assert.equal("cut", a.ended)
      assert.same({}, a.got)
      assert.equal(1, broker:stats().sessions)
      assert.equal(1, broker:stats().cuts)
      a:publish("/queue/x", "3")
      b:subscribe("1", "/queue/x")
      assert.same({ "1", "2" }, b:bodies())
    end)

    it("counts for each connection, from its CONNECT or from the switch on", function()
      local broker, a = setup(1)
      a:publish("/queue/x", "1"):publish("/queue/x", "2")
      misbehave(broker, { cut_after = 2 })
      local b = clients.new(broker)
      a:publish("/queue/x", "3")
      assert.is_nil(a.ended)
      b:publish("/queue/x", "4")
      assert.equal("cut", b.ended)
      a:publish("/queue/x", "5")
      assert.equal("cut", a.ended)
      assert.equal(5, broker:stats().queued)
    end)

    it("gives what the connection held to others, what it asked for last included", function()
      local broker, a, b, c = setup(3)
      a:subscribe("1", "/queue/x", "client")
      c:publish("/queue/x", "1")
      misbehave(broker, { cut_after = 1, times = 1 })
      a:settle("ACK", a:take("MESSAGE")[1])
      b:subscribe("1", "/queue/x")
      assert.same({}, b:bodies())
      c:publish("/queue/x", "2")
      assert.same({ "2" }, b:bodies())
    end)
  end)

  describe("with cut_on, error_on and close_on", function()
    it("does that instead of handling the frame", function()
      local cases = {
        cut_on = function(a) assert.equal("cut", a.ended) end,
        close_on = function(a)
          assert.equal("closed", a.ended)
          assert.same({}, a:take("ERROR"))
        end,
        error_on = function(a)
          local text, body, frame = a:refusal()
          assert.equal("Refused on purpose", text)
          assert.equal("/queue/x", body)
          assert.equal("r", frame.headers["receipt-id"])
        end,
      }
      for name, check in pairs(cases) do
        local broker, a, b = setup(2)
        misbehave(broker, { [name] = "/queue/x" })
        b:publish("/queue/y", "not concerned", { receipt = "r" })
        assert.same({ "r" }, b:receipts())
        a:publish("/queue/x", "1", { receipt = "r" })
        check(a)
        assert.same({}, a.got)
        assert.equal(0, broker:stats("/queue/x").published)
        a:publish("/queue/y", "after")
        assert.equal(1, broker:stats("/queue/y").published)
        assert.is_nil(b.ended)
      end
    end)

    it("meets a command, a destination, any of a list, or what a function says", function()
      for text, given in pairs {
        SUBSCRIBE = "SUBSCRIBE", ["/topic/a"] = "/topic/a", list = { "ACK", "/topic/a" },
        ["function"] = function(frame, session)
          return frame.command == "SUBSCRIBE" and session.login == "ann"
        end,
      } do
        local broker = clients.engine()
        local a, b = clients.new(broker, "1.2", { login = "ann" }), clients.new(broker)
        misbehave(broker, { cut_on = given })
        b:publish("/queue/a", "x"):frame("BEGIN", { transaction = "t" })
        a:publish("/queue/a", "x")
        assert.is_nil(a.ended, text)
        a:subscribe("1", "/topic/a")
        assert.equal("cut", a.ended, text)
        assert.is_nil(b.ended, text)
      end
    end)

    it("drops what was delayed", function()
      for _, name in ipairs { "cut_on", "close_on" } do
        local broker, a = setup(1)
        misbehave(broker, { delay = 1, [name] = "/queue/x" })
        a:publish("/queue/y", "1", { receipt = "r" }):publish("/queue/x", "2")
        assert.is_nil(broker:deadline(a.session))
        pass(broker, 5)
        assert.same({}, a.got)
      end
    end)

    it("ends DISCONNECT without RECEIPT, as RabbitMQ does", function()
      local broker, a = setup(1)
      misbehave(broker, { close_on = "DISCONNECT" })
      a:frame("DISCONNECT", { receipt = "bye" })
      assert.equal("closed", a.ended)
      assert.same({}, a.got)
    end)

    it("meets CONNECT, too", function()
      local broker = clients.engine()
      misbehave(broker, { error_on = "CONNECT" })
      assert.equal("Refused on purpose", (clients.new(broker):refusal()))
    end)
  end)

  describe("with withhold_receipts", function()
    it("sends none, and does what was asked", function()
      local broker, a, b = setup(2)
      misbehave(broker, { withhold_receipts = true })
      a:publish("/queue/x", "1", { receipt = "r1" })
      b:subscribe("1", "/queue/x", "auto", { receipt = "r2" })
      assert.same({}, a.got)
      assert.same({}, b:receipts())
      assert.same({ "1" }, b:bodies())
      assert.equal(2, broker:stats().receipts_withheld)
      misbehave(broker, {})
      a:publish("/queue/x", "2", { receipt = "r3" })
      assert.same({ "r3" }, a:receipts())
    end)

    it("withholds those of which a function says so, in transactions too", function()
      local broker, a = setup(1)
      misbehave(broker, { withhold_receipts = function(frame)
        return frame.command == "SEND" and frame.body == "2"
      end })
      a:frame("BEGIN", { transaction = "t", receipt = "b" })
      for i = 1, 3 do
        a:publish("/queue/x", tostring(i), { transaction = "t", receipt = "s" .. i })
      end
      a:frame("COMMIT", { transaction = "t", receipt = "c" })
      assert.same({ "b", "c", "s1", "s3" }, a:receipts())
    end)
  end)

  describe("with times", function()
    it("strikes so often, all switches together, and then behaves", function()
      local broker = clients.engine()
      misbehave(broker, { refuse_logins = true, cut_on = "SEND", times = 3 })
      assert.equal("Bad CONNECT", (clients.new(broker):refusal()))
      misbehave(broker, { refuse_logins = function(frame) return frame.headers.login == "eve" end,
        cut_on = "SEND", times = 2 })
      local a = clients.new(broker)
      assert.equal("Bad CONNECT", (clients.new(broker, "1.2", { login = "eve" }):refusal()))
      a:publish("/queue/x", "1")
      assert.equal("cut", a.ended)
      local b = clients.new(broker, "1.2", { login = "eve" })
      b:publish("/queue/x", "2", { receipt = "r" })
      assert.same({ "r" }, b:receipts())
      assert.equal(2, broker:stats().refused_logins)
    end)
  end)

  describe("with delay", function()
    it("sends each frame so much later, in order, CONNECTED and ERROR too", function()
      local broker, a, b = setup(2)
      misbehave(broker, { delay = 2 })
      local start = clients.now(broker)
      local c = clients.peer(broker):frame("CONNECT")
      a:subscribe("1", "/queue/x", "auto", { receipt = "r1" })
      pass(broker, 1)
      b:publish("/queue/x", "1"):publish("/queue/x", "2")
      a:frame("ACK", { id = "none" })
      assert.same({}, a.got)
      pass(broker, 10)
      local list = {}
      for i, frame in ipairs(a.got) do
        list[i] = ("%s %g"):format(frame.command, frame.at - start)
      end
      assert.same({ "RECEIPT 2", "MESSAGE 3", "MESSAGE 3", "ERROR 3" }, list)
      assert.equal("CONNECTED", c.got[1].command)
      assert.equal(2, c.got[1].at - start)
    end)

    it("wakes the driver of each session that has something to wait for", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/topic/x")
      misbehave(broker, { delay = 2 })
      local n = a.n_woken
      b:publish("/topic/x", "1")
      assert.equal(n + 1, a.n_woken)
      assert.equal(clients.now(broker) + 2, broker:deadline(a.session))
      assert.is_nil(broker:deadline(b.session))
    end)

    it("counts from when the frame was made, by whatever made it", function()
      local broker, a, b, c = setup(3)
      a:subscribe("1", "/queue/x", "client")
      c:publish("/queue/x", "1")
      b:subscribe("1", "/queue/x")
      misbehave(broker, { delay = 2 })
      pass(broker, 5)
      a:leave()
      assert.equal(clients.now(broker) + 2, broker:deadline(b.session))
      b.room = false
      pass(broker, 5)
      b:read_on()
      assert.same({ "1*" }, b:bodies())
    end)

    it("hurries what waits when it becomes less, and keeps the order when more", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/topic/x")
      misbehave(broker, { delay = 60 })
      b:publish("/topic/x", "1")
      misbehave(broker, { delay = 120 })
      b:publish("/topic/x", "2")
      pass(broker, 60)
      assert.same({ "1" }, a:bodies())
      misbehave(broker, {})
      b:publish("/topic/x", "3")
      pass(broker, 0)
      assert.same({ "2", "3" }, a:bodies())
    end)

    it("goes on where a peer without room has room again", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x")
      misbehave(broker, { delay = 1 })
      a.room = false
      for i = 1, 3 do b:publish("/queue/x", tostring(i)) end
      pass(broker, 1)
      assert.is_nil(broker:deadline(a.session))
      b:publish("/queue/x", "4")
      a:read_on()
      pass(broker, 1)
      assert.same({ "1", "2", "3", "4" }, a:bodies())
    end)

    it("keeps no more than it may: the rest stays in the queue", function()
      local broker, a, b = setup(2)
      a:subscribe("1", "/queue/x")
      misbehave(broker, { delay = 1 })
      local body = ("x"):rep(100000)
      for _ = 1, 100 do b:publish("/queue/x", body) end
      assert.is_true(a.session.pending_bytes < 1200000)
      assert.is_true(broker:stats().queued > 80)
      pass(broker, 20)
      assert.equal(100, #a:take("MESSAGE"))
    end)
  end)

  describe("with silent", function()
    it("mutes every peer, new ones too, and lets them speak again", function()
      local broker, a = setup(1)
      misbehave(broker, { silent = true })
      assert.is_true(broker:is_silent())
      local b = clients.peer(broker)
      assert.is_true(a.muted)
      assert.is_true(b.muted)
      local woken = a.n_woken
      misbehave(broker, { withhold_receipts = true })
      assert.is_false(broker:is_silent())
      assert.is_false(a.muted)
      assert.is_false(b.muted)
      assert.equal(woken + 1, a.n_woken)
    end)

    it("lets no time pass for who has not connected yet", function()
      local broker = clients.engine { timeout = 5 }
      local a = clients.peer(broker)
      pass(broker, 4)
      misbehave(broker, { silent = true })
      pass(broker, 100)
      assert.is_nil(a.ended)
      misbehave(broker, {})
      pass(broker, 4)
      assert.is_nil(a.ended)
      pass(broker, 1)
      assert.equal("closed", a.ended)
    end)
  end)

  it("cuts all connections, or selected ones, in the order in which they began", function()
    local broker = clients.engine()
    local order = {}
    for i = 1, 20 do
      local one = clients.new(broker, "1.2", { login = i % 2 == 0 and "even" or "odd" })
      one.cut = function() order[#order + 1] = i end
    end
    local now = clients.now(broker)
    assert.equal(10, broker:cut(function(session) return session.login == "even" end, now))
    assert.equal(10, broker:cut(nil, now))
    assert.equal(0, broker:cut(nil, now))
    assert.same({ 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 }, order)
    assert.equal(0, broker:stats().sessions)
    assert.equal(20, broker:stats().cuts)
  end)

  it("gives what a cut connection held to none that is cut with it", function()
    for _, name in ipairs { "cut", "shut" } do
      local broker, a, b, c = setup(3)
      a:subscribe("1", "/queue/x", "client", { ["prefetch-count"] = "2" })
      b:subscribe("1", "/queue/x", "client", { ["prefetch-count"] = "1" })
      for i = 1, 4 do c:publish("/queue/x", tostring(i)) end
      b:subscribe("2", "/queue/x") -- takes all that it can get, and acknowledges nothing
      c:publish("/queue/x", "5")
      assert.equal(3, broker:stats().unacknowledged)
      b.got = {}
      if name == "cut" then broker:cut(nil, clients.now(broker)) else broker:shut(clients.now(broker)) end
      assert.same({}, b.got)
      assert.equal(3, broker:stats().queued)
      assert.equal(name == "cut" and "cut" or "closed", b.ended)
    end
  end)

  it("raises at the caller's line what it cannot be told", function()
    local broker = clients.engine()
    for text, switches in pairs {
      ["unknown option 'drop'"] = { drop = 1 },
      ["option 'cut_after': number expected"] = { cut_after = "3" },
      ["option 'cut_after': a whole number from 1 on expected, got 0"] = { cut_after = 0 },
      ["option 'times': a whole number"] = { times = 1.5 },
      ["option 'delay': a number from 0 on expected, got -1"] = { delay = -1 },
      ["option 'delay'"] = { delay = math.huge },
      ["option 'silent'"] = { silent = 1 },
      ["option 'error_on': string expected, got number"] = { error_on = { "SEND", 5 } },
    } do
      local message = fixture.raised(function() broker:misbehave(switches, 0) end)
      assert.truthy(message:find(text, 1, true), message)
    end
  end)
end)
