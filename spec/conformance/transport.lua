-- SPDX-License-Identifier: MIT
-- What every transport must do (docs/transport.md). A transport's spec calls
--
--   require "spec.conformance.transport" { transport = …, loop = …,
--     run = function(f) … end, describe = describe, it = it }
--
-- where run(f) runs f() as a task of the loop and returns when it has ended; an
-- error in it is raised. `listen`: a transport.listen whose links the transport
-- reaches, where it has none of its own.
local assert = require "luassert"

local KB = 1024

-- seconds until a spec gives up
local patience = os.getenv("STOMP_TEST_SLOW") and 60 or 10

-- ---- Waiting

local tools = {}
tools.__index = tools

--- Wait until f() returns something true; it. `pollable` brings it; without one
-- it is asked again every 5 ms.
function tools:await(f, pollable)
  local loop = self.loop
  local deadline = loop.now() + patience
  while true do
    local result = f()
    if result then return result end
    assert(loop.now() < deadline, "it did not come")
    if pollable then loop.wait(pollable, 1) else loop.sleep(0.005) end
  end
end

--- The next frame of a link, or what `next` says about the end:
-- "clean", note | "broken", message, err.
function tools:next(link)
  local frame, message, err
  self:await(function()
    frame, message, err = link:next()
    return frame or frame == false or message
  end, link)
  if frame then return frame end
  if frame == false then return "clean", message end
  return "broken", message, err
end

--- The end of a link, and the frames before it.
function tools:ending(link)
  local frames = {}
  while true do
    local frame, message, err = self:next(link)
    if type(frame) == "string" then return frame, message, err, frames end
    frames[#frames + 1] = frame
  end
end

-- ---- Links

function tools:listening(options)
  local all = { host = "127.0.0.1", port = 0 }
  for name, value in pairs(options or {}) do all[name] = value end
  return assert((self.listen or self.transport.listen)(all))
end

--- A link to the listener's port, not connected yet.
function tools:open(listener, options)
  local all = {
    host = "127.0.0.1", port = listener:port(), host_header = "127.0.0.1",
    path = "/ws", connect_headers = { { "host", "/" } },
  }
  for name, value in pairs(options or {}) do all[name] = value end
  return assert(self.transport.open(all))
end

function tools:accepted(listener)
  return self:await(function() return listener:next() end, listener)
end

--- client, server: CONNECT and CONNECTED went over.
function tools:pair(client_options, server_options)
  local listener = self:listening(server_options)
  local client = self:open(listener, client_options)
  local server = self:accepted(listener)
  assert.equal("CONNECT", self:next(server).command)
  assert.is_true(server:accept { { "server", "suite/1" } })
  assert.equal("CONNECTED", self:next(client).command)
  self.kept[#self.kept + 1] = { client, server, listener } -- not the collector's
  return client, server
end

local function message(link, n, body)
  return link:send("MESSAGE",
    { subscription = "s", destination = "/q", ["message-id"] = n, ack = n }, body)
end

--- Send MESSAGEs until the outbox is full; how many.
local function fill(link, body, first)
  local n = first or 0
  while message(link, n + 1, body) do
    n = n + 1
    assert(n < 1e6, "the outbox is never full")
  end
  return n
end

local function is_ready(t, pollable)
  return t.loop.wait(pollable, 0.001)
end

-- ---- The suites. Each test gets tools in a task of the loop.

local frames = {}

frames["carries frames both ways in order"] = function(t)
  local client, server = t:pair()
  assert.is_true(client:send("SUBSCRIBE", { id = "s", destination = "/q" }))
  assert.is_true(client:send("SEND", { { "destination", "/q" }, { "a", "b" } }, "a\0b"))
  assert.equal("SUBSCRIBE", t:next(server).command)
  local frame = t:next(server)
  assert.equal("a\0b", frame.body)
  assert.equal("b", frame.headers.a)
  for i = 1, 100 do assert.is_true(message(server, i, tostring(i))) end
  for i = 1, 100 do
    frame = t:next(client)
    assert.equal(tostring(i), frame.body)
    assert.equal("s", frame.route)
  end
end

frames["tells what CONNECT and CONNECTED agreed on"] = function(t)
  local client, server = t:pair({ heartbeat = { send = 4, receive = 7 } },
    { heartbeat = { send = 5, receive = 3 } })
  local info = client:info()
  assert.equal("connected", info.state)
  assert.equal("1.2", info.version)
  assert.same({ send = 4, receive = 7 }, info.heartbeat)
  assert.same({ send = 7, receive = 4 }, server:info().heartbeat)
  assert.equal(0, info.receipts)
end

frames["counts"] = function(t)
  local client, server = t:pair()
  assert.is_true(client:send("SEND", { destination = "/q" }, "x"))
  t:next(server)
  assert.is_true(message(server, 1, "x"))
  t:next(client)
  client:next()
  local stats = client:stats()
  assert.equal(2, stats.frames_sent)
  assert.equal(2, stats.frames_received)
  assert.equal(1, stats.messages)
  assert.is_true(stats.bytes_sent > 100 and stats.bytes_received > 100)
  for _, name in ipairs { "heartbeats_sent", "heartbeats_received", "inbox_bytes",
    "outbox_bytes", "paused_seconds", "unknown_receipts", "round_trip" } do
    assert.equal(0, stats[name], name)
  end
end

frames["refuses a frame that cannot be sent at once, and goes on"] = function(t)
  local client, server = t:pair()
  local sent, text, err = client:send("SEND", {}, "no destination")
  assert.is_nil(sent)
  assert.equal("invalid", err.kind)
  assert.equal(text, err.message)
  assert.is_true(client:send("SEND", { destination = "/q" }, "after"))
  assert.equal("after", t:next(server).body)
end

frames["leaves content-length out when told so"] = function(t)
  local client, server = t:pair()
  assert.is_true(client:send("SEND", { destination = "/q" }, "x", { content_length = false }))
  assert.is_nil(t:next(server).headers["content-length"])
  assert.is_true(client:send("SEND", { destination = "/q" }, "x"))
  assert.equal("1", t:next(server).headers["content-length"])
end

frames["acknowledges a message of its own, once"] = function(t)
  local client, server = t:pair()
  assert.is_true(client:send("SUBSCRIBE",
    { id = "s", destination = "/q", ack = "client-individual" }))
  assert.is_true(client:send("BEGIN", { transaction = "t" }))
  for _ = 1, 2 do t:next(server) end
  for i = 1, 2 do assert.is_true(message(server, i, "x")) end
  local one, two = t:next(client), t:next(client)
  assert.is_true(client:ack(one, { { "transaction", "t" } }))
  assert.is_true(client:nack(two))
  local ack = t:next(server)
  assert.equal("ACK", ack.command)
  assert.equal("1", ack.headers.id)
  assert.equal("t", ack.headers.transaction)
  assert.equal("NACK", t:next(server).command)
  local ok, _, err = client:ack(two)
  assert.is_nil(ok)
  assert.equal("invalid", err.kind)
end

frames["says nil while nothing came, and is ready when something has"] = function(t)
  local client, server = t:pair()
  local function all(...) return { n = select("#", ...), ... } end
  assert.same({ n = 1 }, all(client:next()))
  assert.is_false(is_ready(t, client))
  assert.is_true(message(server, 1, "x"))
  assert.is_true(t.loop.wait(client, patience))
  assert.equal("MESSAGE", client:next().command)
  client:next()
  assert.is_false(is_ready(t, client))
end

frames["is ready once after nudge"] = function(t)
  local client = t:pair()
  client:nudge()
  assert.is_true(t.loop.wait(client, patience))
  assert.is_nil(client:next())
  assert.is_false(is_ready(t, client))
end

frames["beats as agreed"] = function(t)
  local client, server = t:pair({ heartbeat = { send = 0.05, receive = 0.05 } },
    { heartbeat = { send = 0.05, receive = 0.05 } })
  t:await(function()
    return server:stats().heartbeats_received >= 3 and client:stats().heartbeats_received >= 3
  end)
  assert.is_nil(client:next())
  assert.is_nil(server:next())
end

-- ---- Room

local limits = { limits = { inbox = 256 * KB, outbox = 64 * KB } }
local body = ("x"):rep(1000)

local room = {}

room["stops reading at limits.inbox and loses nothing"] = function(t)
  local client, server = t:pair(limits, limits)
  local sent = fill(server, body)
  -- what is between them goes over, then both are full for good
  local still
  repeat
    still = sent
    t:await(function()
      return not server:wants_room() or client:stats().paused_seconds > 0.2
    end)
    sent = fill(server, body, sent)
  until sent == still
  local stats = client:stats()
  assert.is_true(stats.inbox_bytes >= 256 * KB, "stopped too early")
  assert(stats.inbox_bytes < (256 + 2 * 64) * KB, "stopped too late: " .. stats.inbox_bytes)
  assert.is_true(server:stats().outbox_bytes <= 66 * KB) -- and one frame more
  for i = 1, sent do
    assert.equal(tostring(i), t:next(client).headers["message-id"])
  end
  assert.is_nil(client:next())
  assert.equal(0, client:stats().inbox_bytes)
  -- and reading goes on
  assert.is_true(message(server, "more", "x"))
  assert.equal("more", t:next(client).headers["message-id"])
end

room["says when there is room in the outbox again"] = function(t)
  local client, server = t:pair(limits, limits)
  local sent = 0
  -- room may come between the refused send and the question
  repeat sent = fill(server, body, sent) until server:wants_room()
  local got = 0
  while server:wants_room() do
    local frame = client:next()
    if frame then got = got + 1 else t.loop.sleep(0.001) end
  end
  assert.is_true(is_ready(t, server))
  assert.is_true(message(server, "more", "x"))
  for _ = got + 1, sent do t:next(client) end
  assert.equal("more", t:next(client).headers["message-id"])
end

room["refuses a frame that is larger than the outbox"] = function(t)
  local client, server = t:pair(limits, limits)
  local sent, _, err = client:send("SEND", { destination = "/q" }, ("x"):rep(65 * KB))
  assert.is_nil(sent)
  assert.equal("limit", err.kind)
  assert.is_true(client:send("SEND", { destination = "/q" }, "after"))
  assert.equal("after", t:next(server).body)
end

room["counts held frames until they are released"] = function(t)
  local client, server = t:pair(limits, limits)
  local held, sent = {}, 0
  t:await(function()
    sent = fill(server, body, sent)
    local frame = client:next()
    while frame do
      client:hold(frame)
      held[#held + 1] = frame
      frame = client:next()
    end
    return client:stats().inbox_bytes >= 256 * KB
  end)
  assert.is_true(#held * 1000 > 128 * KB)
  t:await(function() return client:stats().paused_seconds > 0 end)
  for _, frame in ipairs(held) do client:release(frame) end
  for i = #held + 1, sent do
    assert.equal(tostring(i), t:next(client).headers["message-id"])
  end
  client:next()
  assert.equal(0, client:stats().inbox_bytes)
end

room["counts frames of an earlier link until they are released"] = function(t)
  local client, server = t:pair(limits, limits)
  local later = t:pair(limits, limits)
  assert.is_true(message(server, "1", body))
  local frame = t:next(client)
  client:hold(frame)
  later:next()
  later:adopt(frame)
  assert.equal(frame:size(), later:stats().inbox_bytes)
  later:release(frame)
  later:next()
  assert.equal(0, later:stats().inbox_bytes)
end

room["reads on to inbox_hard while a control frame is awaited, then says so"] = function(t)
  local both = { limits = { inbox = 256 * KB, inbox_hard = 512 * KB, outbox = 64 * KB } }
  local client, server = t:pair(both, both)
  local sent = 0
  local function full_at(bytes)
    t:await(function()
      sent = fill(server, body, sent)
      return client:stats().inbox_bytes >= bytes
    end)
  end
  full_at(256 * KB)
  assert.is_false(client:stalled())
  client:awaiting(true)
  full_at(512 * KB)
  t:await(function() return client:stalled() end, client)
  assert.is_true(client:stats().inbox_bytes < (512 + 2 * 64) * KB)
  -- nobody waits any more, then somebody does again: still stopped
  client:awaiting(false)
  assert.is_false(client:stalled())
  client:awaiting(true)
  t:await(function() return client:stalled() end)
  client:awaiting(false)
  for i = 1, sent do assert.equal(tostring(i), t:next(client).headers["message-id"]) end
  assert.is_nil(client:next())
end

-- ---- Ends

local ends = {}

local function ends_cleanly(t, link)
  link:close()
  assert.equal("clean", (t:next(link)))
  link:close()
  assert.equal("clean", (t:next(link)))
  assert.equal("closed", link:info().state)
  local sent, _, err = link:send("SEND", { destination = "/q" }, "late")
  assert.is_nil(sent)
  assert.equal("closed", err.kind)
end

ends["closed right after open is over at once"] = function(t)
  local listener = t:listening()
  ends_cleanly(t, t:open(listener))
  listener:close()
end

ends["closed before CONNECTED is over at once, and the peer sees it"] = function(t)
  local listener = t:listening()
  local client = t:open(listener)
  local server = t:accepted(listener)
  assert.equal("CONNECT", t:next(server).command)
  ends_cleanly(t, client)
  local how, _, err = t:ending(server)
  assert.equal("broken", how)
  assert.equal("closed", err.kind)
  assert.equal(1000, err.code)
end

ends["closed when connected tells the peer 1000"] = function(t)
  local client, server = t:pair()
  ends_cleanly(t, client)
  local how, _, err = t:ending(server)
  assert.equal("broken", how)
  assert.equal(1000, err.code)
end

ends["closed writes what was sent before"] = function(t)
  local client, server = t:pair()
  for i = 1, 50 do assert.is_true(message(server, i, ("x"):rep(10000))) end
  server:close()
  local how, _, err, list = t:ending(client)
  assert.equal(50, #list)
  assert.equal("broken", how)
  assert.equal(1000, err.code)
end

ends["whose peer ends hands out the frames before it says how, and says it again"] = function(t)
  local client, server = t:pair()
  assert.is_true(client:send("SUBSCRIBE", { id = "s", destination = "/q/last" }))
  assert.equal("SUBSCRIBE", t:next(server).command)
  for i = 1, 3 do assert.is_true(message(server, i, "x")) end
  server:close()
  local how, text, err, list = t:ending(client)
  assert.equal(3, #list)
  assert.equal("broken", how)
  assert.equal("closed", err.kind)
  assert.equal(text, tostring(err))
  assert.equal("SUBSCRIBE", err.after[1].command)
  assert.equal("/q/last", err.after[1].destination)
  assert.equal(text, select(2, t:next(client)))
  assert.is_true(is_ready(t, client))
end

ends["knows the broker's ERROR"] = function(t)
  local client, server = t:pair()
  assert.is_true(server:refuse("Not here", "go away"))
  local how, _, err, list = t:ending(client)
  assert.equal("ERROR", list[1].command)
  assert.equal("broken", how)
  assert.equal("broker", err.kind)
  assert.matches("Not here", err.message)
end

ends["is clean after DISCONNECT and its RECEIPT"] = function(t)
  local client, server = t:pair()
  local id = assert(client:disconnect())
  local frame = t:next(server)
  assert.equal("DISCONNECT", frame.command)
  assert.equal(id, frame.headers.receipt)
  assert.is_true(server:send("RECEIPT", { ["receipt-id"] = id }))
  local how, note, _, list = t:ending(client)
  assert.equal("clean", how)
  assert.is_nil(note)
  assert.equal("RECEIPT", list[1].command)
  assert.equal("clean", (t:ending(server)))
end

ends["is clean, with no receipt, after DISCONNECT and a close 1000"] = function(t)
  local client, server = t:pair()
  assert(client:disconnect())
  assert.equal("DISCONNECT", t:next(server).command)
  server:close()
  local how, note = t:ending(client)
  assert.equal("clean", how)
  assert.equal("no receipt", note)
end

ends["that nobody answers names who refused"] = function(t)
  local listener = t:listening()
  local port = listener:port()
  listener:close()
  local link = t:open { port = function() return port end }
  local how, _, err = t:ending(link)
  assert.equal("broken", how)
  assert.equal("connect", err.kind)
  assert.matches("refused: 127%.0%.0%.1:" .. port, err.message)
end

ends["left to the collector is closed"] = function(t)
  local listener = t:listening()
  local client, server = t:open(listener), t:accepted(listener)
  assert.equal("CONNECT", t:next(server).command)
  assert.equal("connecting", client:info().state)
  client = nil -- luacheck: ignore 311
  collectgarbage()
  collectgarbage()
  local how, _, err = t:ending(server)
  assert.equal("broken", how)
  assert.equal("closed", err.kind)
end

ends["cannot be opened with options that cannot be sent"] = function(t)
  local link, text, err = t.transport.open {
    host = "127.0.0.1", port = 1, host_header = "h", path = "a b", connect_headers = {},
  }
  assert.is_nil(link)
  assert.equal("invalid", err.kind)
  assert.equal(text, err.message)
end

local listeners = {}

listeners["says nil while nobody came, and is ready when somebody has"] = function(t)
  local listener = t:listening()
  assert.is_true(listener:port() > 0)
  assert.is_nil(listener:next())
  assert.is_false(is_ready(t, listener))
  local client = t:open(listener)
  assert.is_true(t.loop.wait(listener, patience))
  local server = t:accepted(listener)
  assert.is_nil(listener:next())
  client:close()
  server:close()
  listener:close()
end

local suites = {
  { "as on every transport, a link", frames },
  { "as on every transport, a link whose user is slow", room },
  { "as on every transport, a link", ends },
  { "as on every transport, a listener", listeners },
}

return function(host)
  for _, suite in ipairs(suites) do
    host.describe(suite[1], function()
      local names = {}
      for name in pairs(suite[2]) do names[#names + 1] = name end
      table.sort(names)
      for _, name in ipairs(names) do
        host.it(name, function()
          host.run(function()
            suite[2][name](setmetatable({
              transport = host.transport, listen = host.listen, loop = host.loop, kept = {},
            }, tools))
          end)
        end)
      end
    end)
  end
end
