-- SPDX-License-Identifier: MIT
-- Handlers: one at a time and in order within a subscription, each subscription's
-- in a task of its own, and an error costs nobody else anything.
local fixture = require "spec.support.fixture"

describe("a handler", function()
  it("gets each message and the client, in order, one at a time", function()
    local client, loop, net = fixture.connect()
    local log, inside = {}, 0
    client:subscribe("/queue/a", function(message, given)
      assert(given == client)
      inside = inside + 1
      assert(inside == 1)
      loop.sleep(0.1)
      log[#log + 1] = message.body
      inside = inside - 1
    end)
    for i = 1, 4 do net.server:message("sub-1", tostring(i)) end
    fixture.failure("timeout", client:run(2))
    assert.same({ "1", "2", "3", "4" }, log)
  end)

  it("that waits holds up only its own subscription", function()
    local client, loop, net = fixture.connect()
    local log = {}
    client:subscribe("/queue/slow", function() loop.sleep(1e9) end)
    client:subscribe("/queue/a", function(message) log[#log + 1] = message.body end)
    net.server:message("sub-1", "x")
    net.server:message("sub-1", "y")
    net.server:message("sub-2", "1")
    net.server:message("sub-2", "2")
    fixture.failure("timeout", client:run(1))
    assert.same({ "1", "2" }, log)
    assert.is_true(client:disconnect())
    assert.is_true(client:run())
  end)

  it("runs while a task waits in any call of the client", function()
    local client, _, net = fixture.connect({}, {
      SEND = function(server, frame)
        server:message("sub-1", "hello")
        server:receipt(frame)
      end,
    })
    local got
    client:subscribe("/queue/a", function(message) got = message.body end)
    assert(client:send("/queue/a", "", nil, { confirm = true }))
    assert(client:flush())
    client:receive(0.1)
    assert.equal("hello", got)
    assert.equal(0, net.link.held)
  end)

  it("may send, confirmed, and acknowledge", function()
    local client, _, net = fixture.connect()
    local sent = 0
    client:subscribe("/queue/a", { ack = "client" }, function(message, given)
      assert(given:send("/queue/b", message.body, nil, { confirm = true }))
      sent = sent + 1
      assert(message:ack())
    end)
    for i = 1, 5 do net.server:message("sub-1", tostring(i)) end
    client:run(1)
    assert.equal(5, sent)
    assert.equal(5, #net.server:got("ACK"))
  end)

  it("may disconnect: run returns true and nothing more is handed out", function()
    local client, _, net = fixture.connect()
    local n, result = 0, nil
    client:subscribe("/queue/a", function(_, given)
      n = n + 1
      if n == 2 then result = { given:disconnect() } end
    end)
    for i = 1, 5 do net.server:message("sub-1", tostring(i)) end
    assert.is_true(client:run())
    assert.equal(2, n)
    assert.is_true(result[1])
    assert.equal("closed", client.state)
  end)

  it("may unsubscribe itself and receive from another subscription", function()
    local client, _, net = fixture.connect()
    local other = client:subscribe("/queue/b")
    local n, got = 0, nil
    local mine
    mine = client:subscribe("/queue/a", function()
      n = n + 1
      got = other:receive(5).body
      assert(mine:unsubscribe())
    end)
    net.server:message(mine.id, "1")
    net.server:message(mine.id, "2")
    net.server:message(other.id, "x")
    client:run(1)
    assert.equal(1, n)
    assert.equal("x", got)
  end)

  it("that raises costs neither the connection nor a message", function()
    local client, _, net = fixture.connect()
    local log, errors = {}, {}
    client:on("error", function(message, err) errors[#errors + 1] = { message, err } end)
    client:subscribe("/queue/a", function(message)
      if message.body == "2" then error("no good") end
      if message.body == "3" then error({ code = 5 }) end
      log[#log + 1] = message.body
    end)
    for i = 1, 5 do net.server:message("sub-1", tostring(i)) end
    client:run(1)
    assert.same({ "1", "4", "5" }, log)
    assert.equal(2, #errors)
    assert.equal("handler", errors[1][2].kind)
    assert.equal("handler: ", errors[1][1]:sub(1, 9))
    assert.truthy(errors[1][1]:find("no good", 1, true))
    assert.truthy(errors[1][2].traceback:find("handler_spec.lua", 1, true))
    assert.equal(5, errors[2][2].value.code)
    assert.equal("connected", client.state)
  end)

  it("gets what came before an unclean end; then run says how it ended", function()
    local client, loop, net = fixture.connect()
    local log = {}
    client:subscribe("/queue/a", function(message)
      loop.sleep(0.1)
      log[#log + 1] = message.body
    end)
    for i = 1, 3 do net.server:message("sub-1", tostring(i)) end
    net.server:close()
    fixture.failure("closed", client:run())
    assert.same({ "1", "2", "3" }, log)
  end)
end)

describe("client:on", function()
  it("adds functions, takes them off, and refuses unknown events", function()
    local client, _, net = fixture.connect()
    local n, other = 0, 0
    local off = client:on("unhandled", function() n = n + 1 end)
    client:on("unhandled", function() other = other + 1 end)
    net.server:message("nobody", "1")
    client:receive(1)
    off()
    off()
    net.server:message("nobody", "2")
    client:receive(1)
    assert.same({ 1, 2 }, { n, other })
    assert.equal(0, net.link.held)
    fixture.raised(function() client:on("reconnected", print) end)
    fixture.raised(function() client:on("close", 5) end)
  end)

  it("counts frames both ways, receipts and acknowledgements", function()
    local client, _, net = fixture.connect()
    local log = {}
    for _, event in ipairs { "sent", "received", "receipt", "acked" } do
      client:on(event, function(what)
        log[#log + 1] = event .. " " .. (type(what) == "string" and what or what.command)
      end)
    end
    local subscription = client:subscribe("/queue/a", { ack = "client", confirm = true })
    net.server:message("sub-1", "x")
    subscription:receive(1):ack()
    client:disconnect()
    assert.same({ "sent SUBSCRIBE", "received RECEIPT", "receipt r-1", "received MESSAGE", "sent ACK",
      "acked MESSAGE", "sent DISCONNECT", "received RECEIPT", "receipt stomp-disconnect" }, log)
  end)

  it("survives an error in such a function", function()
    local client = fixture.connect()
    local errors = {}
    client:on("error", function(message) errors[#errors + 1] = message end)
    client:on("sent", function() error("counter broke") end)
    client:on("close", function() error("close broke") end)
    assert(client:send("/queue/a", "x"))
    assert(client:disconnect())
    assert.equal(3, #errors) -- SEND, DISCONNECT, close
    assert.truthy(errors[1]:find("counter broke", 1, true))
    assert.truthy(errors[3]:find("close broke", 1, true))
  end)
end)

describe("a message of an unknown subscription", function()
  local complaints
  local function quietly(f)
    local stderr = io.stderr
    complaints = {}
    local function write(_, ...) complaints[#complaints + 1] = table.concat { ... } end
    io.stderr = { write = write } -- luacheck: ignore 122 (to see what is said)
    local ok, err = pcall(f)
    io.stderr = stderr -- luacheck: ignore 122 (put back)
    assert(ok, err)
  end

  it("is warned about once", function()
    quietly(function()
      local client, _, net = fixture.connect()
      net.server:message("nobody", "1")
      net.server:message("nobody", "2")
      net.server:message("someone", "3")
      client:receive(1)
    end)
    assert.equal(2, #complaints)
    assert.truthy(complaints[1]:find("nobody", 1, true))
    assert.truthy(complaints[2]:find("someone", 1, true))
  end)

  it("is no surprise right after unsubscribe", function()
    quietly(function()
      local client, _, net = fixture.connect()
      local subscription = client:subscribe("/queue/a")
      subscription:unsubscribe()
      net.server:message(subscription.id, "late")
      client:receive(1)
    end)
    assert.same({}, complaints)
  end)

  it("reaches on_unhandled with the client, and cannot be acknowledged", function()
    local got
    local client, _, net = fixture.connect {
      on_unhandled = function(message, client)
        got = { message.body, client, message:ack() }
      end,
    }
    net.server:message("nobody", "1")
    client:receive(1)
    assert.equal("1", got[1])
    assert.equal(client, got[2])
    fixture.failure("invalid", got[3], got[4], got[5])
  end)

  it("cannot be replied to, and says why", function()
    local told = {}
    local client, _, net = fixture.connect {
      on_unhandled = function(message)
        told[#told + 1] = fixture.failure("invalid", message:reply("x")).message
      end,
    }
    net.server:message("nobody", "1", { ["reply-to"] = "/queue/replies" })
    net.server:message("nobody", "2")
    client:receive(1)
    assert.same({
      "invalid: reply: the message belongs to no subscription of this client",
      "invalid: reply: the message has no reply-to",
    }, told)
    assert.same({}, net.server:got("SEND"))
  end)

  it("at 1.0 is found by destination where only one fits", function()
    quietly(function()
      local client, _, net = fixture.connect { versions = { "1.0" } }
      local a = client:subscribe("/queue/a")
      net.server:message("", "1", { subscription = false })
      assert.equal("1", a:receive(1).body)
      client:subscribe("/queue/a")
      net.server:message("", "2", { subscription = false })
      fixture.failure("timeout", a:receive(1))
    end)
    assert.equal(1, #complaints)
  end)
end)
