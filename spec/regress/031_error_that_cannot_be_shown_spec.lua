-- SPDX-License-Identifier: MIT
-- An error value whose __tostring raises itself tore down stomp.run and all in it: who
-- told the error ended by it.
local testing = require "stomp.testing"
local stomp = require "stomp"

local unseen = "(a value that cannot be shown)"

describe("an error value that cannot be shown", function()
  local world, broker, bad
  before_each(function()
    world = testing.world()
    broker = world:broker()
    bad = setmetatable({}, {
      __tostring = function() error("tostring is broken") end,
      __eq = function() error("eq is broken") end,
    })
  end)
  after_each(function() world:close() end)

  -- A client, and the errors that it is told.
  local function connect(options)
    local told = {}
    options = options or {}
    function options.on_error(_, err) told[#told + 1] = err end
    return assert(stomp.connect(broker.url, world:options(options))), told
  end

  it("costs one message only, from a handler, and is handed to on_error", function()
    world:run(function()
      local client, told = connect()
      local handled = 0
      client:subscribe("/queue/a", function(message)
        if message.body == "1" then error(bad) end
        handled = handled + 1
      end)
      for i = 1, 3 do assert(client:send("/queue/a", tostring(i))) end
      client:run(1)
      assert.equal(2, handled)
      assert.equal(1, #told)
      assert.equal("handler: " .. unseen, told[1].message)
      assert.is_true(rawequal(bad, told[1].value))
      assert.truthy(told[1].traceback:find(unseen, 1, true))
      assert.is_true(client:disconnect())
    end)
  end)

  it("is told when a function of client:on raises it", function()
    world:run(function()
      local client, told = connect()
      client:on("sent", function() error(bad) end)
      assert.is_true(client:send("/queue/a", "x"))
      client:run(1)
      assert.equal("handler: " .. unseen, told[1].message)
      client:close()
    end)
  end)

  it("is told when a function of headers raises it at the next connection", function()
    world:run(function()
      local client, told = connect { reconnect = { min = 0.1 } }
      local n = 0
      client:subscribe("/queue/a", { headers = function()
        n = n + 1
        if n > 1 then error(bad) end
        return {}
      end })
      world.network:cut()
      client:run(1)
      assert.truthy(told[1].message:find(unseen, 1, true))
      client:close()
    end)
  end)

  it("is what before_connect failed with, raised or returned", function()
    world:run(function()
      for _, f in ipairs { function() error(bad) end, function() return nil, bad end } do
        local client, message, err =
          stomp.connect(broker.url, world:options { before_connect = f })
        assert.is_nil(client)
        assert.equal("handler", err.kind)
        assert.truthy(message:find(unseen, 1, true))
        assert.is_true(rawequal(bad, err.value))
      end
    end)
  end)

  it("is raised by stomp.run, as a text", function()
    local ok, text = pcall(stomp.run, function() error(bad) end)
    assert.is_false(ok)
    assert.equal(unseen .. "\nstack traceback:", text:sub(1, #unseen + 17))
  end)

  it("fails a replay", function()
    local file = assert(io.tmpfile())
    file:write("# lua-stomp trace 1 with bodies\n",
      "0.000000 1 send CONNECT\\naccept-version:1.2\\nhost:/\\n\\n\\x00\n",
      "0.000000 1 receive CONNECTED\\nversion:1.2\\n\\n\\x00\n")
    file:seek("set")
    local ok, message, err = stomp.replay(file, function() error(bad) end)
    assert.is_nil(ok)
    assert.equal("handler: " .. unseen, message)
    assert.is_true(rawequal(bad, err.value))
  end)

  it("is the name of an option, and of an event, that is unknown", function()
    world:run(function()
      local client = connect()
      assert.error_matches(function() client:subscribe("/queue/a", { [bad] = 1 }) end,
        "unknown option '%(a value that cannot be shown%)'")
      assert.error_matches(function() client:on(bad, print) end, "unknown event '%(a value")
      client:close()
    end)
  end)
end)
