-- SPDX-License-Identifier: MIT
-- When, how often and where to a client connects again.
local fixture = require "spec.support.fixture"
local stomp = require "stomp"

local connect = fixture.reconnecting

describe("attempts to reconnect", function()
  it("come at growing distances, capped, and begin anew after a while", function()
    local times = {}
    local client, loop, net = connect {
      before_connect = function(attempt) times[#times + 1] = attempt.number end,
    }
    net.server:close(1000)
    net.refuse = 6
    local start = loop.now()
    loop.run(function() client:receive(100) end)
    assert.equal(1 + 2 + 4 + 8 + 8 + 8 + 8, 39)
    assert.same({ 1, 1, 2, 3, 4, 5, 6, 7 }, times)
    assert.equal(1100, loop.now())
    assert.is_true(net.server.link.connection ~= nil and start == 1000)
    net.server:close(1000)
    loop.run(function() client:receive(1.5) end)
    assert.equal("connected", client.state) -- after 1 s again
  end)

  it("do not begin anew where the connection does not last", function()
    local client, loop, net = connect({ reconnect = { min = 1, max = 100, jitter = 0 } })
    local ups = {}
    client:on("reconnect", function()
      ups[#ups + 1] = loop.now() - 1000
      if #ups < 5 then net.server:close(1000) end
    end)
    net.server:close(1000)
    loop.run(function() client:receive(60) end)
    assert.same({ 1, 3, 7, 15, 31 }, ups)
  end)

  it("end after `attempts`, with the last error", function()
    local client, loop, net = connect { reconnect = { min = 1, jitter = 0, attempts = 3 } }
    local closed
    client:on("close", function(clean, message, err) closed = { clean, message, err } end)
    net.server:close(1000)
    net.refuse = 9
    local ok, message, err = client:run()
    fixture.failure("connect", ok, message, err)
    assert.equal(3, err.attempts)
    assert.same({ false, message, err }, closed)
    assert.equal("closed", client.state)
    assert.equal(1007, loop.now())
  end)

  it("end after max_time", function()
    local client, loop, net = connect { reconnect = { min = 1, max = 1, jitter = 0, max_time = 10 } }
    net.server:close(1000)
    net.refuse = 99
    fixture.failure("connect", client:run())
    assert.equal(1010, loop.now())
  end)

  it("end at once where the login is refused, or after auth_attempts", function()
    for _, n in ipairs { 1, 3 } do
      local client, _, net = connect { reconnect = { min = 1, jitter = 0, auth_attempts = n } }
      net.server:close(1000)
      net.script.CONNECT = function(server)
        assert(server.connection:refuse("Bad CONNECT", "Access refused"))
        server.link.pipe[1] = server.connection:output()
      end
      local ok, message, err = client:run()
      fixture.failure("broker", ok, message, err)
      assert.is_true(err.permanent)
      assert.equal(1 + n, #net.servers)
    end
  end)

  it("go round a shuffled list, never from wss to ws", function()
    local loop, net = fixture.net()
    local urls = { "ws://a/ws", "ws://b/ws", "ws://c/ws" }
    local tried = {}
    local client = assert(stomp.connect(urls, {
      loop = loop, transport = net, proxy = false, reconnect = fixture.steady,
      before_connect = function(attempt) tried[#tried + 1] = attempt.url end,
    }))
    net.server:close(1000)
    net.refuse = 4
    loop.run(function() client:receive(30) end)
    assert.equal(6, #tried)
    for i = 4, 6 do assert.equal(tried[i - 3], tried[i]) end
    assert.not_equal(tried[1], tried[2])
    assert.not_equal(tried[2], tried[3])
    assert.equal(tried[6], client.url)
    local _, message = stomp.connect({ "ws://a", "wss://b" }, {
      loop = loop, transport = net, proxy = false })
    assert.truthy(message:find("^invalid: URL: ws and wss in one list"))
  end)

  it("may change what they connect with", function()
    local waited
    local client, loop, net
    client, loop, net = connect { login = "me", passcode = "old",
      before_connect = function(attempt)
        if attempt.number == 1 and not client then return end
        loop.sleep(0.25)
        waited = attempt.err
        attempt.passcode, attempt.url = "new", "ws://other.test/ws"
      end }
    net.server:close(1000)
    loop.run(function() client:receive(9) end)
    assert.equal("closed", waited.kind)
    assert.equal("new", net.server:got("CONNECT")[1].headers.passcode)
    assert.equal("me", net.server:got("CONNECT")[1].headers.login)
    assert.equal("ws://other.test/ws", client.url)
  end)

  it("end with the error of before_connect", function()
    local client, _, net
    client, _, net = connect { before_connect = function()
      if client then error("no token") end
    end }
    net.server:close(1000)
    local ok, message, err = client:run()
    fixture.failure("handler", ok, message, err)
    assert.truthy(err.traceback:find("no token", 1, true))
  end)

  it("of the first connection end so, too: connect returns it", function()
    for number = 1, 2 do
      local loop, net = fixture.net()
      net.refuse = number - 1
      local client, message, err = stomp.connect("ws://a/ws", { loop = loop,
        transport = net, proxy = false, reconnect = { initial = true },
        before_connect = function(attempt)
          loop.sleep(1)
          if attempt.number == number then error("no token") end
        end })
      fixture.failure("handler", client, message, err)
      assert.truthy(err.traceback:find("no token", 1, true))
      assert.equal(number, err.attempts)
      assert.is_true(err.permanent)
    end
  end)

  it("go on after one for which before_connect returned a reason", function()
    local seen = {}
    local client, loop, net
    local function prepare(attempt)
      if not client then return end
      seen[#seen + 1] = tostring(attempt.err)
      if attempt.number == 1 then return nil, "no token" end
      return attempt.number
    end
    client, loop, net = connect { before_connect = prepare }
    net.server:close(1000)
    loop.run(function() client:receive(9) end)
    assert.equal("connected", client.state)
    assert.equal("handler: before_connect: no token", seen[2])
    assert.equal(2, #net.servers)

    local err = fixture.failure("handler", stomp.connect("ws://a/ws", { loop = loop, transport = net,
      proxy = false, before_connect = function() return false, "no token" end }))
    assert.is_nil(err.permanent)
    assert.equal(2, #net.servers)
  end)

  it("end where before_connect gives headers that are none", function()
    local loop, net = fixture.net()
    fixture.failure("invalid", stomp.connect("ws://a/ws", { loop = loop,
      transport = net, proxy = false, before_connect = function(attempt)
        attempt.headers = { x = {} }
      end }))
  end)

  it("are made for the first connection, too, with initial", function()
    local loop, net = fixture.net()
    net.refuse = 2
    local client = assert(stomp.connect("ws://a/ws", { loop = loop, transport = net,
      proxy = false, reconnect = { min = 1, jitter = 0, initial = true } }))
    assert.equal("connected", client.state)
    assert.equal(1003, loop.now())
    net.refuse = 1
    fixture.failure("connect", stomp.connect("ws://a/ws", { loop = loop,
      transport = net, proxy = false, reconnect = true }))
  end)

  it("try each URL of a list once for the first connection", function()
    local loop, net = fixture.net()
    net.refuse = 1
    assert(stomp.connect({ "ws://a", "ws://b" }, { loop = loop, transport = net, proxy = false }))
    net.refuse = 2
    local ok, message, err = stomp.connect({ "ws://a", "ws://b" }, {
      loop = loop, transport = net, proxy = false })
    fixture.failure("connect", ok, message, err)
    assert.equal(2, err.attempts)
  end)
end)
