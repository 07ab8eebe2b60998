-- SPDX-License-Identifier: MIT
-- The client and RabbitMQ with Web STOMP.
local fixture = require "spec.support.fixture"
local rabbitmq = require "spec.support.rabbitmq"
local stomp = require "stomp"
local suite = require "spec.support.session_suite"

describe("on RabbitMQ a client #broker", function()
  suite({ it = it, after_each = after_each }, function() return rabbitmq.url(), rabbitmq.login, rabbitmq.passcode end)

  local function connect(options)
    local all = { login = rabbitmq.login, passcode = rabbitmq.passcode, proxy = false }
    for name, value in pairs(options or {}) do all[name] = value end
    return stomp.connect(rabbitmq.url(), all)
  end

  it("is told of a close 1000 without ERROR as an unclean end", function()
    local client = assert(connect())
    local _, message, err = client:subscribe("/exchange/missing/key", { confirm = true, timeout = 10 })
    if err.kind == "closed" then -- before 3.10.14 and 3.11.7; later an ERROR says it
      assert.truthy(message:find("see the broker's log", 1, true))
    else
      assert.equal("broker", err.kind)
    end
    assert.equal("SUBSCRIBE", err.after[1].command)
    assert.equal("/exchange/missing/key", err.after[1].destination)
  end)

  it("does not call a transaction safe at COMMIT's RECEIPT", function()
    local client = assert(connect())
    local t = assert(client:begin())
    assert(t:send("/exchange/missing/key", "x", nil, { confirm = true }))
    local _, _, err = t:commit { timeout = 10 }
    assert.truthy(err.kind == "closed" or err.kind == "broker") -- as above
    assert.equal("unknown", err.outcome)
    fixture.failure("closed", client:begin())
  end)

  it("fails for a virtual host that is not there", function()
    local err = fixture.failure("broker", connect { host = "localhost" })
    assert.truthy(err.message:find("localhost", 1, true))
  end)

  it("fails with upgrade where no STOMP is served", function()
    local url = rabbitmq.url():gsub("/ws$", "/nowhere")
    local err = fixture.failure("upgrade", stomp.connect(url, { proxy = false }))
    assert.equal(404, err.status)
  end)

  it("works in tasks of stomp.run, too", function()
    local bodies = {}
    local result = stomp.run(function()
      local client = assert(connect())
      local queue = "/queue/lua-stomp-spec-run-" .. os.time()
      local subscription = assert(client:subscribe(queue, { confirm = true }))
      stomp.spawn(function()
        for i = 1, 3 do assert(client:send(queue, tostring(i), nil, { confirm = true })) end
      end)
      for i = 1, 3 do bodies[i] = assert(subscription:receive(10)).body end
      return client:disconnect()
    end)
    assert.is_true(result)
    assert.same({ "1", "2", "3" }, bodies)
  end)

  -- lua/stomp/proof.lua; the simulation and `make cluster` show what it is for
  it("sends the first confirmed message to a destination alone after a loss", function()
    local queue, told = "/queue/lua-stomp-spec-first-" .. os.time(), {}
    stomp.run(function()
      local is_back
      local client = assert(connect {
        reconnect = { min = 0.1, max = 0.1 }, on_reconnect = function() is_back = true end,
      })
      rabbitmq.ctl "close_all_connections spec"
      while not is_back do fixture.failure("timeout", client:run(0.05)) end
      client:on("sent", function(command, _, body)
        if command == "SEND" then told[#told + 1] = body end
      end)
      client:on("receipt", function() told[#told + 1] = "RECEIPT" end)
      for i = 1, 3 do
        stomp.spawn(function() assert(client:send(queue, i .. "", nil, { confirm = true })) end)
      end
      stomp.sleep(0)
      assert(client:flush())
      assert(client:disconnect())
    end)
    local text = table.concat(told, " ")
    assert.truthy(text:find("^1 RECEIPT 2 "), text)
  end)

  it("speaks all three versions", function()
    for _, version in ipairs { "1.0", "1.1", "1.2" } do
      local client = assert(connect { versions = { version } })
      assert.equal(version, client.version)
      local queue = ("/queue/lua-stomp-spec-%s-%d"):format(version, os.time())
      local subscription = assert(client:subscribe(queue, { ack = "client-individual" }))
      assert(client:send(queue, "x", nil, { confirm = true }))
      assert(assert(subscription:receive(10)):ack())
      assert(client:disconnect())
    end
  end)

  it("carries large JSON both ways, compressed", function()
    local rows = {}
    for i = 1, 2000 do
      rows[i] = { id = i, symbol = "LUA-" .. i % 17, price = i * 107 % 1300, side = i % 3 == 0 and "buy" or "sell" }
    end
    local queue, sizes = "/queue/lua-stomp-spec-compressed-" .. os.time(), {}
    for _, compression in ipairs { true, false } do
      local client = assert(connect { compression = compression })
      assert.equal(compression, client.compression)
      local subscription = assert(client:subscribe(queue, { ack = "client-individual", confirm = true }))
      for _ = 1, 5 do
        assert(client:send(queue, rows, nil, { confirm = true }))
        local message = assert(subscription:receive(10))
        assert.same(rows[1999], assert(message:json())[1999])
        assert.is_true(message:ack())
      end
      local stats = client:stats()
      sizes[compression] = { stats.bytes_sent, stats.bytes_received }
      assert(client:disconnect())
    end
    for i = 1, 2 do assert.is_true(sizes[true][i] * 3 < sizes[false][i], sizes[true][i]) end
  end)
end)
