-- SPDX-License-Identifier: MIT
-- A link of the I/O thread against another one, over the loopback interface:
-- docs/transport.md, "link".
local lws = require "stomp.lws"
local wire = require "spec.support.wire"

local KB = 1024

local function subscription(server)
  return function(n) return server:send("MESSAGE",
    { subscription = "s", destination = "/q", ["message-id"] = n }, tostring(n)) end
end

describe("A link", function()
  it("carries frames both ways in order", function()
    local client, server = wire.pair()
    assert.is_true(client:send("SUBSCRIBE", { id = "s", destination = "/q" }))
    assert.is_true(client:send("SEND", { destination = "/q" }, "a\0b"))
    assert.equal("SUBSCRIBE", wire.next(server).command)
    assert.equal("a\0b", wire.next(server).body)
    local send = subscription(server)
    for i = 1, 100 do assert.is_true(send(i)) end
    for i = 1, 100 do assert.equal(tostring(i), wire.next(client).body) end
    assert.equal("connected", client:info().state)
    assert.equal("1.2", client:info().version)
    assert.equal(100, client:stats().messages)
  end)

  it("refuses a frame that cannot be sent at once, and goes on", function()
    local client, server = wire.pair()
    local sent, message, err = client:send("SEND", {}, "no destination")
    assert.is_nil(sent)
    assert.equal("invalid", err.kind)
    assert.equal(message, err.message)
    assert.is_true(client:send("SEND", { destination = "/q" }, "after"))
    assert.equal("after", wire.next(server).body)
  end)

  it("says nil while nothing came, and is readable when something has", function()
    local client, server = wire.pair()
    assert.same({ n = 1 }, (function(...) return { n = select("#", ...), ... } end)(client:next()))
    local ready = {}
    assert.equal(0, lws.poll({ client:pollfd() }, { "r" }, 0, ready))
    subscription(server)(1)
    assert.equal(1, lws.poll({ client:pollfd() }, { "r" }, 10, ready))
    assert.equal("MESSAGE", client:next().command)
    client:next()
    assert.equal(0, lws.poll({ client:pollfd() }, { "r" }, 0, ready))
  end)

  it("is readable once after nudge", function()
    local client, server = wire.pair()
    client:nudge()
    assert.equal(1, lws.poll({ client:pollfd() }, { "r" }, 10, {}))
    assert.is_nil(client:next())
    assert.equal(0, lws.poll({ client:pollfd() }, { "r" }, 0, {}))
    server:close() -- until here the collector must not end it
  end)

  it("writes nothing while it is muted, beats included, and all of it afterwards", function()
    local client, server = wire.pair({ heartbeat = { receive = 0.2 } }, { heartbeat = { send = 0.2 } })
    local send = subscription(server)
    server:mute(true)
    for i = 1, 10 do assert.is_true(send(i)) end
    assert.is_true(client:send("SEND", { destination = "/q" }, "it still reads"))
    assert.equal("it still reads", wire.next(server).body)
    assert.equal(0, client:stats().messages)
    server:mute(false)
    for i = 1, 10 do assert.equal(tostring(i), wire.next(client).body) end
    server:mute(true)
    local how, _, err = wire.ending(client)
    assert.equal("broken", how)
    assert.equal("heartbeat", err.kind)
    wire.ending(server)
  end)

  it("keeps heart-beats going while Lua computes", function()
    local client, server = wire.pair({ heartbeat = { send = 0.05, receive = 0.05 } },
      { heartbeat = { send = 0.05, receive = 0.05 } })
    local start = lws.now()
    while lws.now() - start < 0.5 do end -- luacheck: ignore 542
    assert.is_true(server:stats().heartbeats_received >= 5)
    assert.is_true(client:stats().heartbeats_received >= 5)
    assert.is_nil(client:next())
    assert.is_nil(server:next())
  end)
end)

describe("A link whose user is slow", function()
  local limits = { limits = { inbox = 256 * KB, outbox = 64 * KB } }
  local body = ("x"):rep(1000)

  it("stops reading at limits.inbox and loses nothing", function()
    local client, server = wire.pair(limits, limits)
    local sent = wire.fill(server, body)
    -- what the kernel holds goes over, then both are full for good
    local still
    repeat
      still = sent
      wire.await(function() return not server:wants_room() or client:stats().paused_seconds > 0.2 end)
      sent = wire.fill(server, body, sent)
    until sent == still
    local stats = client:stats()
    assert.is_true(stats.inbox_bytes >= 256 * KB, "stopped too early")
    assert.is_true(stats.inbox_bytes < (256 + 2 * 64) * KB, "stopped too late")
    assert.is_true(server:stats().outbox_bytes <= 64 * KB)
    for i = 1, sent do
      assert.equal(tostring(i), wire.next(client).headers["message-id"])
    end
    assert.is_nil(client:next())
    assert.equal(0, client:stats().inbox_bytes)
    -- and reading goes on
    assert.is_true(subscription(server)("more"))
    assert.equal("more", wire.next(client).body)
  end)

  it("says when there is room in the outbox again", function()
    local client, server = wire.pair(limits, limits)
    local sent = 0
    -- room may come between the refused send and the question
    repeat sent = wire.fill(server, body, sent) until server:wants_room()
    local got = 0
    while server:wants_room() do
      local frame = client:next()
      if frame then got = got + 1
      else lws.poll({ client:pollfd(), server:pollfd() }, { "r", "r" }, 10, {}) end
    end
    assert.equal(1, lws.poll({ server:pollfd() }, { "r" }, 0, {}))
    assert.is_true(subscription(server)("more"))
    for _ = got + 1, sent do wire.next(client) end
    assert.equal("more", wire.next(client).body)
  end)

  it("counts held frames until they are released", function()
    local client, server = wire.pair(limits, limits)
    local held, sent = {}, 0
    while client:stats().inbox_bytes < 256 * KB do
      sent = wire.fill(server, body, sent)
      local frame = client:next()
      while frame do
        client:hold(frame)
        held[#held + 1] = frame
        frame = client:next()
      end
      lws.poll({ client:pollfd(), server:pollfd() }, { "r", "r" }, 1, {})
    end
    assert.is_true(#held * 1000 > 128 * KB)
    wire.await(function() return client:stats().paused_seconds > 0 end)
    for _, frame in ipairs(held) do client:release(frame) end
    for i = #held + 1, sent do
      assert.equal(tostring(i), wire.next(client).headers["message-id"])
    end
    client:next()
    assert.equal(0, client:stats().inbox_bytes)
  end)

  it("reads on to inbox_hard while a control frame is awaited, then says so", function()
    local both = { limits = { inbox = 256 * KB, inbox_hard = 512 * KB, outbox = 64 * KB } }
    local client, server = wire.pair(both, both)
    local sent = 0
    local function full_at(bytes)
      wire.await(function()
        sent = wire.fill(server, body, sent)
        return client:stats().inbox_bytes >= bytes
      end)
    end
    full_at(256 * KB)
    assert.is_false(client:stalled())
    client:awaiting(true)
    full_at(512 * KB)
    wire.await(function() return client:stalled() end, client)
    assert.is_true(client:stats().inbox_bytes < (512 + 2 * 64) * KB)
    -- nobody waits any more, then somebody does again: still stopped
    client:awaiting(false)
    assert.is_false(client:stalled())
    client:awaiting(true)
    wire.await(function() return client:stalled() end)
    client:awaiting(false)
    local got = 0
    while got < sent do
      wire.next(client)
      got = got + 1
    end
    assert.is_nil(client:next())
  end)
end)
