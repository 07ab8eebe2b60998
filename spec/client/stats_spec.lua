-- SPDX-License-Identifier: MIT
-- client:stats(), on a network with a clock of its own.
local stomp = require "stomp"
local testing = require "stomp.testing"

local function in_world(options, f)
  local world = testing.world { seed = 1 }
  local broker = world:broker()
  world:run(function()
    f(assert(stomp.connect(broker.url, world:options(options))), world, broker)
  end)
  world:close()
end

describe("client:stats", function()
  it("has a number for each figure that docs/stats.md names, and for no other", function()
    local file = assert(io.open("docs/stats.md"))
    local documented = {}
    for row in file:read("*a"):gmatch("\n| (`[^|]*) |") do
      for name in row:gmatch("`([%w_]+)`") do documented[name] = true end
    end
    file:close()
    in_world({}, function(client)
      local stats = client:stats()
      for name in pairs(documented) do
        assert.equal("number", type(stats[name]), name)
      end
      for name in pairs(stats) do assert.is_true(documented[name], name .. " is not in docs/stats.md") end
    end)
  end)

  it("counts frames, bytes and messages", function()
    in_world({}, function(client)
      local subscription = assert(client:subscribe("/queue/a", { confirm = true }))
      for _ = 1, 3 do assert(client:send("/queue/a", ("x"):rep(1000), nil, { confirm = true })) end
      for _ = 1, 3 do assert(subscription:receive(5)) end
      local stats = client:stats()
      assert.equal(5, stats.frames_sent) -- CONNECT, SUBSCRIBE, 3 SENDs
      assert.equal(8, stats.frames_received) -- CONNECTED, 4 RECEIPTs, 3 MESSAGEs
      assert.equal(3, stats.messages)
      assert.is_true(stats.bytes_sent > 3000 and stats.bytes_sent < 6000)
      assert.is_true(stats.bytes_received > 3000 and stats.bytes_received < 6000)
      assert.is_true(stats.inbox_bytes < 1000) -- the last one counts until the next is asked for
      assert.equal(0, stats.receipts_outstanding)
    end)
  end)

  it("knows what waits in the inbox and which RECEIPTs are missing", function()
    in_world({}, function(client, world, broker)
      local subscription = assert(client:subscribe("/queue/a", { confirm = true }))
      assert(client:send("/queue/a", ("x"):rep(1000), nil, { confirm = true }))
      world:sleep(1)
      assert.is_true(client:stats().inbox_bytes > 1000)
      assert(subscription:receive(5))
      assert.is_true(client:stats().inbox_bytes < 1000)
      world.network:set { silent = "down" }
      world:spawn(function() client:send("/queue/b", "", nil, { confirm = true }) end)
      world:sleep(1)
      assert.equal(1, client:stats().receipts_outstanding)
      assert.is_true(broker:stats().sessions == 1)
    end)
  end)

  it("knows since when the oldest message is not acknowledged", function()
    for _, mode in ipairs { "client-individual", "client" } do
      in_world({}, function(client, world)
        local subscription = assert(client:subscribe("/queue/a", { ack = mode, confirm = true }))
        assert.equal(0, client:stats().oldest_unacked)
        local messages = {}
        for i = 1, 3 do
          assert(client:send("/queue/a", ""))
          messages[i] = assert(subscription:receive(5))
          world:sleep(10)
        end
        assert.equal(3, client:stats().unacked)
        assert.near(30, client:stats().oldest_unacked, 0.1)
        assert(messages[2]:ack())
        if mode == "client" then -- it covers the first
          assert.equal(1, client:stats().unacked)
          assert.near(10, client:stats().oldest_unacked, 0.1)
        else
          assert.equal(2, client:stats().unacked)
          assert.near(30, client:stats().oldest_unacked, 0.1)
          assert(messages[1]:nack()) -- and it comes again
          assert(subscription:receive(5):ack())
          assert.near(10, client:stats().oldest_unacked, 0.1)
        end
        assert(messages[3]:ack())
        assert.equal(0, client:stats().unacked)
        assert.equal(0, client:stats().oldest_unacked)
      end)
    end
  end)

  it("counts messages of a handler until it has acknowledged, and none in ack mode auto", function()
    in_world({}, function(client, world)
      local go = world.loop.condition()
      assert(client:subscribe("/queue/slow", { ack = "client-individual", confirm = true }, function(message)
        go:wait()
        message:ack()
      end))
      assert(client:subscribe("/queue/auto", { confirm = true }))
      assert(client:send("/queue/slow", ""))
      assert(client:send("/queue/auto", ""))
      client:run(7)
      assert.equal(1, client:stats().unacked)
      assert.near(7, client:stats().oldest_unacked, 0.1)
      go:signal()
      client:run(1)
      assert.equal(0, client:stats().unacked)
    end)
  end)

  it("goes on counting over reconnects, and forgets what cannot be acknowledged any more", function()
    in_world({ reconnect = { min = 0.1 } }, function(client, world)
      local subscription = assert(client:subscribe("/queue/a", { ack = "client-individual", confirm = true }))
      assert(client:send("/queue/a", ""))
      assert(subscription:receive(5))
      local before = client:stats()
      world.network:cut()
      local again = assert(subscription:receive(5))
      local stats = client:stats()
      assert.equal(1, stats.reconnects)
      assert.is_true(stats.frames_sent >= before.frames_sent + 2) -- CONNECT, SUBSCRIBE
      assert.equal(2, stats.messages)
      assert.equal(1, stats.unacked)
      assert(again:ack())
      assert.equal(0, client:stats().unacked)
    end)
  end)

  it("measures a round trip where nothing else is sent", function()
    in_world({ ping = 5, heartbeat = { send = 0, receive = 0 } }, function(client, world)
      assert.equal(0, client:stats().round_trip)
      world.network:set { latency = 0.25 }
      client:run(6)
      assert.near(0.5, client:stats().round_trip, 0.01)
    end)
  end)

  it("counts the time in which nobody took what came", function()
    in_world({ limits = { inbox = 2000 } }, function(client, world)
      local subscription = assert(client:subscribe("/queue/a", { confirm = true }))
      for _ = 1, 5 do assert(client:send("/queue/a", ("x"):rep(1000))) end
      world:sleep(30)
      local paused = client:stats().paused_seconds
      assert.is_true(paused > 20 and paused <= 30, tostring(paused))
      for _ = 1, 5 do assert(subscription:receive(5)) end
    end)
  end)
end)
