-- SPDX-License-Identifier: MIT
-- A subscription that was ended while a new connection was being resumed stayed
-- subscribed at the broker, or was subscribed again: its messages went to nobody.
local fixture = require "spec.support.fixture"

describe("a subscription that is ended while its connection is resumed", function()
  local client, loop, net

  -- What the last server was told of a destination.
  local function told(subscription)
    local list = {}
    for _, frame in ipairs(net.server.frames) do
      if frame.headers.id == subscription.id then list[#list + 1] = frame.command end
    end
    return list
  end

  it("is unsubscribed when the connection is there, if SUBSCRIBE has gone out", function()
    client, loop, net = fixture.reconnecting({}, {
      SUBSCRIBE = function(server, frame) -- the second one is on trial for half a second
        loop.spawn(function()
          loop.sleep(0.5)
          server:receipt(frame)
          net.link:nudge()
        end)
      end,
    })
    loop.run(function()
      local a = assert(client:subscribe("/queue/a"))
      loop.sleep(2)
      assert(client:subscribe("/queue/b"))
      net.server:close(1000)
      client:receive(1.2)
      assert.equal("reconnecting", client.state) -- or this shows nothing
      assert.same({ "SUBSCRIBE" }, told(a))
      local start = loop.now()
      fixture.failure("timeout", a:unsubscribe { timeout = 0.1 })
      assert.near(0.1, loop.now() - start, 1e-6)
      assert.is_true(a:unsubscribe()) -- it is closed here
      client:receive(3)
    end)
  end)

  it("sends its UNSUBSCRIBE behind what is resumed", function()
    client, loop, net = fixture.reconnecting({}, {
      SUBSCRIBE = function(server, frame)
        loop.spawn(function()
          loop.sleep(0.5)
          server:receipt(frame)
          net.link:nudge()
        end)
      end,
    })
    loop.run(function()
      local a = assert(client:subscribe("/queue/a"))
      loop.sleep(2)
      assert(client:subscribe("/queue/b"))
      net.server:close(1000)
      client:receive(1.2)
      assert.equal("reconnecting", client.state)
      assert.is_true(a:unsubscribe())
      assert.equal("connected", client.state)
      client:receive(1)
      assert.same({ "SUBSCRIBE", "UNSUBSCRIBE" }, told(a))
    end)
  end)

  -- The outbox of the next connection is full; `act` while the first SUBSCRIBE waits.
  local function with_full_outbox(act)
    client, loop, net = fixture.reconnecting()
    loop.run(function()
      local a = assert(client:subscribe("/queue/a"))
      local b = assert(client:subscribe("/queue/b"))
      loop.sleep(3)
      local open = net.open
      net.open = function(options)
        local link, message, err = open(options)
        link.full, net.open = true, open
        return link, message, err
      end
      net.server:close(1000)
      client:receive(1.2)
      assert.equal("reconnecting", client.state)
      act(a, b)
      net.link:drain()
      client:receive(3)
      assert.equal("connected", client.state)
    end)
  end

  it("is not subscribed again, if it had not", function()
    with_full_outbox(function(a, b)
      assert.is_true(b:unsubscribe())
      client:receive(0.1)
      assert.same({}, told(a))
    end)
    assert.equal(1, #net.server:got("SUBSCRIBE"))
    assert.same({}, net.server:got("UNSUBSCRIBE"))
  end)

  it("is unsubscribed at once, if it was about to", function()
    local first
    with_full_outbox(function(a)
      first = a
      assert.is_true(a:unsubscribe())
    end)
    assert.same({ "SUBSCRIBE", "UNSUBSCRIBE" }, told(first))
    assert.equal(2, #net.server:got("SUBSCRIBE"))
  end)
end)
