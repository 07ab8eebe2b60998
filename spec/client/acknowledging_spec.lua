-- SPDX-License-Identifier: MIT
-- ACK and NACK round a lost connection: never on another connection than the
-- message's, and never refused on its own.
local fixture = require "spec.support.fixture"

describe("An acknowledgement", function()
  -- A subscription that ended its connection within a second is on trial on the
  -- next one until its RECEIPT; this server sends a message before that. `act` is
  -- called with each message from there on.
  local function on_trial(receipt_after, act)
    local client, loop, net
    local n = 0
    client, loop, net = fixture.connect({ reconnect = { min = 1, max = 1, jitter = 0 } }, {
      SUBSCRIBE = function(server, frame)
        n = n + 1
        if n == 1 then return server:message("work", "first") end
        server:message("work", "again")
        loop.spawn(function()
          loop.sleep(receipt_after)
          server:receipt(frame)
          net.link:nudge()
        end)
      end,
    })
    local messages = {}
    loop.run(function()
      assert(client:subscribe("/queue/work", { id = "work", ack = "client-individual" }, function(message)
        messages[#messages + 1] = message
        if #messages == 1 then return net.server:close(1000) end
        act(client, messages, net, loop)
      end))
      client:run(30)
    end)
    return client, net, messages
  end

  it("of a message that comes before the connection is whole again waits for it", function()
    local results = {}
    local _, net, messages = on_trial(0.5, function(client, messages, _, loop)
      results.state, results.began = client.state, loop.now()
      results.ok, results.why = messages[2]:ack()
      results.seconds = loop.now() - results.began
      results.first = { messages[1]:ack() }
    end)
    assert.equal("reconnecting", results.state) -- or this spec shows nothing
    assert.is_true(results.ok, results.why)
    assert.equal(0.5, results.seconds)
    fixture.failure("closed", results.first[1], results.first[2], results.first[3])
    assert.equal(2, #messages)
    assert.same({ "a1" }, { net.server:got("ACK")[1].headers.id })
    assert.equal(1, #net.server:got("ACK"))
  end)

  it("is refused where that connection is lost, too, while it waits", function()
    local results, n = {}, 0
    local _, net = on_trial(0.5, function(_, messages, network, loop)
      n = n + 1
      if n == 1 then
        loop.spawn(function()
          loop.sleep(0.1)
          network.server:close() -- cut: no word of it, so it gets another chance
        end)
        results.lost = { messages[2]:ack() }
      else
        results.ok = messages[3]:ack()
      end
    end)
    fixture.failure("closed", results.lost[1], results.lost[2], results.lost[3])
    assert.is_true(results.ok)
    assert.equal(1, #net.server:got("ACK"))
  end)
end)
