-- SPDX-License-Identifier: MIT
-- Sends that waited for room while reconnecting went out in another order than they
-- were made in: who was woken to look overtook, or was overtaken.
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("sends of many tasks without room", function()
  local world, broker
  before_each(function()
    world = testing.world()
    broker = world:broker()
  end)
  after_each(function() world:close() end)

  local function numbers_of(inbox, n)
    local list = {}
    for i = 1, n do list[i] = assert(inbox:receive(60)).body:match("%d+") end
    return table.concat(list, " ")
  end

  local function expected(n)
    local list = {}
    for i = 1, n do list[i] = tostring(i) end
    return table.concat(list, " ")
  end

  it("keep their order while there is no connection", function()
    world:run(function()
      local reader = assert(stomp.connect(broker.url, world:options()))
      local inbox = assert(reader:subscribe("/queue/a"))
      local client = assert(stomp.connect(broker.url, world:options {
        limits = { outbox = 3000 }, reconnect = { min = 1, max = 1 },
      }))
      world.network:lines()[2]:cut()
      client:run(0.01) -- so that it is noticed
      assert.equal("reconnecting", client.state)
      for i = 1, 40 do
        world:spawn(function()
          assert(client:send("/queue/a", i .. (" "):rep(100 + i % 7 * 150)))
        end)
      end
      assert.equal(expected(40), numbers_of(inbox, 40))
    end)
  end)
end)
