-- SPDX-License-Identifier: MIT
-- The embedded broker in a world of stomp.testing: what it does wrong takes
-- virtual time, and every run is the same.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("in a virtual world the embedded broker", function()
  local world, broker
  before_each(function() world = testing.world { seed = 5 } end)
  after_each(function() world:close() end)

  local function listen(options)
    broker = world:broker(options)
  end

  local function connect(options)
    return stomp.connect(broker.url, world:options(options))
  end

  it("delays each frame by as much as it was told, in order", function()
    listen()
    world:run(function()
      local client = assert(connect())
      local inbox = assert(client:subscribe("/topic/a", { confirm = true }))
      broker:misbehave { delay = 7 }
      local start = world:now()
      assert(client:send("/topic/a", "1"))
      world:sleep(1)
      assert(client:send("/topic/a", "2"))
      for i = 1, 2 do
        assert.equal(tostring(i), assert(inbox:receive(60)).body)
        assert.near(start + 6 + i, world:now(), 0.01)
      end
      client:close()
    end)
  end)

  it("ends a peer that says nothing when its ten seconds are over", function()
    listen()
    world:run(function()
      world.network.on_line = function(line) line:set { silent = "up" } end
      local link = world.network.open { host = "127.0.0.1", port = broker.where.port,
        host_header = "h", path = "/" }
      world:sleep(9.9)
      assert.equal(1, broker:stats().sessions)
      world:sleep(0.2)
      assert.equal(0, broker:stats().sessions)
      assert.equal(1, broker:stats().timed_out)
      link:close()
    end)
  end)

  it("that hangs for an hour lets go of all that tried meanwhile", function()
    listen()
    world:run(function()
      local client = assert(connect { reconnect = true })
      world:spawn(function() assert(client:run()) end)
      local inbox = assert(client:subscribe("/queue/a", { confirm = true }))
      broker:misbehave { silent = true }
      world:sleep(3600)
      assert.equal("reconnecting", client.state)
      assert.is_true(broker:stats().connects > 50)
      broker:misbehave()
      world:sleep(60)
      assert.equal("connected", client.state)
      assert.equal(1, broker:stats().sessions)
      assert(client:send("/queue/a", "x", nil, { confirm = true }))
      assert.equal("x", assert(inbox:receive(1)).body)
      assert(client:disconnect())
      assert.equal(0, #world.network:lines())
    end)
  end)

  it("that refuses connections for a day is tried again and again", function()
    listen()
    world:run(function()
      local client = assert(connect { reconnect = { max = 30 } })
      world:spawn(function() assert(client:run()) end)
      broker:misbehave { refuse_connects = true }
      broker:cut()
      world:sleep(86400)
      assert.equal("reconnecting", client.state)
      broker:misbehave()
      world:sleep(45)
      assert.equal("connected", client.state)
      assert(client:disconnect())
    end)
  end)

  it("cut after each number of frames loses nothing that was confirmed", function()
    listen()
    world.network:set { latency = 0.01, jitter = 0.02 }
    world:run(function()
      local client = assert(connect { reconnect = { min = 0.1 } })
      local n = 0
      for cut_after = 2, 12 do
        broker:misbehave { cut_after = cut_after, times = 3 }
        for _ = 1, 40 do
          n = n + 1
          assert(client:send("/queue/a", tostring(n), nil, { confirm = true }))
        end
      end
      broker:misbehave()
      assert.equal(33, broker:stats().cuts)
      local seen, inbox = {}, assert(client:subscribe("/queue/a"))
      assert.is_true(broker:stats("/queue/a").published > n) -- some of them twice
      for _ = 1, broker:stats("/queue/a").published do
        seen[assert(inbox:receive(60)).body] = true
      end
      for i = 1, n do assert(seen[tostring(i)], i .. " is lost") end
      assert.is_true(client:disconnect())
    end)
  end)

  it("is the same in every run, whatever goes wrong", function()
    local function run()
      local here = testing.world { seed = 9 }
      local its = here:broker { heartbeat = { send = 5, receive = 5 } }
      local log = {}
      here.network:set { latency = 0.02, jitter = 0.3 }
      here:run(function()
        local clients = {}
        for i = 1, 5 do
          clients[i] = assert(stomp.connect(its.url, here:options {
            reconnect = { min = 0.1 }, login = "client-" .. i, trace = function(way, line)
              log[#log + 1] = ("%.6f %d %s %s"):format(here:now(), i, way, line)
            end }))
          assert(clients[i]:subscribe("/queue/a", { ack = "client" }, function(message)
            assert(message:ack())
          end))
          here:spawn(function() clients[i]:run() end)
        end
        its:misbehave { delay = 0.3, cut_after = 9, times = 8 }
        for k = 1, 60 do
          clients[k % 5 + 1]:send("/queue/a", tostring(k), nil, { confirm = k % 3 == 0 })
          if k == 30 then its:cut(function(session) return session.serial % 2 == 0 end) end
          if k == 40 then its:restart() end
        end
        here:sleep(30)
        its:close()
        for i = 1, 5 do clients[i]:close() end
      end)
      return table.concat(log, "\n")
    end
    local first, second = run(), run()
    assert.is_true(#first > 10000)
    assert.is_true(first == second, "two runs differ")
  end)

  it("listens at one place only once", function()
    listen()
    local other = require "stomp.broker"
    fixture.failure("connect", other.listen(broker.url,
      { loop = world.loop, transport = world.network }))
  end)
end)
