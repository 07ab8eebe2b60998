-- SPDX-License-Identifier: MIT
-- stomp.tracer and stomp.replay: what a program did on the network in memory is
-- written down, and done again without it.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"

-- An open file in memory.
local function sheet(text)
  local file = { text = text or "" }
  function file:write(...)
    for _, piece in ipairs { ... } do self.text = self.text .. piece end
    return self
  end
  function file:lines() return self.text:gmatch("[^\n]+") end
  function file:flush() return self end
  return file
end

local function with(options, more)
  local all = {}
  for name, value in pairs(options) do all[name] = value end
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

-- The program under test: answers each order, and leaves.
local function program(url, options)
  local client = assert(stomp.connect(url, with(options, { login = "me", passcode = "secret" })))
  local orders = assert(client:subscribe("/queue/orders", { ack = "client-individual" }))
  for _ = 1, 2 do
    local order = assert(orders:receive(10))
    assert(client:send("/queue/done", { item = order.body, ok = true, n = 1 }, nil, { confirm = true }))
    assert(order:ack())
  end
  assert(client:disconnect())
end

local function run(name, options, script)
  local loop, net = fixture.net(script)
  local file = sheet()
  local tracer = assert(stomp.tracer(file, options))
  name("ws://broker.test/ws", { loop = loop, transport = net, proxy = false, trace = tracer })
  return file.text, net
end

local script = {
  SUBSCRIBE = function(server)
    server:message("sub-1", "a bicycle\0\255\\")
    server:message("sub-1", "a\nlamp")
  end,
}

local function recorded() return (run(program, { bodies = true }, script)) end

describe("stomp.tracer", function()
  it("writes a line an event: time, client, direction, the whole frame", function()
    local text = recorded()
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal("# lua-stomp trace 1 with bodies", lines[1])
    assert.equal([[0.000000 1 info connecting to ws://broker.test/ws]], lines[2])
    assert.equal([[0.000000 1 send CONNECT\nhost:/\nlogin:me\npasscode:[redacted]\n]]
      .. [[accept-version:1.0,1.1,1.2\nheart-beat:10000,10000\n\n\x00]], lines[3])
    assert.equal([[0.000000 1 receive MESSAGE\nack:a1\ndestination:/queue/a\nmessage-id:m1\n]]
      .. [[subscription:sub-1\ncontent-length:12\n\na bicycle\x00\xff\\\x00]], lines[6])
    assert.equal("0.000000 1 end clean", lines[#lines])
    assert.is_nil(text:find("secret", 1, true))
    assert.is_nil(text:find("[\128-\255]"))
  end)

  it("leaves bodies out unless asked", function()
    local text = run(program, nil, script)
    assert.truthy(text:find("# lua-stomp trace 1 without bodies\n", 1, true))
    assert.truthy(text:find([[content-length:10\n\n[12 bytes]\x00]], 1, true))
    assert.is_nil(text:find("bicycle", 1, true))
  end)

  it("hides the headers of option redact, whatever their case", function()
    local text = run(function(url, options)
      local client = assert(stomp.connect(url, with(options, { redact = { "X-Token" } })))
      client:send("/queue/a", "", { ["x-token"] = "hunter2", Authorization = "hunter2" })
      client:close()
    end, { bodies = true })
    assert.is_nil(text:find("hunter2", 1, true))
    assert.truthy(text:find([[x-token:[redacted]\n]], 1, true))
  end)

  it("numbers the clients that share it", function()
    local file = sheet()
    local tracer = assert(stomp.tracer(file))
    for _ = 1, 2 do fixture.connect({ trace = tracer }):close() end
    assert.truthy(file.text:find("\n0.000000 2 send CONNECT", 1, true))
    assert.equal("stomp.tracer a file (2 clients)", tostring(tracer))
    tracer:close()
    tracer:close()
    fixture.connect({ trace = tracer }):close() -- a closed one writes nothing
    assert.is_nil(file.text:find("\n0.000000 3 ", 1, true))
  end)

  it("is off after a write that failed, and the client goes on", function()
    local real, said = io.stderr, {}
    io.stderr = { write = function(_, ...) said[#said + 1] = table.concat { ... } end } -- luacheck: ignore 122
    local broken = { write = function(self)
      self.n = (self.n or 0) + 1
      if self.n == 1 then return self end
      return nil, "no space left"
    end }
    local client = fixture.connect { trace = assert(stomp.tracer(broken)) }
    local ok = client:send("/queue/a", "")
    io.stderr = real -- luacheck: ignore 122 (as it was)
    assert.is_true(ok)
    assert.equal(2, broken.n)
    assert.equal(1, #said)
    assert.truthy(said[1]:find("no space left", 1, true))
  end)

  it("refuses a file that cannot be opened, and what is no file", function()
    fixture.failure("invalid", stomp.tracer("/nowhere/at/all"))
    assert.has_error(function() stomp.tracer({}) end)
    assert.has_error(function() stomp.tracer(sheet(), { body = true }) end)
    local message = fixture.raised(function() stomp.connect("ws://h", { trace = {} }) end)
    assert.truthy(message:find("stomp.tracer", 1, true))
  end)
end)

describe("stomp.replay", function()
  local function replay(text, f, options)
    return stomp.replay(sheet(text), f, options)
  end

  it("agrees with the program that was recorded", function()
    local message, err
    local ok
    ok, message, err = replay(recorded(), program)
    assert.equal(nil, err and err.traceback or message)
    assert.is_true(ok)
  end)

  it("gives the program what came, byte by byte", function()
    local bodies = {}
    assert(replay(recorded(), function(url, options)
      program(url, with(options, { trace = function(direction, text)
        if direction == "receive" then bodies[#bodies + 1] = text:match("| (.*)") end
      end }))
    end))
    assert.same({ [[a bicycle\x00]] .. "\255\\", [[a\nlamp]] }, bodies)
  end)

  it("names the line, the frame and the first difference", function()
    local text = recorded()
    local function changed(from, to)
      local err = fixture.failure("handler", replay((text:gsub(from, to)), program))
      assert.truthy(err.message:find("trace line %d+: "), err.message)
      return err
    end
    local err = changed("destination:/queue/done", "destination:/queue/do_e")
    assert.truthy(err.message:find([[header destination: "/queue/do_e" expected, got "/queue/done"]], 1, true),
      err.message)
    assert.equal("/queue/do_e", err.expected.headers.destination)
    assert.equal("/queue/done", err.got.headers.destination)
    assert.truthy(changed("send CONNECT\\nhost:/", "send CONNECT\\nhost:/other").message:find("header host", 1, true))
    assert.truthy(changed("client%-individual", "client").message:find("header ack", 1, true))
    assert.truthy(changed('"ok":true', '"ok":null').message:find("body is another", 1, true))
  end)

  it("compares JSON by value", function()
    local text = recorded():gsub("({.-})", function(json)
      local item = json:match('"item":"(.-)"')
      return ('{ "n":1,"ok" :true,"item":"%s"}'):format(item:gsub("%%", "%%%%"))
    end)
    -- the lengths changed with the text
    text = text:gsub("content%-length:%d+\\n\\n{", "\\n{")
    assert.is_true(replay(text, program))
  end)

  it("tells what the program left out, and what it did too much", function()
    local err = fixture.failure("handler", replay(recorded(), function(url, options)
      local client = assert(stomp.connect(url, with(options, { login = "me", passcode = "x" })))
      client:close()
    end))
    assert.truthy(err.message:find("did not send SUBSCRIBE /queue/orders", 1, true), err.message)
    err = fixture.failure("handler", replay(recorded(), function(url, options)
      program(url, options)
      program(url, options)
    end))
    assert.truthy(err.message:find("connected once more", 1, true), err.message)
    local once = recorded():gsub("[^\n]* send SEND.*", "")
    err = fixture.failure("handler", replay(once, program))
    assert.truthy(err.message:find("sent SEND /queue/done, which is not in the trace", 1, true), err.message)
  end)

  it("hands out the program's own error with its traceback", function()
    local err = fixture.failure("handler", replay(recorded(), function() error("my mistake") end))
    assert.truthy(err.message:find("my mistake", 1, true))
    assert.truthy(err.traceback:find("replay_spec", 1, true))
  end)

  it("ends where nobody goes on", function()
    local err = fixture.failure("timeout", replay(recorded(), function(url, options)
      local client = assert(stomp.connect(url, with(options, { login = "me", passcode = "x" })))
      client:run()
    end, { loop = require "spec.support.fake_loop".new(), timeout = 5 }))
    assert.truthy(err.message:find("SUBSCRIBE /queue/orders was not sent within 5 s", 1, true), err.message)
  end)

  it("lets ignored headers differ, and answers with the program's values", function()
    local serial = 0
    local function ask(url, options)
      serial = serial + 1
      local client = assert(stomp.connect(url, options))
      local replies = assert(client:subscribe("/queue/replies"))
      local mine = "q-" .. serial
      assert(client:send("/queue/ask", "?", { ["correlation-id"] = mine }))
      assert(replies:receive(10).headers["correlation-id"] == mine)
      client:disconnect()
    end
    local text = run(ask, { bodies = true }, {
      SEND = function(server, frame)
        server:message("sub-1", "!", { ["correlation-id"] = frame.headers["correlation-id"] })
      end,
    })
    fixture.failure("handler", replay(text, ask))
    assert.is_true(replay(text, ask, { ignore = { "correlation-id" } }))
  end)

  it("replays an unclean end, and an ERROR", function()
    for _, last in ipairs {
      function(server) server:close(1000, "STOMP died") end,
      function(server) server:send("ERROR", { message = "no" }, "not here") end,
    } do
      local seen = {}
      local function watch(url, options)
        local client = assert(stomp.connect(url, options))
        client:send("/queue/a", "")
        local _, message = client:run(5)
        seen[#seen + 1] = message
      end
      local text = run(watch, { bodies = true }, { SEND = last })
      assert.is_true(replay(text, watch))
      assert.equal(2, #seen)
      assert.equal(seen[1], seen[2])
    end
  end)

  it("replays a lost connection and what was done on the next", function()
    local testing = require "stomp.testing"
    local world = testing.world { seed = 3 }
    local broker = world:broker()
    local function steady(url, options)
      local client = assert(stomp.connect(url, with(options, { reconnect = { min = 0.01, max = 0.02 } })))
      local queue = assert(client:subscribe("/queue/a", { ack = "client-individual", confirm = true }))
      for _ = 1, 2 do
        assert(client:send("/queue/a", "x", nil, { confirm = true, timeout = 5 }))
        assert(queue:receive(5):ack())
        world.network:cut()
      end
      assert(client:send("/queue/a", "last", nil, { confirm = true, timeout = 5 }))
      assert.equal(2, client:stats().reconnects)
      client:disconnect()
    end
    local file = sheet()
    local tracer = assert(stomp.tracer(file, { bodies = true }))
    world:run(steady, broker.url, world:options { trace = tracer })
    local _, n = file.text:gsub(" end closed: ", "")
    assert.equal(2, n, file.text)
    assert.is_true(replay(file.text, steady))
  end)

  it("takes the time that was recorded where it is asked to", function()
    local loop = require "spec.support.fake_loop".new()
    local text = recorded():gsub("\n0%.0+ 1 receive MESSAGE", "\n40.000000 1 receive MESSAGE")
    local _, message = replay(text, function(url, options)
      local began = loop.now()
      local client = assert(stomp.connect(url, with(options, { login = "me", passcode = "x" })))
      local orders = assert(client:subscribe("/queue/orders", { ack = "client-individual" }))
      fixture.failure("timeout", orders:receive(19))
      assert(orders:receive(2))
      assert.equal(20, loop.now() - began)
      client:send("/queue/done", { item = "a bicycle\0\255\\", ok = true, n = 1 }, nil, { confirm = true })
    end, { loop = loop, speed = 2, timeout = 60 })
    assert.truthy(message:find("the program did not send ACK", 1, true), message) -- it leaves the rest out
  end)

  it("checks a trace without a program", function()
    local text = recorded()
    assert.is_true(replay(text))
    local function broken(from, to, words)
      local err = fixture.failure("invalid", replay((text:gsub(from, to, 1))))
      assert.truthy(err.message:find(words, 1, true), err.message)
    end
    broken("# lua", "# moon", "line 1: no lua-stomp trace")
    broken("send SUBSCRIBE", "sent SUBSCRIBE", "line 5: time, client and send")
    broken("SUBSCRIBE\\n", "SUBSCRIBE\\q", "line 5: undefined escape")
    broken("send SUBSCRIBE\\n[^\n]*", "send SUBSCRIBE\\n", "line 5: the frame is not whole")
    broken("send SUBSCRIBE\\nack", "send SUBSCRIBE\\nac k\\nack", "header line without a colon")
    broken("send SUBSCRIBE[^\n]*", "send COMMIT\\ntransaction:t\\n\\n\\x00", "line 5: invalid:")
    broken("receive CONNECTED[^\n]*", "receive RECEIPT\\nreceipt-id:x\\n\\n\\x00", "line 4: protocol:")
    fixture.failure("invalid", stomp.replay("/nowhere/at/all"))
    fixture.failure("invalid", replay(run(program, nil, script), program))
    fixture.failure("invalid", replay(text, program, { client = 2 }))
  end)
end)
