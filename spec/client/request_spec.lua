-- SPDX-License-Identifier: MIT
-- client:request and message:reply: the rules differ by CONNECTED's server header.
local fixture = require "spec.support.fixture"

-- A broker that calls itself so; `answer(server, frame)` at each SEND.
local function broker(name, answer)
  return {
    CONNECT = function(server) server:accept { server = name } end,
    SEND = answer,
  }
end

-- The reply to a request, as RabbitMQ brings it.
local function reply(server, frame, body, headers)
  local all = { ["correlation-id"] = frame.headers["correlation-id"] }
  for key, value in pairs(headers or {}) do all[key] = value end
  server:message(frame.headers["reply-to"], body or frame.body:upper(), all)
end

local rabbitmq = "RabbitMQ/3.10.8"

describe("client:request", function()
  it("on RabbitMQ and the embedded broker names a reply queue and subscribes to none", function()
    for _, name in ipairs { rabbitmq, "lua-stomp/0.1.0" } do
      local client, _, net = fixture.connect({}, broker(name, reply))
      local message = assert(client:request("/queue/upper", "abc", { headers = { extra = 1 } }))
      assert.equal("ABC", message.body)
      local sent = net.server:got("SEND")[1].headers
      assert.equal("/temp-queue/replies", sent["reply-to"])
      assert.equal("0102030405060708-1", sent["correlation-id"])
      assert.equal("1", sent.extra)
      assert.same({}, net.server:got("SUBSCRIBE"))
      fixture.failure("invalid", message:ack())
    end
  end)

  it("on ActiveMQ subscribes first, once", function()
    local client, _, net = fixture.connect({}, broker("ActiveMQ/5.17.2", function(server, frame)
      local subscribed = server:got("SUBSCRIBE")[1].headers
      assert(subscribed.destination == frame.headers["reply-to"])
      server:message(subscribed.id, frame.body:upper(),
        { ["correlation-id"] = frame.headers["correlation-id"], destination = subscribed.destination })
    end))
    for _ = 1, 2 do assert.equal("ABC", assert(client:request("/queue/upper", "abc")).body) end
    local list = net.server:got("SUBSCRIBE")
    assert.equal(1, #list)
    assert.equal("/temp-queue/replies", list[1].headers.destination)
    assert.equal("replies-1", list[1].headers.id)
  end)

  it("at 1.0 finds a reply without subscription by its destination", function()
    local client = fixture.connect({ versions = { "1.0" } }, broker("ActiveMQ/5.17.2", function(server, frame)
      server:message("", "yes", { subscription = false, destination = "/temp-queue/replies",
        ["correlation-id"] = frame.headers["correlation-id"] })
    end))
    assert.equal("yes", assert(client:request("/queue/a", "")).body)
  end)

  it("on another broker wants option reply", function()
    for _, name in ipairs { "STOMP-JS/1.3.0", "" } do
      local client, _, net = fixture.connect({}, broker(name, function(server, frame)
        server:message(server:got("SUBSCRIBE")[1].headers.id, "yes",
          { ["correlation-id"] = frame.headers["correlation-id"] })
      end))
      local err = fixture.failure("invalid", client:request("/queue/a", ""))
      assert.truthy(err.message:find("option reply", 1, true))
      assert.same({}, net.server:got("SEND"))
      local message = assert(client:request("/app/a", "", { reply = { to = "/queue/mine", correlation_id = "7" } }))
      assert.equal("yes", message.body)
      local sent = net.server:got("SEND")[1].headers
      assert.same({ "/queue/mine", "7" }, { sent["reply-to"], sent["correlation-id"] })
      assert.equal("/queue/mine", net.server:got("SUBSCRIBE")[1].headers.destination)
    end
  end)

  it("takes replies by hand: another subscription, or none", function()
    local client, _, net = fixture.connect({}, broker("", function(server, frame)
      local subscribed = server:got("SUBSCRIBE")[1]
      server:message(subscribed and subscribed.headers.id or frame.headers["reply-to"], "yes",
        { ["correlation-id"] = frame.headers["correlation-id"] })
    end))
    local options = { reply = { to = "/temp-queue/x", subscribe = false } }
    assert.equal("yes", assert(client:request("/queue/a", "", options)).body)
    assert.same({}, net.server:got("SUBSCRIBE"))
    options.reply = { to = "me", subscribe = "/user/queue/replies" }
    assert.equal("yes", assert(client:request("/queue/a", "", options)).body)
    assert.equal("/user/queue/replies", net.server:got("SUBSCRIBE")[1].headers.destination)
  end)

  it("refuses another subscription for the same destination of replies", function()
    local client, loop, net = fixture.reconnecting({}, broker("", function(server, frame)
      server:message(server:got("SUBSCRIBE")[1].headers.id, "yes",
        { ["correlation-id"] = frame.headers["correlation-id"] })
    end))
    local function request(subscribe)
      return client:request("/queue/a", "", { reply = { to = "me", subscribe = subscribe } })
    end
    assert(request("/user/queue/replies"))
    assert(request("/user/queue/replies"))
    assert(request(nil)) -- as before
    for _, other in ipairs { "/user/queue/others", true, false } do
      local err = fixture.failure("invalid", request(other))
      assert.truthy(err.message:find("option reply: to me has subscribe = /user/queue/replies", 1, true))
    end
    assert.equal(1, #net.server:got("SUBSCRIBE"))
    assert.equal(3, #net.server:got("SEND"))
    loop.run(function()
      net.server:close(1000)
      client:receive(2)
      assert.equal("yes", assert(request(true)).body)
    end)
    assert.equal("me", net.server:got("SUBSCRIBE")[1].headers.destination)
  end)

  it("has many in flight, answered in any order", function()
    local asked = {}
    local client, loop, net = fixture.connect({}, broker(rabbitmq, function(_, frame)
      asked[#asked + 1] = frame
    end))
    local tasks, right = {}, 0
    for i = 1, 50 do
      tasks[i] = function()
        local message = assert(client:request("/queue/upper", "a" .. i))
        if message.body == "A" .. i then right = right + 1 end
      end
    end
    tasks[51] = function()
      loop.sleep(1)
      for i = #asked, 1, -1 do reply(net.server, asked[i]) end
    end
    local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (5.1 has the one, later ones the other)
    loop.run(unpack(tasks))
    assert.equal(50, right)
  end)

  it("fails with timeout; the reply that comes late is dropped and counted", function()
    local asked
    local client, loop, net = fixture.connect({ confirm_timeout = 30 }, broker(rabbitmq, function(_, frame)
      asked = frame
    end))
    client:on("unhandled", function() error("must not come") end)
    local err = fixture.failure("timeout", client:request("/queue/slow", "", { timeout = 2 }))
    assert.equal("timeout: no reply from /queue/slow within 2 s", err.message)
    assert.equal("unknown", err.outcome)
    assert.equal(1002, loop.now())
    fixture.failure("timeout", client:request("/queue/slow", ""))
    assert.equal(1032, loop.now())
    reply(net.server, asked)
    reply(net.server, asked, "twice")
    net.server:message("/temp-queue/replies", "no id")
    fixture.failure("timeout", client:receive(1))
    assert.equal(3, client:stats().late_replies)
    assert.equal(0, client:stats().inbox_bytes)
  end)

  it("fails as the connection does, with an unknown outcome", function()
    local client, loop = fixture.connect({}, broker(rabbitmq, function(server, frame)
      if frame.body == "error" then server:send("ERROR", { message = "no such queue" }) end
    end))
    local first
    loop.run(function()
      first = { client:request("/queue/a", "wait") }
    end, function()
      local err = fixture.failure("broker", client:request("/queue/a", "error"))
      assert.equal("unknown", err.outcome)
    end)
    fixture.failure("broker", first[1], first[2], first[3])
    local err = fixture.failure("broker", client:request("/queue/a", ""))
    assert.is_nil(err.outcome)
  end)

  it("fails with closed when we close", function()
    local client, loop = fixture.connect({}, broker(rabbitmq, function() end))
    local result
    loop.run(function()
      result = { client:request("/queue/a", "") }
    end, function()
      client:close()
    end)
    fixture.failure("closed", result[1], result[2], result[3])
  end)

  it("checks what it is given, and sends nothing then", function()
    local client, _, net = fixture.connect({}, broker(rabbitmq, reply))
    for _, name in ipairs { "reply-to", "correlation-id", "receipt" } do
      local err = fixture.failure("invalid", client:request("/queue/a", "", { headers = { [name] = "x" } }))
      assert.truthy(err.message:find(name, 1, true))
    end
    fixture.failure("invalid", client:request("", ""))
    fixture.failure("invalid", client:request("/queue/a", { f = print }))
    assert.truthy(fixture.raised(function() client:request(5, "") end):find("destination", 1, true))
    assert.truthy(fixture.raised(function() client:request("/queue/a") end):find("body", 1, true))
    assert.truthy(fixture.raised(function() client:request("/queue/a", "", { confirm = true }) end)
      :find("confirm", 1, true))
    assert.truthy(fixture.raised(function() client:request("/queue/a", "", { reply = { from = "" } }) end)
      :find("from", 1, true))
    fixture.raised(function() client:request("/queue/a", "", { reply = { subscribe = true } }) end)
    fixture.raised(function() client:request("/queue/a", "", { reply = { to = "" } }) end)
    assert.same({}, net.server:got("SEND"))
  end)

  it("checks it before it subscribes to replies, on brokers of every kind", function()
    for _, name in ipairs { rabbitmq, "ActiveMQ/5.17.2", "ActiveMQ-Artemis/2.28.0", "STOMP-JS/1.3.0" } do
      local client, _, net = fixture.connect({}, broker(name, reply))
      local function misused(what, ...)
        local arguments = { ... }
        local raised = fixture.raised(function() client:request(arguments[1], arguments[2], arguments[3]) end)
        assert.truthy(raised:find(what, 1, true), raised)
      end
      misused("destination", nil, "")
      misused("body", "/queue/a", 5)
      misused("header 'a'", "/queue/a", "", { headers = { a = {} } })
      misused("a list of headers", "/queue/a", "", { headers = { 5 } })
      misused("a list of headers", "/queue/a", "", { headers = { { "a", 1 }, a = 1 } })
      fixture.failure("invalid", client:request("", ""))
      fixture.failure("invalid", client:request("/queue/a", { f = print }))
      fixture.failure("invalid", client:request("/queue/a", "", { headers = { receipt = "1" } }))
      fixture.failure("invalid", client:request("/queue/a", "", { headers = { { "reply-to", "x" } } }))
      fixture.failure("invalid", client:request("/queue/a", "", { headers = { a = "\0" } }))
      fixture.failure("invalid", client:request("/queue/a", "", { reply = { to = "/b", correlation_id = "\0" } }))
      assert.same({ 1, 0 }, { #net.server.frames, client:stats().late_replies })
    end
  end)

  it("says that a table is JSON, beside headers of either kind", function()
    local client, _, net = fixture.connect({}, broker(rabbitmq, reply))
    for i, headers in ipairs { { a = "1" }, { { "a", "1" } }, { { "a", "1" }, { "content-type", "text/x" } } } do
      assert(client:request("/queue/a", { n = 1 }, { headers = headers }))
      local sent = net.server:got("SEND")[i]
      assert.same({ "1", i == 3 and "text/x" or "application/json", '{"n":1}' },
        { sent.headers.a, sent.headers["content-type"], sent.body })
    end
  end)

  it("refuses a correlation id that is in flight", function()
    local client, loop = fixture.connect({}, broker(rabbitmq, function() end))
    local options = { timeout = 1, reply = { to = "/temp-queue/x", correlation_id = "same" } }
    loop.run(function()
      fixture.failure("timeout", client:request("/queue/a", "", options))
    end, function()
      fixture.failure("invalid", client:request("/queue/a", "", options))
    end)
  end)

  it("names at most 1024 reply destinations", function()
    local client = fixture.connect({}, broker(rabbitmq, reply))
    for i = 1, 1024 do
      assert(client:request("/queue/a", "", { reply = { to = "/temp-queue/" .. i } }))
    end
    fixture.failure("limit", client:request("/queue/a", "", { reply = { to = "/temp-queue/x" } }))
    assert(client:request("/queue/a", "", { reply = { to = "/temp-queue/1" } }))
  end)

  it("fails with its neighbours when there is no room for SUBSCRIBE, and begins anew", function()
    local client, loop, net = fixture.connect({}, broker("ActiveMQ/5.17.2", function(server, frame)
      local subscribed = server:got("SUBSCRIBE")[1]
      if not subscribed then return end
      server:message(subscribed.headers.id, "yes",
        { ["correlation-id"] = frame.headers["correlation-id"] })
    end))
    net.link.full = true
    loop.run(function()
      fixture.failure("timeout", client:request("/queue/a", "", { timeout = 1 }))
    end, function()
      fixture.failure("timeout", client:request("/queue/a", "", { timeout = 9 }))
    end, function()
      loop.sleep(2)
      net.link:drain()
    end)
    assert.equal("yes", assert(client:request("/queue/a", "")).body)
    assert.equal(1, #net.server:got("SUBSCRIBE"))
  end)
end)

describe("message:reply", function()
  it("answers to reply-to with the correlation id, JSON too, also a reply", function()
    local client, _, net = fixture.connect({}, broker(rabbitmq, function(server, frame)
      if frame.headers["reply-to"] then reply(server, frame, nil, { ["reply-to"] = "/queue/next" }) end
    end))
    local subscription = assert(client:subscribe("/queue/upper"))
    net.server:message("sub-1", "q", { ["reply-to"] = "/reply-queue/x", ["correlation-id"] = "9" })
    local question = assert(subscription:receive(1))
    assert(question:reply({ a = 1 }, { kind = "answer" }))
    local sent = net.server:got("SEND")[1]
    assert.equal('{"a":1}', sent.body)
    assert.same({ "/reply-queue/x", "9", "answer" },
      { sent.headers.destination, sent.headers["correlation-id"], sent.headers.kind })
    local answer = assert(client:request("/queue/a", "x"))
    assert(answer:reply("and on"))
    assert.equal("/queue/next", net.server:got("SEND")[3].headers.destination)
    net.server:message("sub-1", "no question")
    fixture.failure("invalid", assert(subscription:receive(1)):reply("x"))
  end)
end)
