-- SPDX-License-Identifier: MIT
-- A plain script that waited was torn out of its wait by an error of a task that
-- it drove meanwhile. Its place was kept: nobody else pumped any more, and who
-- waited for room behind it waited in vain.
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("a script that an error tears out of its wait", function()
  local world, client, line
  before_each(function()
    world = testing.world()
    local broker = world:broker()
    client = assert(stomp.connect(broker.url, world:options { limits = { outbox = 2000 } }))
    line = world.network:lines()[1]
    world:spawn(function()
      world:sleep(1)
      error("culprit")
    end)
  end)
  after_each(function()
    client:close()
    world:close()
  end)

  local body = ("x"):rep(1500)

  local function confirm()
    return assert(client:send("/queue/a", body, nil, { confirm = true, timeout = 5 }))
  end

  it("leaves the pump to others", function()
    assert.error_matches(function() client:receive(10) end, "culprit")
    world:run(confirm)
  end)

  it("leaves it when it was not pumping itself", function()
    world:spawn(function() client:receive(2) end)
    world:sleep(0.1)
    assert.error_matches(function() client:receive(10) end, "culprit")
    world:run(function()
      world:sleep(5)
      confirm()
    end)
  end)

  it("leaves its place in the outbox to others", function()
    line:set { silent = "up" }
    local ok = true
    while ok do ok = client:send("/queue/a", body, nil, { timeout = 0.01 }) end
    assert.error_matches(function() client:send("/queue/a", body) end, "culprit")
    line:set { silent = false }
    world:run(confirm)
  end)

  it("leaves it from within a coroutine that is no task", function()
    local generator = coroutine.wrap(function() client:receive(10) end)
    assert.error_matches(generator, "culprit")
    world:run(confirm)
  end)
end)
