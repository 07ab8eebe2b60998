-- SPDX-License-Identifier: MIT
-- A task or handler that an error ended left the scopes of its `<close>` variables to
-- nobody: its transaction was open, its subscription was subscribed until the
-- connection ended.
local stomp = require "stomp"
local testing = require "stomp.testing"

local is_scoped = coroutine.close ~= nil -- luacheck: ignore 143 (from 5.4 on)
local owner = is_scoped and load [[
  local client, destination = ...
  local transaction <close> = assert(client:begin())
  local subscription <close> = assert(client:subscribe(destination))
  assert(transaction:send(destination, "", nil, { confirm = true }))
  error("culprit")
]]

describe("an error in a scope", function()
  if not owner then return end -- before Lua 5.4

  local world, client, sent
  before_each(function()
    world = testing.world()
    sent = {}
    client = assert(stomp.connect(world:broker().url, world:options { on_error = function() end }))
    client:on("sent", function(command, headers)
      if command ~= "SEND" then sent[#sent + 1] = command .. " " .. (headers.transaction or headers.id or "") end
    end)
  end)
  after_each(function()
    client:close()
    world:close()
  end)

  it("of a task leaves it, and those of the tasks within", function()
    local told = {}
    local function on_error(text) told[#told + 1] = text:match("culprit") end
    world:run(function()
      world:spawn(function()
        world:spawn(function() owner(client, "/queue/inner") end, on_error)
        world:sleep(1)
        owner(client, "/queue/outer")
      end, on_error)
      world:sleep(2)
    end)
    assert.same({ "culprit", "culprit" }, told)
    assert.same({ "BEGIN tx-1", "SUBSCRIBE sub-1", "UNSUBSCRIBE sub-1", "ABORT tx-1",
      "BEGIN tx-2", "SUBSCRIBE sub-2", "UNSUBSCRIBE sub-2", "ABORT tx-2" }, sent)
    assert.equal(0, client:stats().receipts_outstanding)
  end)

  for _, n in ipairs { 1, 2 } do
    it("of a handler leaves it (concurrency " .. n .. ")", function()
      world:run(function()
        assert(client:subscribe("/topic/work", { id = "work", concurrency = n },
          function() owner(client, "/queue/a") end))
        assert(client:send("/topic/work", ""))
        client:receive(1)
      end)
      assert.same({ "SUBSCRIBE work", "BEGIN tx-1", "SUBSCRIBE sub-1", "UNSUBSCRIBE sub-1", "ABORT tx-1" }, sent)
    end)
  end
end)
