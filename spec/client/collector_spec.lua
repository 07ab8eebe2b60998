-- SPDX-License-Identifier: MIT
-- Any object may be left to the collector at any moment: nothing stays behind, and
-- whoever still waits is not taken with it.
local broker_module = require "stomp.broker"
local stomp = require "stomp"
local testing = require "stomp.testing"

local function collect()
  for _ = 1, 2 do collectgarbage() end
end

-- Functions to watch objects with: keep(object) returns it; left() says which live.
local function watch()
  local seen = setmetatable({}, { __mode = "k" })
  local function keep(object)
    seen[object] = true
    return object
  end
  local function left()
    collect()
    local list = {}
    for object in pairs(seen) do list[#list + 1] = tostring(object) end
    table.sort(list)
    return list
  end
  return keep, left
end

describe("left to the collector", function()
  local world, broker, keep, left
  before_each(function()
    world = testing.world()
    broker = world:broker()
    keep, left = watch()
  end)
  after_each(function() world:close() end)

  local function connect(options)
    return keep(assert(stomp.connect(broker.url, world:options(options))))
  end

  -- `f` runs in a task of its own, so that no stack slot of ours holds anything.
  local function run(f)
    world:run(function() f() end)
  end

  it("is a client with all that it has: subscription, transaction, messages, sends", function()
    run(function()
      local client = connect()
      local inbox = keep(assert(client:subscribe("/queue/a", { ack = "client" })))
      local transaction = keep(assert(client:begin()))
      assert(transaction:send("/queue/a", "1", nil, { confirm = true }))
      for _ = 1, 3 do assert(client:send("/queue/a", "2", nil, { confirm = true })) end
      keep(assert(inbox:receive(9)))
      assert(client:send("/queue/a", "3", nil, { confirm = "later" }))
      assert.equal(1, broker:stats().sessions)
    end)
    assert.same({}, left())
    world:sleep(1)
    assert.equal(0, broker:stats().sessions)
    assert.equal(4, broker:stats().queued) -- three and one; the transaction is undone
  end)

  it("is a client that reconnects, between two attempts", function()
    run(function()
      local client = connect {
        timeout = 1, reconnect = { min = 5, max = 5, jitter = 0 },
        on_error = function() end,
      }
      keep(assert(client:subscribe("/queue/a", function() end)))
      keep(assert(client:begin()))
      world.network:set { unreachable = true }
      world.network:cut()
      client:receive(0.1)
      assert.equal("reconnecting", client.state)
      assert(client:send("/queue/a", "queued"))
      world:sleep(8) -- one attempt is over
    end)
    assert.same({}, left())
    world:sleep(100) -- its task ends, too
  end)

  it("is not a client that somebody waits for, whatever the connection does", function()
    local got
    run(function()
      local client = connect { timeout = 1, reconnect = { min = 5, max = 5, jitter = 0 } }
      local inbox = keep(assert(client:subscribe("/queue/a")))
      world:spawn(function() got = inbox:receive().body end)
      world:sleep(1)
      world.network:set { unreachable = true }
      world.network:cut()
      world:sleep(1)
      assert.equal("reconnecting", client.state)
    end)
    assert.equal(2, #left())
    for _ = 1, 4 do -- between two attempts, and in one
      world:sleep(2.5)
      collect()
    end
    world.network:set { unreachable = false }
    world:sleep(10)
    run(function() assert(connect():send("/queue/a", "late", nil, { confirm = true })) end)
    world:sleep(1)
    assert.equal("late", got)
    assert.same({}, left())
  end)

  it("nor one whose wait begins while it reconnects", function()
    local ended
    run(function()
      local client = connect { timeout = 1, reconnect = { min = 5, max = 5, jitter = 0, max_time = 60 } }
      world.network:set { unreachable = true }
      world.network:cut()
      client:receive(0.1)
      world:spawn(function() ended = select(2, client:run()) end)
    end)
    for _ = 1, 8 do
      world:sleep(10)
      collect()
    end
    assert.truthy(ended:find("^connect:") or ended:find("^timeout:"), ended)
    assert.same({}, left())
  end)

  it("is a client that has come to its end in any way, or to no beginning", function()
    run(function()
      local closed = connect()
      keep(assert(closed:subscribe("/queue/a", function() end)))
      closed:close()
      assert(connect():disconnect())
      assert(connect():drain())
      local cut = connect()
      world.network:cut()
      keep(select(3, cut:run()))
      world.network:set { unreachable = true }
      keep(select(3, stomp.connect(broker.url, world:options { timeout = 1 })))
    end)
    assert.same({}, left())
  end)

  it("are a subscription, messages and requests of a client that goes on", function()
    run(function()
      local client = assert(stomp.connect(broker.url, world:options()))
      broker.client = client
      local inbox = keep(assert(client:subscribe("/queue/a", { ack = "client-individual" })))
      for _ = 1, 10 do
        assert(client:send("/queue/a", "x", nil, { confirm = true }))
        keep(assert(inbox:receive(9)))
      end
      assert(inbox:unsubscribe())
      assert(client:subscribe("/queue/ask", function(message) message:reply("yes") end))
      keep(assert(client:request("/queue/ask", "?")))
      assert.is_nil((client:receive(0.1)))
    end)
    assert.same({}, left())
    broker.client = nil
  end)

  it("is a transaction: another begin aborts it, and its RECEIPTs are forgotten", function()
    local client = assert(stomp.connect(broker.url, world:options()))
    local inbox = assert(client:subscribe("/queue/a", { ack = "client-individual" }))
    assert(client:send("/queue/a", "x"))
    local message = assert(inbox:receive(9))
    run(function()
      local mine = keep(assert(client:begin("mine")))
      assert(mine:send("/queue/a", "never", nil, { confirm = true }))
      assert(mine:ack(message))
      for _ = 1, 63 do keep(assert(client:begin())) end
    end)
    assert.same({}, left())
    assert.equal(1, client:stats().receipts_outstanding)
    run(function() assert(assert(client:begin("mine")):commit()) end) -- the id is free again
    assert.equal(0, client:stats().receipts_outstanding)
    assert.is_true(message:ack()) -- as after ABORT
    local aborted = {}
    client:on("sent", function(command, headers)
      if command == "ABORT" then aborted[#aborted + 1] = headers.transaction end
    end)
    for _ = 1, 3 do
      run(function()
        for _ = 1, 64 do assert(client:begin()) end
      end)
      collect()
    end
    assert.is_true(#aborted >= 128)
    assert.is_true(client:drain())
    assert.equal(0, broker:stats().queued)
  end)

  it("are a closed broker and a world", function()
    local function leave()
      local other = keep(testing.world())
      local its_broker = keep(other:broker())
      other:run(function()
        local client = keep(assert(stomp.connect(its_broker.url, other:options { reconnect = true })))
        assert(client:subscribe("/queue/a", function() end))
        other.network:cut()
        client:receive(0.1)
      end)
    end
    leave()
    assert.same({}, left())
  end)
end)

describe("over sockets, left to the collector", function()
  local function descriptors()
    local pipe = io.popen("ls /proc/$PPID/fd | wc -l")
    local n = tonumber(pipe:read("*a"))
    pipe:close()
    return n
  end

  it("are clients and closed brokers, with their descriptors", function()
    local keep, left = watch()
    local function round()
      local broker = keep(assert(broker_module.listen("ws://127.0.0.1:0/ws")))
      for i = 1, 5 do
        local client = keep(assert(stomp.connect(broker.url, { reconnect = i > 2 })))
        keep(assert(client:subscribe("/queue/" .. i, i > 3 and function() end or nil)))
        assert(client:send("/queue/" .. i, "x", nil, { confirm = true }))
        if i == 1 then client:close() end
        if i == 5 then
          broker:cut()
          client:receive(0.05)
        end
      end
      broker:close()
    end
    local function settle(most)
      local deadline, n = stomp.now() + 20
      repeat
        local alive = #left()
        n = descriptors()
        if alive == 0 and (not most or n <= most) then break end
        stomp.sleep(0.05)
      until stomp.now() > deadline
      return n
    end
    round()
    local before = settle() -- the I/O thread and its descriptors are there for good
    for _ = 1, 3 do round() end
    local after = settle(before)
    assert.same({}, left())
    assert.is_true(after <= before, ("%d descriptors, then %d"):format(before, after))
  end)
end)
