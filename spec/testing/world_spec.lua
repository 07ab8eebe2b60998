-- SPDX-License-Identifier: MIT
-- Client and embedded broker in a world of stomp.testing: what a user's own spec
-- does (docs/testing.md), and what goes wrong on the network when told to.
local stomp = require "stomp"
local testing = require "stomp.testing"

describe("in a virtual world", function()
  local world, broker
  before_each(function()
    world = testing.world { seed = 3 }
    broker = world:broker()
  end)
  after_each(function() world:close() end)

  local function connect(options)
    return stomp.connect(broker.url, world:options(options))
  end

  -- How many virtual seconds f took.
  local function seconds_of(f)
    local start = world:now()
    f()
    return world:now() - start
  end

  it("a client and the broker work as anywhere", function()
    local got = world:run(function()
      local client = assert(connect())
      local list = {}
      assert(client:subscribe("/queue/a", { ack = "client-individual" }, function(message)
        list[#list + 1] = message.body
        assert(message:ack())
        if #list == 3 then client:disconnect() end
      end))
      for i = 1, 3 do assert(client:send("/queue/a", "m" .. i, nil, { confirm = true })) end
      assert(client:run(5))
      return table.concat(list, " ")
    end)
    assert.equal("m1 m2 m3", got)
    assert.equal(0, broker:stats().sessions)
    assert.equal(0, #world.network:lines())
  end)

  it("so they do outside of run, in a plain script", function()
    local client = assert(connect())
    local inbox = assert(client:subscribe("/topic/a"))
    assert(client:send("/topic/a", "hello"))
    assert.equal("hello", inbox:receive(5).body)
    assert.is_true(client:disconnect())
  end)

  it("a heart-beat that is lost for a minute takes no time", function()
    local start = os.time()
    world:run(function()
      local client = assert(connect { heartbeat = { send = 30, receive = 30 } })
      assert.near(30, client.heartbeat.receive, 1e-9)
      world.network:set { silent = "down" }
      local ok, message, err
      local took = seconds_of(function() ok, message, err = client:run() end)
      assert.is_nil(ok)
      assert.equal("heartbeat", err.kind)
      assert.matches("^heartbeat: ", message)
      assert.near(60, took, 0.1)
    end)
    assert.is_true(os.time() - start < 10)
  end)

  it("heart-beats keep a quiet connection alive for a day", function()
    world:run(function()
      local client = assert(connect())
      world:sleep(86400)
      assert.equal("connected", client.state)
      assert.is_true(client:stats().heartbeats_sent > 8000)
      assert.is_true(client:disconnect())
    end)
  end)

  it("latency is waited for", function()
    world.network:set { latency = 0.25 }
    world:run(function()
      local client
      -- connect and its answer, upgrade and 101, CONNECT and CONNECTED
      assert.near(1.5, seconds_of(function() client = assert(connect()) end), 0.01)
      assert.near(0.5, seconds_of(function()
        assert(client:send("/queue/a", "x", nil, { confirm = true }))
      end), 0.01)
      client:close()
    end)
  end)

  it("jitter keeps the order", function()
    world.network:set { latency = 0.01, jitter = 5 }
    world:run(function()
      local client = assert(connect { timeout = 100 })
      local inbox = assert(client:subscribe("/topic/a"))
      world:spawn(function()
        for i = 1, 50 do
          assert(client:send("/topic/a", tostring(i)))
          world:sleep(0.3)
        end
      end)
      for i = 1, 50 do assert.equal(tostring(i), inbox:receive(60).body) end
      client:close()
    end)
  end)

  it("a connection is refused, or goes nowhere", function()
    world:run(function()
      world.network:set { refuse = true }
      local _, _, err = connect()
      assert.equal("connect", err.kind)
      world.network:set { refuse = false, unreachable = true }
      local took = seconds_of(function() _, _, err = connect { timeout = 7 } end)
      assert.equal("timeout", err.kind)
      assert.near(7, took, 0.01)
      world.network:set { unreachable = false }
      assert(connect()):close()
    end)
  end)

  it("a line is cut at any byte", function()
    for n = 0, 400 do
      for _, way in ipairs { "up", "down" } do
        world.network.on_line = function(line) line:cut_after(way, n) end
        world:run(function()
          local client, _, err = connect()
          if client then
            local ok
            ok, _, err = client:send("/queue/a", ("x"):rep(400), nil, { confirm = true })
            if ok then -- what came after CONNECTED was fewer bytes
              assert.equal("down", way)
              ok, _, err = client:run(3000) -- beats use the rest up
              assert.is_nil(ok)
            end
          end
          assert.truthy(({ closed = true, upgrade = true })[err.kind], tostring(err))
          world:sleep(30)
        end)
        assert.equal(0, broker:stats().sessions)
        assert.equal(0, #world.network:lines())
      end
    end
  end)

  it("one line drips while another flows", function()
    world:run(function()
      local slow, fast = assert(connect()), assert(connect())
      local line = world.network:lines()[1]
      line:set { drip = { 1, 0.01 } }
      local inbox = assert(fast:subscribe("/queue/a"))
      local body = ("x"):rep(1000)
      assert(slow:send("/queue/a", body))
      local took = seconds_of(function() assert.equal(body, inbox:receive(60).body) end)
      assert.is_true(took > 10 and took < 12, took)
      assert.near(0, seconds_of(function()
        assert(fast:send("/queue/b", body, nil, { confirm = true }))
      end), 0.001)
      line:set { drip = false }
      slow:close()
      fast:close()
    end)
  end)

  it("what was silent comes when it is over", function()
    world:run(function()
      local client = assert(connect())
      local inbox = assert(client:subscribe("/queue/a"))
      local line = world.network:lines()[1]
      line:set { silent = "both" }
      assert(client:send("/queue/a", "x"))
      local _, _, err = inbox:receive(5)
      assert.equal("timeout", err.kind)
      line:set { silent = false }
      assert.equal("x", inbox:receive(5).body)
      client:close()
    end)
  end)

  it("an end that only the client sees leaves the broker waiting for its beats", function()
    world:run(function()
      local client = assert(connect())
      local _, err
      world.network:cut("client")
      _, _, err = client:run(1)
      assert.equal("closed", err.kind)
      assert.equal(1, broker:stats().sessions)
      world:sleep(21)
      assert.equal(0, broker:stats().sessions)
    end)
  end)

  it("a link of the broker is cut, or mute", function()
    local listener = world.network.listen { host = "127.0.0.1" }
    local function pair()
      local link = world.network.open { host = "localhost", port = listener:port(),
        host_header = "h", path = "/", heartbeat = { send = 0, receive = 1 } }
      world.loop.wait(listener)
      local server = listener:next()
      while not server:next() do world.loop.wait(server) end
      server:accept()
      while not link:next() do world.loop.wait(link) end
      return link, server
    end
    local function ending(link)
      local frame, message, err
      repeat
        frame, message, err = link:next()
        if not frame and not message then world.loop.wait(link, 100) end
      until message
      return err
    end
    local link, server = pair()
    server:cut()
    for _, one in ipairs { link, server } do
      local err = ending(one)
      assert.equal("closed", err.kind)
      assert.is_nil(err.code)
    end
    link, server = pair()
    server:mute(true)
    assert.is_true(server:send("RECEIPT", { ["receipt-id"] = "1" }))
    world:sleep(1.5)
    assert.is_nil(link:next())
    server:mute(false)
    world.loop.wait(link, 1)
    assert.equal("RECEIPT", link:next().command)
    server:mute(true)
    assert.equal("heartbeat", ending(link).kind)
    listener:close()
    listener:close()
    assert.is_nil(listener:next())
  end)

  it("a peer that does not read fills the outbox, and holds up nobody else", function()
    world:run(function()
      local client = assert(connect { limits = { outbox = 10000 } })
      local other = assert(connect())
      world.network:lines()[1]:set { silent = "up" }
      local n, body = 0, ("x"):rep(1000)
      local ok, _, err
      repeat
        ok, _, err = client:send("/queue/a", body, nil, { timeout = 2 })
        n = n + 1
      until not ok or n > 1000
      assert.equal("timeout", err.kind)
      assert.is_true(client:stats().outbox_bytes <= 11000)
      assert.is_true(other:send("/queue/b", body, nil, { confirm = true }))
      client:close()
      assert.is_true(other:disconnect())
    end)
  end)

  it("the same seed is the same run, another seed another", function()
    local function run(seed)
      local here = testing.world { seed = seed }
      local its = here:broker()
      local log = {}
      here.network:set { latency = 0.01, jitter = 0.5 }
      here:run(function()
        local client = assert(stomp.connect(its.url, here:options()))
        for i = 1, 20 do
          assert(client:send("/queue/a", tostring(i), nil, { confirm = true }))
          log[#log + 1] = ("%.6f"):format(here:now())
        end
        client:disconnect()
      end)
      here:close()
      return table.concat(log, " ")
    end
    assert.equal(run(1), run(1))
    assert.not_equal(run(1), run(2))
  end)
end)
