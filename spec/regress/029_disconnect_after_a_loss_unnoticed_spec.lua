-- SPDX-License-Identifier: MIT
-- A connection is lost while nobody waits in a call of its client. `disconnect` then
-- failed with "closed: the connection is closed: …" and not with what had happened,
-- on_disconnect was not called, and on_close was told of a clean end.
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("client:disconnect after a loss that nobody noticed", function()
  local world, told
  before_each(function()
    world, told = testing.world(), {}
  end)
  after_each(function() world:close() end)

  -- A client whose connection an ERROR has ended, and which does not know yet.
  local function lost(options)
    options.on_disconnect = function(_, err) told[#told + 1] = "disconnect " .. err.kind end
    options.on_close = function(clean) told[#told + 1] = "close " .. tostring(clean) end
    local client = assert(stomp.connect(world:broker().url, world:options(options)))
    assert(client:send("/nowhere/a", ""))
    world:sleep(1)
    assert.equal("connected", client.state)
    return client
  end

  for _, way in ipairs { "disconnect", "drain" } do
    it("says why, as all that are told do (" .. way .. ")", function()
      local client = lost {}
      local _, message, err = client[way](client)
      assert.equal("broker", err.kind)
      assert.truthy(message:find("Unknown destination", 1, true))
      assert.same({ "disconnect broker", "close false" }, told)
      assert.is_true(client:disconnect())
    end)

    it("is as while reconnecting where it would reconnect (" .. way .. ")", function()
      local client = lost { reconnect = true }
      -- an unconfirmed send may be lost: nothing says that it is not (seed 2595)
      assert.same({ true, "no receipt" }, { client[way](client) })
      assert.same({ "disconnect broker", "close true" }, told)
      assert.equal("closed", client.state)
    end)
  end
end)
