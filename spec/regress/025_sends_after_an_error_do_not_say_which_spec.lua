-- SPDX-License-Identifier: MIT
-- After an ERROR that nobody had read yet, calls of a client without reconnect said
-- "the broker answered with ERROR" and not what it had answered; and so did all later
-- ones.
local broker_module = require "stomp.broker"
local stomp = require "stomp"

describe("after an ERROR that lies unread", function()
  local broker
  before_each(function()
    broker = assert(broker_module.listen("ws://127.0.0.1:0/ws"))
    broker:misbehave({ error_on = "SEND" })
  end)
  after_each(function() broker:close() end)

  local calls = {
    ["send"] = function(client) return client:send("/queue/b", "x") end,
    ["send with headers"] = function(client)
      return client:send("/queue/b", "x", { a = "b" })
    end,
    ["confirmed send"] = function(client)
      return client:send("/queue/b", "x", nil, { confirm = true })
    end,
    ["subscribe"] = function(client) return client:subscribe("/queue/b") end,
    ["begin"] = function(client) return client:begin() end,
    ["request"] = function(client) return client:request("/queue/b", "x") end,
  }
  for name, call in pairs(calls) do
    it(name .. " says what the broker answered", function()
      local result, state, later
      stomp.run(function()
        local client = assert(stomp.connect(broker.url))
        assert(client:send("/queue/culprit", "x"))
        while client.pump.link:info().state ~= "closed" do stomp.sleep(0.001) end
        result, state = { call(client) }, client.state
        later = { call(client) }
      end)
      assert.is_nil(result[1])
      assert.equal("broker: Refused on purpose: /queue/culprit", result[2])
      assert.equal("broker", result[3].kind)
      assert.equal("ERROR", result[3].frame.command)
      assert.equal("closed", state)
      assert.matches("broker: Refused on purpose: /queue/culprit", later[2], 1, true)
    end)
  end
end)
