-- SPDX-License-Identifier: MIT
-- What a client does with a real broker over the real transport: the same cases
-- for the embedded one and the others.
--
--   suite({ it = it, after_each = after_each },
--     function() return url, login, passcode end, except)
--
-- except: the names of cases that are not so on this broker, and why.
local assert = require "luassert"
local fixture = require "spec.support.fixture"
local stomp = require "stomp"

-- All messages of a queue alike: ActiveMQ keeps no order between persistent and
-- other ones.
local DURABLE = { persistent = "true" }

local function suite(busted, broker, except)
  local after_each = busted.after_each
  local left = {}
  for name in pairs(except or {}) do left[name] = true end
  local function it(name, f)
    if left[name] then left[name] = nil else busted.it(name, f) end
  end
  local clients, serial = {}, 0
  local prefix = ("/queue/lua-stomp-spec-%d-%s-"):format(os.time(), tostring({}):match("%x+$"))

  local function connect(options)
    local url, login, passcode = broker()
    local all = { login = login, passcode = passcode, proxy = false }
    for name, value in pairs(options or {}) do all[name] = value end
    local client = assert(stomp.connect(url, all))
    clients[#clients + 1] = client
    return client
  end

  -- A queue that no other case knows.
  local function fresh()
    serial = serial + 1
    return prefix .. serial
  end

  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    clients = {}
  end)

  it("takes confirmed messages and gives them back in order", function()
    local client, queue = connect(), fresh()
    for i = 1, 200 do assert(client:send(queue, tostring(i), DURABLE, { confirm = i % 50 == 0 })) end
    local subscription = assert(client:subscribe(queue, { ack = "client", confirm = true }))
    for i = 1, 200 do
      local message = assert(subscription:receive(10))
      assert.equal(tostring(i), message.body)
      if i % 20 == 0 then assert(message:ack()) end
    end
    assert(client:disconnect())
  end)

  it("keeps bodies of any bytes and headers of any text", function()
    local client, queue = connect(), fresh()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    local body = table.concat(bytes):rep(1024)
    local subscription = assert(client:subscribe(queue))
    assert(client:send(queue, body, { text = "a:b\\c\nd é", empty = "" }))
    assert(client:send(queue, ""))
    assert(client:send(queue, { list = { 1, 2 }, text = "é" }))
    local message = assert(subscription:receive(10))
    assert.is_true(message.body == body)
    assert.equal("a:b\\c\nd é", message.headers.text)
    assert.equal("", message.headers.empty)
    assert.equal("", assert(subscription:receive(10)).body)
    assert.same({ list = { 1, 2 }, text = "é" }, assert(subscription:receive(10)):json())
  end)

  it("serves ten tasks that share one client", function()
    local client, done = connect(), 0
    for _ = 1, 10 do
      stomp.spawn(function()
        local queue = fresh()
        local subscription = assert(client:subscribe(queue, { ack = "client-individual" }))
        for k = 1, 30 do
          assert(client:send(queue, tostring(k), nil, { confirm = k % 3 == 0 }))
          local message = assert(subscription:receive(10))
          assert(message.body == tostring(k))
          assert(message:ack())
        end
        done = done + 1
        if done == 10 then assert(client:disconnect()) end
      end)
    end
    assert.is_true(client:run(30))
    assert.equal(10, done)
  end)

  it("hands messages to handlers that send, fail and disconnect", function()
    local failures, log = {}, {}
    local client = connect { on_error = function(_, err) failures[#failures + 1] = err end }
    local questions, answers = fresh(), fresh()
    assert(client:subscribe(answers, function(message, of)
      log[#log + 1] = message.body
      if #log == 4 then of:disconnect() end
    end))
    assert(client:subscribe(questions, { ack = "client" }, function(message, of)
      assert(message:ack())
      if message.body == "3" then error("no answer to 3") end
      assert(of:send(answers, message.body, nil, { confirm = true }))
    end))
    for i = 1, 5 do assert(client:send(questions, tostring(i))) end
    assert.is_true(client:run(20))
    assert.same({ "1", "2", "4", "5" }, log)
    assert.equal(1, #failures)
    assert.equal("handler", failures[1].kind)
  end)

  it("gives what was not acknowledged to the next one", function()
    local queue = fresh()
    local first, second = connect(), connect()
    local subscription = assert(first:subscribe(queue, { ack = "client-individual", confirm = true }))
    for i = 1, 3 do assert(first:send(queue, tostring(i), nil, { confirm = true })) end
    local messages = {}
    for i = 1, 3 do messages[i] = assert(subscription:receive(10)) end
    assert(messages[2]:ack())
    assert(first:disconnect())
    fixture.failure("closed", messages[1]:ack())
    local other = assert(second:subscribe(queue))
    local one, three = assert(other:receive(10)), assert(other:receive(10))
    assert.same({ "1", "3", true, true }, { one.body, three.body, one.redelivered, three.redelivered })
    fixture.failure("timeout", other:receive(0.2))
  end)

  it("hands out no more than the prefetch", function()
    local client, queue = connect(), fresh()
    for i = 1, 3 do assert(client:send(queue, tostring(i), nil, { confirm = true })) end
    local subscription = assert(client:subscribe(queue, { ack = "client-individual", prefetch = 1 }))
    local message = assert(subscription:receive(10))
    fixture.failure("timeout", subscription:receive(0.3))
    assert(message:ack())
    assert.equal("2", assert(subscription:receive(10)).body)
  end)

  it("confirms 10,000 sends of one script with one flush", function()
    local client, queue = connect { heartbeat = { send = 0 } }, fresh()
    for i = 1, 10000 do assert(client:send(queue, tostring(i), nil, { confirm = "later" })) end
    assert(client:flush(60))
    assert.equal(0, client:stats().receipts_outstanding)
    local subscription = assert(connect():subscribe(queue, { ack = "auto" }))
    for i = 1, 10000 do assert(assert(subscription:receive(20)).body == tostring(i)) end
    assert(client:disconnect())
  end)

  it("commits a transaction when all of it is safe, and aborts one", function()
    local client, queue = connect(), fresh()
    local subscription = assert(client:subscribe(queue, { ack = "client-individual", confirm = true }))
    local kept, undone = assert(client:begin()), assert(client:begin())
    for i = 1, 3 do
      assert(kept:send(queue, "kept " .. i, nil, { confirm = true }))
      assert(undone:send(queue, "undone " .. i, nil, { confirm = true }))
    end
    fixture.failure("timeout", subscription:receive(0.2))
    assert(undone:abort())
    assert(kept:commit())
    for i = 1, 3 do assert.equal("kept " .. i, assert(subscription:receive(10)).body) end
    fixture.failure("timeout", subscription:receive(0.2))
    assert(client:flush(10))
    assert(client:send(queue, "afterwards", nil, { confirm = true }))
  end)

  it("acknowledges in a transaction: at COMMIT, not after ABORT", function()
    local client, queue = connect(), fresh()
    for i = 1, 2 do assert(client:send(queue, tostring(i), DURABLE, { confirm = i == 2 })) end
    local subscription = assert(client:subscribe(queue, { ack = "client-individual" }))
    local one, two = assert(subscription:receive(10)), assert(subscription:receive(10))
    local undone, kept = assert(client:begin()), assert(client:begin())
    assert(undone:ack(one))
    assert(kept:ack(two))
    assert(undone:abort())
    assert(kept:commit { confirm = true })
    assert(client:disconnect())
    local again = assert(connect():subscribe(queue, { ack = "client-individual" }))
    local message = assert(again:receive(10))
    assert.same({ "1", true }, { message.body, message.redelivered })
    assert(message:ack())
    fixture.failure("timeout", again:receive(0.2))
  end)

  it("runs several handlers at a time, equal keys in order, and unsubscribes meanwhile", function()
    local client, queue = connect(), fresh()
    for i = 1, 40 do
      assert(client:send(queue, tostring(i), { key = i % 5, persistent = "true" }, { confirm = i == 40 }))
    end
    local inside, most, last, acked, subscription = 0, 0, {}, 0, nil
    local options = { ack = "client-individual", concurrency = 4, order_by = "key", prefetch = 10 }
    subscription = assert(client:subscribe(queue, options, function(message)
      inside = inside + 1
      most = math.max(most, inside)
      stomp.sleep(0.005)
      local key, n = message.headers.key, tonumber(message.body)
      assert(n > (last[key] or 0))
      last[key], acked, inside = n, acked + 1, inside - 1
      assert(message:ack())
      if acked == 20 then assert(subscription:unsubscribe { confirm = true }) end
    end))
    while acked < 20 or inside > 0 do client:receive(0.05) end
    assert.equal(4, most)
    assert(client:disconnect())
    local rest = assert(connect():subscribe(queue))
    for _ = acked + 1, 40 do assert(rest:receive(10)) end
    fixture.failure("timeout", rest:receive(0.2))
  end)

  it("drains: handlers finish, the rest comes to another, nothing is lost", function()
    local client, queue = connect(), fresh()
    for i = 1, 30 do assert(client:send(queue, tostring(i), nil, { confirm = i == 30 })) end
    local handled, begun = {}, 0
    local options = { ack = "client-individual", concurrency = 3, prefetch = 10 }
    assert(client:subscribe(queue, options, function(message)
      begun = begun + 1
      if begun == 10 then stomp.spawn(function() assert(client:drain(20)) end) end
      stomp.sleep(0.01)
      assert(client:send(queue .. "-done", message.body, nil, { confirm = true }))
      assert(message:ack())
      handled[message.body] = true
    end))
    assert.is_true(client:run(20))
    local rest = assert(connect():subscribe(queue))
    local n = 0
    for _ in pairs(handled) do n = n + 1 end
    assert.equal(begun, n)
    for _ = n + 1, 30 do
      local message = assert(rest:receive(10))
      assert.is_nil(handled[message.body])
      handled[message.body] = true
    end
    fixture.failure("timeout", rest:receive(0.2))
  end)

  it("asks and answers, many at once, in every version", function()
    local service, queue = connect(), fresh()
    assert(service:subscribe(queue, { confirm = true }, function(message)
      assert(message:reply({ square = (tonumber(message.body) or 0) ^ 2 }))
    end))
    local done = 0
    for _, version in ipairs { "1.0", "1.1", "1.2" } do
      local client = connect { versions = { version } }
      for i = 1, 20 do
        stomp.spawn(function()
          local reply = assert(client:request(queue, tostring(i), { timeout = 20 }))
          assert(reply:json().square == i ^ 2)
          done = done + 1
          if done == 60 then service:close() end
        end)
      end
    end
    assert.is_true(service:run(30))
    assert.equal(60, done)
  end)

  it("counts the reply that comes too late", function()
    local client, service, queue = connect(), connect(), fresh()
    local questions = assert(service:subscribe(queue, { confirm = true }))
    fixture.failure("timeout", client:request(queue, "?", { timeout = 0.2 }))
    assert(assert(questions:receive(10)):reply("!"))
    assert(service:disconnect())
    local deadline = stomp.now() + 10
    while client:stats().late_replies == 0 and stomp.now() < deadline do client:receive(0.05) end
    assert.equal(1, client:stats().late_replies)
  end)

  it("refuses a wrong passcode for good", function()
    local url, login = broker()
    local err = fixture.failure("broker", stomp.connect(url, { login = login, passcode = "wrong", proxy = false }))
    assert.is_true(err.permanent)
    assert.equal("ERROR", err.frame.command)
  end)

  it("ends an unknown destination with an error that names the frame", function()
    local client = connect()
    assert(client:send("/no-such-kind/a", "x"))
    local err = fixture.failure("broker", client:run(10))
    assert.equal("SEND", err.after[1].command)
    assert.equal("/no-such-kind/a", err.after[1].destination)
    fixture.failure("closed", client:send("/queue/a", "x"))
  end)

  it("keeps a connection whose script computes for longer than the heart-beats", function()
    local client, queue = connect { heartbeat = { send = 1, receive = 1 } }, fresh()
    if client.server:find("^lua%-stomp") then return end -- it computes with us
    assert.same({ send = 1, receive = 1 }, client.heartbeat)
    local finish = stomp.now() + 3.5
    while stomp.now() < finish do fresh() end
    assert(client:send(queue, "still here", nil, { confirm = true }))
  end)

  it("lets a slow reader stop the flood, without losing anything", function()
    -- no beats: RabbitMQ's flow control crashes its own heart-beat receiver
    local sender, queue = connect { heartbeat = { send = 0 } }, fresh()
    local body = ("x"):rep(1000)
    local reader = connect { limits = { inbox = 65536, inbox_hard = 16777216 } }
    local subscription = assert(reader:subscribe(queue, { ack = "auto", confirm = true }))
    for i = 1, 2000 do assert(sender:send(queue, i .. body, nil, { confirm = i == 2000 })) end
    assert(reader:send(queue .. "-other", "not behind the flood", nil, { confirm = true, timeout = 10 }))
    for i = 1, 2000 do assert(assert(subscription:receive(10)).body == i .. body) end
    fixture.failure("timeout", subscription:receive(0))
    assert.equal(0, reader:stats().inbox_bytes)
  end)

  assert(next(left) == nil, "no such case: " .. tostring(next(left)))
end

return suite
