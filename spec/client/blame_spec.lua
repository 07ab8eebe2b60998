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

describe("on_error names", function()
  it("the SUBSCRIBE whose headers fail on a later connection, and no line of ours", function()
    local function nth(f)
      local n = 0
      return function()
        n = n + 1
        if n == 2 then return f() end
        return {}
      end
    end
    local value = {}
    local told = within(nil, function(world, broker, connect)
      local client = connect { reconnect = quick }
      for i, f in ipairs {
        function() error("no token", 0) end,
        function() error(value) end,
        function() return { id = "mine" } end,
        function() return 5 end,
        function() return { token = {} } end,
        function() return { token = "\0" } end,
      } do
        assert(client:subscribe("/queue/" .. i, { headers = nth(f) }))
      end
      assert(client:subscribe("/queue/good", { headers = { a = "b" } }))
      world:spawn(function() client:run() end)
      world.network:cut()
      world:sleep(3)
      assert.equal("connected", client.state)
      assert.equal(1, broker:stats().subscriptions)
    end)
    local messages = {}
    for i, err in ipairs(told) do messages[i] = err.message end
    assert.same({
      "handler: SUBSCRIBE /queue/1 (sub-1): headers: no token",
      "handler: SUBSCRIBE /queue/2 (sub-2): headers: " .. tostring(value),
      "invalid: SUBSCRIBE /queue/3 (sub-3): header id is set by option id",
      "handler: SUBSCRIBE /queue/4 (sub-4): headers: table expected, got number",
      "handler: SUBSCRIBE /queue/5 (sub-5): headers: header 'token': string, number or boolean expected, got table",
      messages[6],
    }, messages)
    assert.truthy(messages[6]:find("^invalid: SUBSCRIBE /queue/6 %(sub%-6%): "), messages[6])
    assert.equal(value, told[2].value)
    assert.truthy(told[1].traceback:find("blame_spec.lua", 1, true))
  end)

  it("the subscription of which a message cannot be acknowledged", function()
    local told = within(nil, function(_, _, connect)
      local client = connect()
      assert(client:subscribe("/queue/b", {
        acknowledge = { destination = "/queue/acks", automatic = true, header = "hid" },
      }, function() end))
      assert(client:send("/queue/b", "x"))
      client:run(0.5)
    end)
    assert.equal(1, #told)
    assert.equal("invalid: subscription sub-1 (/queue/b): ack: the MESSAGE has no header hid", told[1].message)
  end)

  it("the queued SEND that the next connection does not take", function()
    local failed
    local told = within(nil, function(world, broker, connect)
      local other, n = world:broker { server = "ActiveMQ/5.17.2" }, 0
      local client = connect { reconnect = quick, before_connect = function(attempt)
        n = n + 1
        if n > 1 then attempt.url = other.url end
      end }
      broker:stop()
      world:spawn(function() client:run() end)
      world:sleep(0.01)
      assert(client:send("/queue/a", "\255", { { "a", "b" } }))
      assert(client:send("/queue/b", "\255", nil, { confirm = "later" }))
      world:spawn(function() failed = { client:send("/queue/c", "\255", nil, { confirm = true }) } end)
      world:sleep(3)
      assert.equal("connected", client.state)
    end)
    assert.equal(2, #told)
    assert.truthy(told[1].message:find("^invalid: SEND /queue/a: not UTF%-8"), told[1].message)
    assert.truthy(told[2].message:find("^invalid: SEND /queue/b: not UTF%-8"), told[2].message)
    fixture.failure("invalid", failed[1], failed[2], failed[3])
    assert.truthy(failed[2]:find("SEND /queue/c: ", 1, true))
  end)
end)

describe("a frame larger than limits.outbox", function()
  it("is named, with a connection and without", function()
    within(nil, function(world, broker, connect)
      local client = connect { reconnect = quick, limits = { outbox = 1000 } }
      local err = fixture.failure("limit", client:send("/queue/a", ("x"):rep(2000)))
      assert.equal("limit: SEND /queue/a: frame larger than limits.outbox", err.message)
      assert.equal("LOUTBOX", err.name)
      broker:stop()
      world:sleep(0.1)
      err = fixture.failure("limit", client:send("/queue/a", ("x"):rep(2000)))
      assert.truthy(err.message:find("limit: SEND /queue/a: ", 1, true))
    end)
  end)
end)
