-- SPDX-License-Identifier: MIT
-- A connection is lost while nobody waits in a call of its client. The next request
-- failed with closed, though subscribe, begin and send then go by the next connection.
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("a request after a loss that nobody noticed", function()
  local world, client
  before_each(function()
    world = testing.world()
    local broker = world:broker()
    client = assert(stomp.connect(broker.url, world:options { reconnect = { min = 1, max = 1, jitter = 0 } }))
    local service = assert(stomp.connect(broker.url, world:options()))
    assert(service:subscribe("/queue/echo", {}, function(message) assert(message:reply(message.body)) end))
    world:spawn(function() service:run() end)
    world:run(function() assert(client:request("/queue/echo", "before")) end)
    world.network:lines()[1]:cut()
    world:sleep(1)
    assert.equal("connected", client.state) -- it does not know yet
  end)
  after_each(function()
    client:close()
    world:close()
  end)

  it("waits for the next connection", function()
    world:run(function()
      assert.equal("after", assert(client:request("/queue/echo", "after")).body)
    end)
    assert.equal(1, client:stats().reconnects)
  end)

  it("no longer than its time-out; nothing is sent", function()
    world:run(function()
      local _, message, err = client:request("/queue/echo", "after", { timeout = 0.5 })
      assert.equal("timeout: request: no connection within 0.5 s", message)
      assert.is_nil(err.outcome)
    end)
  end)
end)
