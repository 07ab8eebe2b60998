-- SPDX-License-Identifier: MIT
-- What holds on ActiveMQ Classic and on Artemis alike, beside the session suite.
--
--   suite({ it = it, after_each = after_each }, function() return broker end)
--
-- broker: of spec.support.activemq, started.
local assert = require "luassert"
local fixture = require "spec.support.fixture"
local stomp = require "stomp"

local PATIENCE = 20

local function suite(busted, broker_of)
  local it, after_each = busted.it, busted.after_each
  local clients, serial = {}, 0
  local suffix = tostring({}):match("%x+$")

  local function connect(options)
    local client, message, err = broker_of():connect(options)
    clients[#clients + 1] = client
    return client, message, err
  end

  local function fresh()
    serial = serial + 1
    return ("/queue/lua-stomp-%s-%d"):format(suffix, serial)
  end

  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    clients = {}
  end)

  it("does the main job in every version", function()
    for _, version in ipairs { "1.0", "1.1", "1.2" } do
      local client = assert(connect { versions = { version } })
      assert.equal(version, client.version)
      local prices, orders, log, acked = fresh(), fresh(), {}, 0
      local function ack(message, of)
        assert(message:ack())
        acked = acked + 1
        if acked == 4 then of:disconnect() end
      end
      assert(client:subscribe(prices, { id = "prices", ack = "client-individual", confirm = true },
        function(message, of)
          log[#log + 1] = ("%s %s"):format(message.subscription, message:json().symbol)
          assert(of:send(orders, { buy = message:json().symbol }, nil, { confirm = true }))
          ack(message, of)
        end))
      assert(client:subscribe(orders, { id = "orders", ack = "client", confirm = true }, function(message, of)
        log[#log + 1] = ("%s %s"):format(message.subscription, message:json().buy)
        ack(message, of)
      end))
      for _, symbol in ipairs { "LUA", "C" } do
        assert(client:send(prices, { symbol = symbol }, nil, { confirm = true }))
      end
      assert.is_true(client:run(PATIENCE))
      table.sort(log)
      assert.same({ "orders C", "orders LUA", "prices C", "prices LUA" }, log)
    end
  end)

  it("answers DISCONNECT with its RECEIPT", function()
    local done, how = assert(connect()):disconnect()
    assert.is_true(done)
    assert.is_nil(how)
  end)

  it("keeps NULs, escapes and texts of more than 64 KiB", function()
    local client, queue = assert(connect()), fresh()
    local subscription = assert(client:subscribe(queue, { confirm = true }))
    local body = ("a\0é"):rep(50000) -- 200 KB
    assert(client:send(queue, body, { text = "a:b\\c\nd é", empty = "", ["na:me"] = "v" }, { confirm = true }))
    local message = assert(subscription:receive(PATIENCE))
    assert.is_true(message.body == body)
    assert.same({ "a:b\\c\nd é", "", "v" },
      { message.headers.text, message.headers.empty, message.headers["na:me"] })
  end)

  it("keeps heart-beats over 20 s, idle and under load", function()
    local load = assert(connect { heartbeat = { send = 1, receive = 1 } })
    local idle = assert(connect { heartbeat = { send = 1, receive = 1 } })
    assert.same({ send = 1, receive = 1 }, idle.heartbeat)
    local queue, n = fresh(), 0
    assert(load:subscribe(queue, function() n = n + 1 end))
    local finish = stomp.now() + 21
    stomp.spawn(function()
      while stomp.now() < finish do
        for _ = 1, 50 do assert(load:send(queue, "x")) end
        assert(load:send(queue, "x", nil, { confirm = true }))
        stomp.sleep(0.005)
      end
    end)
    stomp.spawn(function() load:run(21) end)
    fixture.failure("timeout", idle:run(21))
    assert.is_true(n > 1000)
    assert(idle:send(queue, "still here", nil, { confirm = true }))
    assert(load:send(queue, "still here", nil, { confirm = true }))
    assert.is_true(idle:stats().heartbeats_received >= 18)
  end)

  it("says what is wrong with a login", function()
    for _, options in ipairs { { passcode = "wrong" }, { login = "nobody" } } do
      local err = fixture.failure("broker", connect(options))
      assert.is_true(err.permanent)
      assert.equal("options login and passcode", err.hint)
      local text = "or password is invalid"
      local _, times = err.message:gsub(text, "")
      assert.equal(1, times)
    end
  end)

  it("says that a permission is missing", function()
    local client = assert(connect { login = "reader", passcode = "reader" })
    local err = fixture.failure("broker", client:send(fresh(), "x", nil, { confirm = true }))
    assert.truthy(err.hint:find("permission", 1, true))
    assert.equal("SEND", err.after[1].command)
  end)

  it("answers 500 requests in flight at once", function()
    local service, queue = assert(connect()), fresh()
    assert(service:subscribe(queue, { confirm = true }, function(message)
      assert(message:reply("re " .. message.body))
    end))
    local client, done = assert(connect()), 0
    for i = 1, 500 do
      stomp.spawn(function()
        assert.equal("re " .. i, assert(client:request(queue, tostring(i), { timeout = PATIENCE })).body)
        done = done + 1
        if done == 500 then service:close() end
      end)
    end
    assert.is_true(service:run(PATIENCE))
    assert.equal(500, done)
  end)

  -- The broker is killed twice while one task a send waits for its RECEIPT and a
  -- consumer acknowledges.
  it("loses no confirmed message when it is killed and comes back", function()
    local broker, queue = broker_of(), fresh()
    local forever = { reconnect = { min = 0.1, max = 0.5 }, confirm_timeout = 120 }
    local sender, consumer = assert(connect(forever)), assert(connect(forever))
    local got, n_got, reconnects, safe = {}, 0, 0, 0
    consumer:on("reconnect", function() reconnects = reconnects + 1 end)
    assert(consumer:subscribe(queue, { ack = "client-individual", prefetch = 10, confirm = true },
      function(message)
        if not got[message.body] then n_got = n_got + 1 end
        got[message.body] = true
        message:ack() -- closed: it comes again
      end))
    stomp.spawn(function() consumer:run() end)
    local function send_until(n)
      while safe < n do
        safe = safe + 1
        assert(sender:send(queue, tostring(safe), nil, { confirm = true }))
      end
    end
    for round = 1, 2 do
      send_until(200 * round)
      broker:kill()
      broker:restart() -- takes seconds: attempts fail meanwhile
      send_until(200 * round + 100)
    end
    local deadline = stomp.now() + 60
    while n_got < safe and stomp.now() < deadline do consumer:receive(0.05) end
    for i = 1, safe do assert.is_true(got[tostring(i)], "lost: " .. i) end
    assert.equal(2, reconnects)
  end)
end

return suite
