-- SPDX-License-Identifier: MIT
-- The I/O thread and the process: states that close, processes that exit or
-- fork while links are open. Each case is a process of its own that must exit
-- with 0 and say what is expected.
local wire = require "spec.support.wire"

local prelude = [[
local wire = require "spec.support.wire"
local lws = require "stomp.lws"
]]

local function says(expected, code, posix)
  local text, status = wire.script(prelude .. code, posix)
  assert.equal(expected, text)
  assert.equal(0, status)
end

describe("A process #process", function()
  it("ends with links in every state open", function()
    says("done\n", [[
      local client, server, listener = wire.pair()
      local waiting = wire.open(listener)
      local dialing = assert(lws.open { connect_host = "127.0.0.1", connect_port = listener:port() })
      local lost = assert(lws.open { connect_host = "no-such-host.invalid", connect_port = 1 })
      local closed = wire.pair()
      closed:close()
      server:send("MESSAGE", { subscription = "s", destination = "/q", ["message-id"] = 1 }, "x")
      print("done")
    ]])
  end)

  it("ends by os.exit without closing the state", function()
    says("done\n", [[
      local client, server = wire.pair()
      for i = 1, 20 do wire.open(wire.listen(), { secure = true, tls = { verify = false } }) end
      print("done")
      os.exit(0)
    ]])
  end)

  it("ends by os.exit with closing the state", function()
    says("done\n", [[
      local client, server = wire.pair()
      print("done")
      os.exit(0, true)
    ]])
  end)

  it("goes on when links are collected while open", function()
    says("true\n", [[
      local listener = wire.listen()
      for i = 1, 200 do
        wire.open(listener)
        local server = wire.accepted(listener)
        if i % 2 == 0 then wire.next(server) end
        server = nil
        if i % 10 == 0 then collectgarbage() end
      end
      collectgarbage()
      collectgarbage()
      local client = wire.open(listener)
      print(wire.next(wire.accepted(listener)).command == "CONNECT")
    ]])
  end)

  it("closes the sockets and events of links that are collected", function()
    says("true\n", [[
      local function count()
        local pipe = io.popen("ls /proc/$PPID/fd | wc -l")
        local n = tonumber(pipe:read("*a"))
        pipe:close()
        return n
      end
      local listener = wire.listen()
      local function some()
        for i = 1, 50 do
          local client = wire.open(listener)
          wire.next(wire.accepted(listener))
        end
        collectgarbage()
        collectgarbage()
      end
      local before = count()
      some()
      wire.await(function() return count() <= before end)
      print(true)
    ]])
  end)

  it("has an I/O thread only while a state uses it, and can start it again", function()
    says("0 1 0 1\n", [[
      local function threads()
        for line in io.lines("/proc/self/status") do
          local n = line:match("^Threads:%s*(%d+)")
          if n then return tonumber(n) end
        end
      end
      local registry = debug.getregistry()
      -- what lua_close does: the registry's holder is collected last
      local function let_go()
        local holder = registry["stomp.service"]
        debug.getmetatable(holder).__gc(holder)
      end
      wire.listen():close()
      let_go()
      local seen, base = {}, threads() -- a sanitizer has a thread of its own by now
      for i = 1, 2 do
        seen[#seen + 1] = threads() - base
        local listener = wire.listen()
        seen[#seen + 1] = threads() - base
        listener:close()
        let_go()
      end
      print(table.concat(seen, " "))
    ]])
  end)

  it("keeps its signals as they were, and takes none in the I/O thread", function()
    says("0 fffffffe7ffbfeff\n", [[
      local function signals(path, name)
        for line in io.lines(path .. "/status") do
          local set = line:match("^" .. name .. ":%s*(%x+)")
          if set then return set end
        end
      end
      local function ignores_sigpipe()
        return math.floor(tonumber(signals("/proc/self", "SigIgn"), 16) / 2 ^ 12) % 2
      end
      local before = ignores_sigpipe()
      local client, server = wire.pair()
      local pipe, thread = io.popen("ls /proc/$PPID/task"), nil
      for id in pipe:lines() do thread = id end -- the youngest
      pipe:close()
      print(ignores_sigpipe() - before .. " " .. signals("/proc/self/task/" .. thread, "SigBlk"))
    ]])
  end)
end)

describe("Without descriptors left", function()
  local function use_up(code)
    local text, status = wire.script(prelude .. [[
      local socket = require "socket"
      local listener = wire.listen()
      local client, server = wire.pair()
      local early = socket.tcp4()
      early:settimeout(10)
      local files, file = {}, nil
      repeat
        file = io.open("/dev/null")
        files[#files + 1] = file
      until not file
    ]] .. code, false, "ulimit -n 64;")
    assert.equal(0, status, text)
    return text
  end

  it("open says so", function()
    assert.equal("connect\nconnect: no connection: too many open files (no eventfd)\n", use_up [[
      local link, message, err = lws.open { connect_host = "127.0.0.1", connect_port = listener:port() }
      print(err.kind)
      print(message)
    ]])
  end)

  it("a listener sends its peers away, and takes them again later", function()
    assert.equal("closed\nCONNECT\n", use_up [[
      early:connect("127.0.0.1", listener:port())
      print((select(2, early:receive(1))))
      for _, file in ipairs(files) do file:close() end
      wire.open(listener)
      print(wire.next(wire.accepted(listener)).command)
    ]])
  end)

  it("open links go on", function()
    assert.equal("x\n", use_up [[
      client:send("SEND", { destination = "/q" }, "x")
      print(wire.next(server).body)
    ]])
  end)
end)

describe("The child of a fork #process", function()
  it("finds its parent's links dead and can open its own", function()
    says("child: closed closed true\nparent: true\n", [[
      local posix = require "posix"
      local client, server = wire.pair()
      server:send("MESSAGE", { subscription = "s", destination = "/q", ["message-id"] = 1 }, "x")
      io.stdout:flush()
      local pid = posix.fork()
      if pid == 0 then
        local _, _, err = client:next()
        local _, _, sent = client:send("SEND", { destination = "/q" }, "x")
        client:close()
        client:stats()
        client:awaiting(true)
        local mine, peer = wire.pair()
        mine:send("SEND", { destination = "/q" }, "of the child")
        local fine = wire.next(peer).body == "of the child"
        print("child: " .. err.kind .. " " .. sent.kind .. " " .. tostring(fine))
        os.exit(0, true)
      end
      local _, _, status = posix.wait(pid)
      client:send("SEND", { destination = "/q" }, "of the parent")
      local fine = wire.next(client).command == "MESSAGE" and wire.next(server).body == "of the parent"
      print("parent: " .. tostring(fine and status == 0))
    ]], true)
  end)

  it("may release frames that it took before", function()
    says("child: fine\nparent: 0\n", [[
      local posix = require "posix"
      local client, server = wire.pair({ limits = { inbox = 65536 } })
      local held = {}
      for i = 1, 20 do
        server:send("MESSAGE", { subscription = "s", destination = "/q", ["message-id"] = i }, ("x"):rep(4000))
      end
      while #held < 16 do
        local frame = wire.next(client)
        client:hold(frame)
        held[#held + 1] = frame
      end
      io.stdout:flush()
      local pid = posix.fork()
      if pid == 0 then
        local mine = wire.pair() -- an I/O thread of its own, which must not see the parent's link
        for _, frame in ipairs(held) do client:release(frame) end
        client:next()
        mine:close()
        wire.next(mine)
        print("child: fine")
        os.exit(0, true)
      end
      local _, _, status = posix.wait(pid)
      print("parent: " .. status)
    ]], true)
  end)
end)
