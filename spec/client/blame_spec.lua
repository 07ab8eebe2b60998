-- SPDX-License-Identifier: MIT
-- What an error says of whose it is: errors of which on_error is told, far from the call
-- that they belong to.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"
local testing = require "stomp.testing"

-- f(world, broker, connect) runs in a world of its own; connect(options): a client.
-- What its on_error was told, as a list of errors.
local function within(options, f)
  local world, told = testing.world { seed = 1 }, {}
  local broker = world:broker(options)
  world:run(function()
    f(world, broker, function(more)
      local all = { on_error = function(_, err) told[#told + 1] = err end }
      for name, value in pairs(more or {}) do all[name] = value end
      return assert(stomp.connect(broker.url, world:options(all)))
    end)
  end)
  world:close()
  return told
end

local quick = { min = 0.1, max = 0.2 }

describe("the hint of an end while a connection is resumed", function()
  it("does not speak of CONNECTED, which came, and is the error's, too", function()
    local told = within({ server = "ActiveMQ/5.17.2" }, function(world, broker, connect)
      local client = connect { reconnect = quick }
      broker:misbehave { close_on = "/queue/bad" }
      assert(client:subscribe("/queue/bad"))
      world:spawn(function() client:run() end)
      world:sleep(3)
      assert.equal("connected", client.state)
    end)
    assert.equal(1, #told)
    local err = told[1]
    assert.truthy(err.message:find("SUBSCRIBE /queue/bad (sub-1) ends each connection", 1, true))
    assert.truthy(err.hint:find("ActiveMQ closes so for a destination", 1, true), err.hint)
    assert.truthy(err.message:find(err.hint, 1, true))
    assert.equal(1000, err.code)
    assert.equal("SUBSCRIBE", err.after[1].command)
  end)

  it("speaks of it where it did not come", function()
    local client, loop, net = fixture.reconnecting { reconnect = { min = 1, max = 1, jitter = 0, attempts = 1 } }
    local result
    loop.run(function()
      result = { client:run() }
    end, function()
      loop.sleep(5)
      net.script.CONNECT = function(server) server:close(1000) end
      net.server:close(1001)
    end)
    local err = fixture.failure("closed", result[1], result[2], result[3])
    assert.truthy(err.hint:find("no CONNECTED came", 1, true), err.message)
  end)
end)
