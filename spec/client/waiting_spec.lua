-- SPDX-License-Identifier: MIT
-- Many coroutines on one client: who pumps, who is woken, and that nobody is
-- forgotten. The loop of these specs raises "deadlock" where one is.
local fixture = require "spec.support.fixture"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (by version)

describe("many coroutines on one client", function()
  it("each get what is theirs", function()
    local client, loop = fixture.connect({}, {
      SEND = function(server, frame)
        local i = frame.headers.destination:match("%d+")
        server:receipt(frame)
        server:message("s" .. i, i .. ":" .. frame.body)
      end,
    })
    local tasks, done = {}, 0
    for i = 1, 10 do
      tasks[i] = function()
        local subscription = assert(client:subscribe("/queue/" .. i, { id = "s" .. i }))
        for k = 1, 50 do
          assert(client:send("/queue/" .. i, tostring(k), nil, { confirm = k % 7 == 0 }))
          assert.equal(i .. ":" .. k, subscription:receive(5).body)
        end
        done = done + 1
      end
    end
    loop.run(unpack(tasks))
    assert.equal(10, done)
    assert.equal(1000, loop.now())
  end)

  it("go on when the one that pumped has what it wanted", function()
    local client, loop, net = fixture.connect()
    local a, b = client:subscribe("/queue/a"), client:subscribe("/queue/b")
    local times = {}
    loop.run(function()
      a:receive(10)
      times.a = loop.now()
    end, function()
      b:receive(10)
      times.b = loop.now()
    end, function()
      loop.sleep(1)
      net.server:message(a.id)
      loop.sleep(1)
      net.server:message(b.id)
    end)
    assert.same({ a = 1001, b = 1002 }, times)
  end)

  it("go on when the one that pumped gave up", function()
    local client, loop, net = fixture.connect()
    local a, b = client:subscribe("/queue/a"), client:subscribe("/queue/b")
    local got
    loop.run(function()
      fixture.failure("timeout", a:receive(1))
    end, function()
      got = b:receive(10)
    end, function()
      loop.sleep(3)
      net.server:message(b.id, "late")
    end)
    assert.equal("late", got.body)
    assert.equal(1003, loop.now())
  end)

  it("all hear of the end at once, the one that pumps too", function()
    for _, finish in ipairs { "close", "cut" } do
      local client, loop, net = fixture.connect({}, { SEND = false })
      local subscription = client:subscribe("/queue/a")
      local kinds = {}
      local function note(_, _, err) kinds[#kinds + 1] = err.kind .. loop.now() end
      loop.run(function() note(subscription:receive()) end,
        function() note(client:receive()) end,
        function() note(subscription:receive(90)) end,
        function() note(client:send("/queue/a", "", nil, { confirm = true })) end,
        function() note(client:flush(30)) end,
        function()
          loop.sleep(2)
          if finish == "close" then client:close() else net.server:close() end
        end)
      assert.same({ "closed1002", "closed1002", "closed1002", "closed1002", "closed1002" }, kinds)
    end
  end)

  it("share the messages of one subscription, none lost or doubled", function()
    local client, loop, net = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    local seen, n = {}, 0
    local function consume()
      for _ = 1, 100 do
        local body = assert(subscription:receive(5)).body
        assert.is_nil(seen[body])
        seen[body], n = true, n + 1
        if n % 13 == 0 then loop.sleep(0) end
      end
    end
    loop.run(consume, consume, consume, function()
      for i = 1, 300 do
        net.server:message(subscription.id, tostring(i))
        if i % 50 == 0 then loop.sleep(0.01) end
      end
    end)
    assert.equal(300, n)
  end)

  it("do not starve under a flood that one of them reads", function()
    local client, loop, net = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    local ticks, read = 0, 0
    for i = 1, 5000 do net.server:message(subscription.id, tostring(i)) end
    loop.run(function()
      for _ = 1, 5000 do
        subscription:receive()
        read = read + 1
      end
    end, function()
      while read < 5000 do
        loop.sleep(0)
        ticks = ticks + 1
      end
    end)
    assert.is_true(ticks > 10)
  end)
end)

describe("outside of tasks", function()
  it("a wait drives the loop, so that spawned tasks go on", function()
    local client, loop, net = fixture.connect()
    local a, b = client:subscribe("/queue/a"), client:subscribe("/queue/b")
    local got
    loop.spawn(function()
      got = b:receive(9).body
      net.server:message(a.id, "answer")
    end)
    loop.spawn(function()
      loop.sleep(1)
      net.server:message(b.id, "question")
    end)
    assert.equal("answer", a:receive(9).body)
    assert.equal("question", got)
  end)

  it("a plain generator inside a task may wait, and whoever drives below goes on", function()
    local client, loop, net = fixture.connect()
    local a, b = client:subscribe("/queue/a"), client:subscribe("/queue/b")
    local got, nested
    loop.spawn(function()
      loop.sleep(1)
      got = coroutine.wrap(function()
        nested = true -- main waits below, in the driving of this task
        return b:receive(5).body
      end)()
    end)
    local old = net.link.ready
    net.link.ready = function(link)
      if nested then
        nested = false
        net.server:message(a.id, "main's")
        net.server:message(b.id, "generator's")
      end
      return old(link)
    end
    assert.equal("main's", a:receive(9).body)
    assert.equal("generator's", got)
    assert.equal(1001, loop.now())
  end)

  it("an error of another task that tears a wait down loses no message later", function()
    local client, loop, net = fixture.connect()
    local subscription = client:subscribe("/queue/a")
    loop.spawn(function()
      loop.sleep(1)
      error("task failed", 0)
    end)
    local ok, message = pcall(subscription.receive, subscription, 5)
    assert.is_false(ok)
    assert.truthy(tostring(message):find("task failed", 1, true))
    net.server:message(subscription.id, "1")
    assert.equal("1", subscription:receive(1).body)
    local got
    loop.run(function() got = subscription:receive(5) end, function()
      loop.sleep(1)
      net.server:message(subscription.id, "2")
    end)
    assert.equal("2", got.body)
  end)
end)

describe("a full inbox", function()
  local function flooded()
    local client, loop, net = fixture.connect { limits = { inbox = 2000, inbox_hard = 8000 } }
    local reader = client:subscribe("/queue/read")
    client:subscribe("/queue/unread")
    return client, loop, net, reader
  end

  it("does not hold up a RECEIPT that lies behind it", function()
    local client, _, net, reader = flooded()
    for _ = 1, 15 do net.server:message("sub-2", ("x"):rep(100)) end
    fixture.failure("timeout", reader:receive(1))
    assert.is_true(net.link.held >= 2000 and net.link.held < 3000)
    assert(client:send("/queue/a", "", nil, { confirm = true }))
    assert.is_false(net.link.is_awaited)
  end)

  it("fails the wait beyond the hard limit, naming who does not read", function()
    local client, loop, net = flooded()
    for _ = 1, 90 do net.server:message("sub-2", ("x"):rep(100)) end
    local err = fixture.failure("limit", client:send("/queue/a", "", nil, { confirm = true }))
    assert.truthy(err.message:find("subscription sub-2 (/queue/unread", 1, true))
    assert.equal("unknown", err.outcome)
    assert.equal(1000, loop.now())
    assert.is_true(net.link.held < 9000)
    -- and reading goes on when somebody reads
    for _ = 1, 90 do assert(client:receive(1)) end
    assert(client:send("/queue/a", "", nil, { confirm = true }))
    assert.equal(0, net.link.held)
  end)

  it("stops a flood that a slow handler does not keep up with, and loses nothing", function()
    local client, loop, net = fixture.connect { limits = { inbox = 2000, inbox_hard = 4000 } }
    local n, most = 0, 0
    client:subscribe("/queue/a", function(message)
      n = n + 1
      assert(message.body == tostring(n))
      most = math.max(most, net.link.held)
      loop.sleep(0.01)
      if n == 200 then client:disconnect() end
    end)
    for i = 1, 200 do net.server:message("sub-1", tostring(i)) end
    assert.is_true(client:run())
    assert.equal(200, n)
    assert.is_true(most < 2500, most)
  end)
end)
