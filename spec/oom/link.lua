-- SPDX-License-Identifier: MIT
-- What spec/oom/host.c runs without memory: links of stomp.lws, from its opening on,
-- over the loopback interface. What fails on the I/O thread, or at the other end, is
-- seen as the end of a link.
local wire = require "spec.support.wire"

--- The next frame of a link is this one; its end is told as want of memory.
local function expect(link, command)
  local frame, message = wire.next(link)
  if type(frame) == "string" then
    error("not enough memory, seen as " .. frame .. " " .. tostring(message), 0)
  end
  assert(frame.command == command, frame.command)
  return frame
end

--- What a call returned is true, or a link's end is told as want of memory.
local function did(ok, message, err)
  if not ok and err and err.kind == "closed" then
    error("not enough memory, seen as " .. message, 0)
  end
  return assert(ok, message)
end

-- (made with memory: Lua's own string.rep does not work again once it had none)
local BODY = ("x"):rep(3000)

local function open_lws()
  package.loaded["stomp.lws"] = nil
  return require "stomp.lws"
end

--- A pair of links, as wire.pair makes them.
local function connect(lws)
  local listener = assert(lws.listen {})
  local client = assert(lws.open { connect_host = "127.0.0.1", connect_port = listener:port(), login = "a" })
  local server = wire.await(function()
    local link, message = listener:next()
    if message then error("not enough memory, seen as " .. message, 0) end
    if link then return link end
    local frame, ended = client:next() -- the server's end may not have come to be
    if frame == false or ended then error("not enough memory, seen as " .. tostring(ended), 0) end
  end, listener, client)
  expect(server, "CONNECT")
  did(server:accept { server = "test/1" })
  expect(client, "CONNECTED")
  return client, server, listener
end

return function()
  local lws = open_lws()
  local client, server, listener = connect(lws)
  did(client:send("SUBSCRIBE", { id = "s", destination = "/q", ack = "client-individual" }))
  did(client:send("SEND", { destination = "/q" }, BODY))
  expect(server, "SUBSCRIBE")
  assert(expect(server, "SEND").body == BODY)
  for i = 1, 3 do
    did(server:send("MESSAGE", { subscription = "s", destination = "/q", ["message-id"] = i, ack = i },
      BODY:sub(1, 1000 * i)))
  end
  for i = 1, 3 do
    local message = expect(client, "MESSAGE")
    assert(#message.body == 1000 * i)
    did(client:ack(message))
    assert(expect(server, "ACK").headers.id == tostring(i))
  end
  assert(client:stats() and client:info().state == "connected" and tostring(client))
  local receipt = did(client:disconnect())
  expect(server, "DISCONNECT")
  did(server:send("RECEIPT", { ["receipt-id"] = receipt }))
  local frame, message = wire.next(client)
  if type(frame) ~= "string" then frame, message = wire.next(client) end
  if frame ~= "clean" then error("not enough memory, seen as " .. tostring(message), 0) end
  client:close()
  server:close()
  listener:close()
end
