-- SPDX-License-Identifier: MIT
-- What `drain` and `disconnect` finish, wait for and say, in a world with an embedded
-- broker.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"
local testing = require "stomp.testing"

-- f(world, broker, connect) runs in a world of its own; connect(options): a client.
local function within(options, f)
  local world = testing.world { seed = 1 }
  local broker = world:broker(options)
  world:run(function()
    f(world, broker, function(more)
      return assert(stomp.connect(broker.url, world:options(more)))
    end)
  end)
  world:close()
end

local quick = { min = 0.1, max = 0.2 }

-- A client whose broker has stopped, and that has noticed.
local function cut_off(world, broker, connect)
  local client = connect { reconnect = quick }
  broker:stop()
  world:spawn(function() client:run() end)
  world:sleep(1)
  assert.equal("reconnecting", client.state)
  return client
end

describe("client:drain while reconnecting", function()
  it("waits for a connection, and sends what is queued without confirm", function()
    within(nil, function(world, broker, connect)
      local client = cut_off(world, broker, connect)
      for i = 1, 3 do assert(client:send("/queue/a", tostring(i))) end
      world:spawn(function()
        world:sleep(0.5)
        broker:start()
      end)
      assert.same({ true }, { client:drain(10) })
      assert.equal(3, broker:stats("/queue/a").published)
      assert.equal("closed", client.state)
    end)
  end)

  it("does so after a loss that nobody has noticed", function()
    within(nil, function(world, broker, connect)
      local client = connect { reconnect = quick }
      world.network:cut()
      world:sleep(0.1)
      assert(client:send("/queue/b", "x"))
      assert.is_true(client:drain(10))
      assert.equal(1, broker:stats("/queue/b").published)
    end)
  end)

  it("says within its time-out how many sends are lost", function()
    within(nil, function(world, broker, connect)
      local client = cut_off(world, broker, connect)
      for _ = 1, 2 do assert(client:send("/queue/a", "x")) end
      local start = world:now()
      local err = fixture.failure("timeout", client:drain(3))
      assert.equal("timeout: drain: 2 queued sends are lost: no connection within 3 s", err.message)
      assert.near(3, world:now() - start, 0.001)
      assert.equal("closed", client.state)
    end)
  end)

  it("returns at once where nothing is queued, as disconnect always does", function()
    within(nil, function(world, broker, connect)
      local client = cut_off(world, broker, connect)
      local start = world:now()
      assert.same({ true, "no receipt" }, { client:drain(10) })
      broker:start()
      client = cut_off(world, broker, connect)
      assert(client:send("/queue/a", "x"))
      start = start + 1
      local err = fixture.failure("closed", client:disconnect(10))
      assert.truthy(err.message:find("1 queued sends are lost", 1, true))
      assert.near(start, world:now(), 0.1)
    end)
  end)
end)
