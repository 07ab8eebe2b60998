-- SPDX-License-Identifier: MIT
-- The embedded broker's engine: temporary reply queues, the way of
-- RabbitMQ and the way of ActiveMQ.
local clients = require "spec.support.engine_client"

local setup = clients.setup

describe("the broker engine", function()
  describe("with reply queues", function()
    it("carries a reply to the session that asked, without SUBSCRIBE", function()
      local _, a, b, c = setup(3)
      b:subscribe("1", "/queue/service")
      a:publish("/queue/service", "?", { ["reply-to"] = "/temp-queue/answers" })
      c:publish("/queue/service", "?", { ["reply-to"] = "/temp-queue/answers" })
      local requests = b:take("MESSAGE")
      assert.not_equal("/temp-queue/answers", requests[1].headers["reply-to"])
      b:publish(requests[1].headers["reply-to"], "for a")
      b:publish(requests[2].headers["reply-to"], "for c")
      local reply = a:take("MESSAGE")[1]
      assert.equal("for a", reply.body)
      assert.equal("/temp-queue/answers", reply.headers.subscription)
      assert.same({ "for c" }, c:bodies())
    end)

    it("drops a reply to a session that is gone", function()
      local broker, a, b = setup(2)
      b:subscribe("1", "/queue/service")
      a:publish("/queue/service", "?", { ["reply-to"] = "/temp-queue/answers" })
      local to = b:take("MESSAGE")[1].headers["reply-to"]
      a:leave()
      b:publish(to, "too late")
      assert.same({}, a.got)
      assert.same({}, b:take("ERROR"))
      assert.is_nil(next(broker.destinations.replies))
    end)

    it("leaves any other reply-to as it is", function()
      local _, a, b = setup(2)
      b:subscribe("1", "/queue/service")
      a:publish("/queue/service", "?", { ["reply-to"] = "/queue/mine" })
      assert.equal("/queue/mine", b:take("MESSAGE")[1].headers["reply-to"])
    end)
  end)

  describe("with a reply queue that is subscribed to, as on ActiveMQ", function()
    -- a asks by the queue, b serves: a, b and where b replies to
    local function asked(ack)
      local broker, a, b = setup(2)
      a:subscribe("r", "/temp-queue/answers", ack)
      b:subscribe("1", "/queue/service")
      a:publish("/queue/service", "?", { ["reply-to"] = "/temp-queue/answers" })
      return broker, a, b, b:take("MESSAGE")[1].headers["reply-to"]
    end

    it("gives the reply to the subscription, by the name that it knows", function()
      local broker, a, b, to = asked()
      b:publish(to, "answer", { ["correlation-id"] = "7" })
      local reply = a:take("MESSAGE")[1]
      assert.equal("r", reply.headers.subscription)
      assert.equal("/temp-queue/answers", reply.headers.destination)
      assert.equal("7", reply.headers["correlation-id"])
      assert.equal(0, broker:stats().held_bytes)
    end)

    it("takes what its own session sends there", function()
      local _, a = asked()
      a:publish("/temp-queue/answers", "to myself")
      assert.same({ "to myself" }, a:bodies())
    end)

    it("keeps what was not acknowledged until it is subscribed to again", function()
      local broker, a, b, to = asked("client-individual")
      b:publish(to, "1"):publish(to, "2")
      a:settle("ACK", a:take("MESSAGE")[1])
      a:frame("UNSUBSCRIBE", { id = "r" })
      b:publish(to, "3")
      assert.same({}, a:bodies())
      assert.equal(2, broker:stats(to).queued)
      a:subscribe("again", "/temp-queue/answers")
      assert.same({ "2*", "3" }, a:bodies())
      assert.equal(0, broker:stats().held_bytes)
    end)

    it("is another one for another session, and goes with its own", function()
      local broker, a, b, to = asked("client")
      b:subscribe("r", "/temp-queue/answers")
      b:publish(to, "1"):publish(to, "2")
      assert.same({ "1", "2" }, a:bodies())
      assert.same({}, b:bodies())
      a:leave()
      b:publish(to, "too late")
      assert.equal(0, broker:stats().held_bytes)
      assert.is_nil(broker.destinations.queues[to])
    end)

    it("is not reached by its name of another session, or guessed", function()
      local _, _, b, to = asked()
      b:subscribe("x", to)
      assert.equal("Invalid destination", (b:refusal()))
    end)
  end)

  it("refuses more reply queues of one session than it can keep", function()
    local _, a = setup(1)
    local n = 0
    while #a.got == 0 and n < 70000 do
      n = n + 1
      a:publish("/topic/x", "", { ["reply-to"] = "/temp-queue/" .. n })
    end
    assert.equal("Too many reply queues", (a:refusal()))
    assert.equal(65537, n)
  end)
end)
