-- SPDX-License-Identifier: MIT
-- The whole stack over real sockets against the embedded broker: the I/O thread,
-- both doors of the loop, and the ways a program can leave a connection open.
local broker = require "stomp.broker"
local stomp = require "stomp"
local wire = require "spec.support.wire"

local slow = os.getenv("STOMP_TEST_SLOW") and 5 or 1

-- A Lua program in a process of its own: exit status and what it wrote.
local function run(program)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(program)
  file:close()
  local command = "LUA_PATH='lua/?.lua;lua/?/init.lua;./?.lua;;' LUA_CPATH='%s' timeout 60 %s %s 2>&1;"
    .. " echo status $?"
  local pipe = assert(io.popen(command:format(package.cpath, wire.interpreter(), path)))
  local text = pipe:read("*a")
  pipe:close()
  os.remove(path)
  return tonumber(text:match("status (%d+)%s*$")), text
end

describe("a client of the embedded broker", function()
  local server

  before_each(function() server = assert(broker.listen("ws://127.0.0.1:0/ws")) end)
  after_each(function() server:close() end)

  it("works in a plain script", function()
    local client = assert(stomp.connect(server.url))
    local subscription = assert(client:subscribe("/topic/a"))
    assert(client:send("/topic/a", "x\0y", { note = "a:b\nc\\d" }))
    local message = assert(subscription:receive(5))
    assert.equal("x\0y", message.body)
    assert.equal("a:b\nc\\d", message.headers.note)
    assert.is_true(client:disconnect())
    assert.equal("closed", client.state)
  end)

  it("works in a task of stomp.run", function()
    local body = stomp.run(function()
      local client = assert(stomp.connect(server.url))
      local subscription = assert(client:subscribe("/queue/run"))
      assert(client:send("/queue/run", { a = 1 }, nil, { confirm = true }))
      local value = assert(subscription:receive(5)):json()
      assert(client:disconnect())
      server:close()
      return value
    end)
    assert.same({ a = 1 }, body)
  end)

  it("is shared by ten tasks, and one that waits does not stop the others", function()
    local got = stomp.run(function()
      local client = assert(stomp.connect(server.url))
      local silent = assert(client:subscribe("/topic/silent"))
      local done, n = 0, 0
      stomp.spawn(function() assert(not silent:receive(30)) end)
      for i = 1, 10 do
        stomp.spawn(function()
          local mine = assert(client:subscribe("/queue/shared-" .. i, { confirm = true }))
          for k = 1, 20 do
            assert(client:send("/queue/shared-" .. i, i .. ":" .. k, nil, { confirm = true }))
            local message = assert(mine:receive(10))
            assert.equal(i .. ":" .. k, message.body)
            n = n + 1
          end
          done = done + 1
          if done == 10 then
            assert(client:disconnect())
            server:close()
          end
        end)
      end
      assert(client:run(60))
      return n
    end)
    assert.equal(200, got)
  end)

  it("keeps its heart-beats while the script computes for 3 s", function()
    -- both sides' links live on the I/O thread: the broker's would have noticed
    -- a client that is silent for two seconds, and the client's the broker
    local strict = assert(broker.listen("ws://127.0.0.1:0/ws", { heartbeat = { send = 1, receive = 1 } }))
    local client = assert(stomp.connect(strict.url, { heartbeat = { send = 1, receive = 1 } }))
    assert.same({ send = 1, receive = 1 }, client.heartbeat)
    local stop = stomp.now() + 3
    while stomp.now() < stop do end -- luacheck: ignore 542 (computes)
    local stats = client:stats()
    assert.is_true(stats.heartbeats_sent >= 3)
    assert.is_true(stats.heartbeats_received >= 2)
    assert(client:send("/queue/a", "alive", nil, { confirm = true }))
    assert.equal(1, strict:stats().sessions)
    assert.is_true(client:disconnect())
    strict:close()
  end)

  it("reports an error in a handler with its traceback and lives on", function()
    local client = assert(stomp.connect(server.url))
    local errors, bodies = {}, {}
    client:on("error", function(message, err) errors[#errors + 1] = { message, err } end)
    assert(client:subscribe("/queue/h", {}, function(message)
      bodies[#bodies + 1] = message.body
      if #bodies == 1 then error("first one fails") end
    end))
    for i = 1, 3 do assert(client:send("/queue/h", tostring(i), nil, { confirm = true })) end
    local deadline = stomp.now() + 5
    while #bodies < 3 and stomp.now() < deadline do client:run(0.02) end
    assert.same({ "1", "2", "3" }, bodies)
    assert.equal(1, #errors)
    assert.equal("handler", errors[1][2].kind)
    assert.matches("first one fails", errors[1][1])
    assert.matches("traceback", errors[1][2].traceback)
    assert.is_true(client:disconnect())
  end)

  it("confirms a send from a handler while the inbox is full", function()
    local client = assert(stomp.connect(server.url, { limits = { inbox = 65536, inbox_hard = 8388608 } }))
    local confirmed, seen = nil, 0
    assert(client:subscribe("/topic/flood", {}, function(_, of)
      seen = seen + 1
      if seen == 1 then confirmed = { of:send("/queue/other", "x", nil, { confirm = true, timeout = 20 * slow }) } end
    end))
    local other = assert(stomp.connect(server.url))
    local body = ("x"):rep(1000)
    for _ = 1, 2000 do assert(other:send("/topic/flood", body)) end
    local deadline = stomp.now() + 30 * slow
    while (seen < 2000 or not confirmed) and stomp.now() < deadline do client:run(0.05) end
    assert.is_true(confirmed and confirmed[1], confirmed and confirmed[2])
    assert.equal(2000, seen)
    client:close()
    other:close()
  end)

  it("fails that send with kind limit when the RECEIPT lies beyond the hard limit", function()
    local client = assert(stomp.connect(server.url, { limits = { inbox = 65536, inbox_hard = 131072 } }))
    local failure
    assert(client:subscribe("/topic/flood", {}, function(_, of)
      failure = failure or { of:send("/queue/other", "x", nil, { confirm = true, timeout = 20 * slow }) }
    end))
    local other = assert(stomp.connect(server.url))
    local body = ("x"):rep(1000)
    for _ = 1, 2000 do assert(other:send("/topic/flood", body)) end
    local deadline = stomp.now() + 30 * slow
    while not failure and stomp.now() < deadline do client:run(0.05) end
    assert.is_nil(failure[1])
    assert.equal("limit", failure[3].kind)
    assert.matches("/topic/flood", failure[2])
    client:close()
    other:close()
  end)
end)

describe("the collector", function()
  it("closes a client that was left to it", function()
    local server = assert(broker.listen("ws://127.0.0.1:0/ws"))
    do
      local client = assert(stomp.connect(server.url))
      assert(client:subscribe("/topic/a"))
      assert.equal(1, server:stats().sessions)
    end
    local deadline = stomp.now() + 10
    while server:stats().sessions > 0 and stomp.now() < deadline do
      collectgarbage()
      stomp.sleep(0.01)
    end
    assert.equal(0, server:stats().sessions)
    server:close()
  end)
end)

describe("a process that ends with a client open #process", function()
  local prologue = [[
    local stomp = require "stomp"
    local server = assert(require "stomp.broker".listen("ws://127.0.0.1:0/ws"))
    local client = assert(stomp.connect(server.url))
    local subscription = assert(client:subscribe("/queue/a"))
    assert(client:send("/queue/a", "x"))
  ]]

  it("ends without a word", function()
    local status, text = run(prologue)
    assert.equal(0, status, text)
  end)

  it("ends by os.exit inside a handler, with and without closing the state", function()
    for _, how in ipairs { "os.exit(7)", "os.exit(7, true)" } do
      local status, text = run(prologue .. [[
        client:subscribe("/queue/b", {}, function() ]] .. how .. [[ end)
        client:send("/queue/b", "x")
        client:run(10)
      ]])
      assert.equal(7, status, text)
    end
  end)

  it("ends by an error through a <close>", function()
    local status, text = run(prologue .. [[
      do
        local c <close> = assert(stomp.connect(server.url))
        local s <close> = assert(c:subscribe("/queue/c"))
        error("thrown")
      end
    ]])
    assert.equal(1, status, text)
    assert.matches("thrown", text)
  end)

  it("may close everything twice", function()
    local status, text = run(prologue .. [[
      client:close() client:close()
      assert(client:disconnect())
      server:close() server:close()
      subscription:unsubscribe()
    ]])
    assert.equal(0, status, text)
  end)
end)
