-- SPDX-License-Identifier: MIT
-- What spec/oom/host.c runs without memory: all of stomp.core, from its opening on.
local pair = require "spec.support.pair"

local BODY = ("x"):rep(600)

local function open_core()
  package.loaded["stomp.core"] = nil
  return require "stomp.core"
end

--- The end that was to come: nil, message, err of this kind and with this text.
local function check_end(kind, text, ok, message, err)
  if ok or not err or err.kind ~= kind or not tostring(err):find(text, 1, true) then
    error(message or "no error")
  end
end

local function parse(core)
  local parser = core.parser({ frame = 4096 }, "1.2")
  local bytes = assert(core.encode("MESSAGE", { destination = "/a", note = "l1\nl2:" }, BODY, "1.2"))
  parser:feed(bytes:sub(1, 100))
  assert(parser:next() == nil)
  parser:feed(bytes:sub(101) .. "\n")
  local frame = assert(parser:next())
  assert(frame.command == "MESSAGE" and frame.headers.note == "l1\nl2:" and frame.body == BODY)
  assert(tostring(frame):find "MESSAGE")
  assert(parser:next().command == nil)
  parser:feed "NOSUCH\n"
  check_end("protocol", "NOSUCH", parser:next())
  check_end("invalid", "a", core.encode("SEND", { ["a\0"] = "b" }, "", "1.0"))
end

--- A conversation; `bare`: without WebSocket.
local function talk(bare, compression)
  local options = { websocket = not bare, login = "a", passcode = "b", heartbeat = { send = 1, receive = 0 } }
  local answers = { websocket = not bare, heartbeat = { send = 0, receive = 1 } }
  if not bare then
    options.compression, answers.compression = compression, compression
    options.upgrade_headers = { Cookie = "a=b" }
  end
  local p = pair.new(options, answers, 50)
  local connect = p:connect { server = "test/1", session = "s" }
  assert(connect.headers.login == "a" and p.client.state == "connected" and p.client.version == "1.2")
  assert(p.client:send("SUBSCRIBE", { id = "1", destination = "/a", ack = "client", receipt = "s" }))
  assert(p.client:send("SUBSCRIBE", { { "id", "2" }, { "destination", "/b" }, { "ack", "client-individual" } }))
  assert(p.client:send("BEGIN", { transaction = "t" }))
  assert(p.client:send("SEND", { destination = "/a", transaction = "t" }, BODY))
  assert(p:pump())
  assert(#p:frames "server" == 4)
  for i = 1, 3 do
    assert(p.server:send("MESSAGE", { subscription = i == 3 and "2" or "1", destination = "/a", ack = "a:" .. i,
      ["message-id"] = tostring(i) }, BODY))
  end
  assert(p.server:send("RECEIPT", { ["receipt-id"] = "s" }))
  assert(p:pump())
  local got = p:frames "client"
  assert(#got == 4 and got[1].subscription == "1" and got[3].body == BODY and got[2].headers.ack == "a:2")
  assert(p.client:ack(got[2], "t"))
  check_end("invalid", "already", p.client:ack(got[1]))
  assert(p.client:nack(got[3]))
  assert(p.client:send("COMMIT", { transaction = "t" }))
  assert(p.client:tick(p.client:deadline()))
  assert(tostring(p.client):find "connected")
  assert(p.client:counts().messages_received == 3 or p.client:counts())
  assert(p:pump())
  local receipt = assert(p.client:disconnect(2))
  assert(p:pump())
  assert(p.server:send("RECEIPT", { ["receipt-id"] = receipt }))
  assert(p:pump())
  assert(p.client:wants_end() and p.client:closed())
end

--- How it can end: by ERROR, by a limit, by a refusal of the upgrade.
local function ends(core)
  local p = pair.new({ websocket = false }, { websocket = false })
  p:connect()
  assert(p.client:send("SEND", { destination = "/a" }, BODY))
  assert(p.client:feed("ERROR\nmessage:no\n\nbecause\0", 1))
  assert(p.client:next().command == "ERROR")
  check_end("broker", "no: because", p.client:next())
  check_end("broker", "no", p.client:closed())
  check_end("closed", "broker", p.client:send("SEND", { destination = "/a" }))
  local client = assert(core.connection { url = "ws://a/b", limits = { upgrade = 300 } })
  assert(client:connect(0))
  assert(#client:output() > 0)
  check_end("upgrade", "403", client:feed("HTTP/1.1 403 No\r\nA: b\r\nContent-Length: 2\r\n\r\nno", 0))
  local _, _, err = client:ended()
  assert(err.status == 403 and err.headers.a == "b" and err.body == "no")
  check_end("invalid", "Host", core.connection { url = "ws://a/b", upgrade_headers = { Host = "x" } })
end

local function frame(core, compression)
  local client = assert(core.websocket { compression = compression })
  local server = assert(core.websocket { role = "server", compression = compression })
  assert(client:send("text", BODY))
  assert(client:send("binary", "\255"))
  assert(client:send("ping", "p"))
  assert(server:feed(client:output()))
  local kind, data = server:next()
  assert(kind == "text" and data == BODY)
  kind, data = server:next()
  assert(kind == "binary" and data == "\255")
  kind, data = server:next()
  assert(kind == "ping" and data == "p" and server:next() == nil)
  assert(server:close(1000, "bye"))
  assert(client:feed(server:output()))
  kind, data = client:next()
  if kind == "pong" then
    assert(data == "p")
    kind = client:next()
  end
  assert(kind == "close")
  assert(server:feed "\255\255")
  check_end("protocol", "reserved", server:next())
end

return function()
  local core = open_core()
  parse(core)
  talk(true)
  talk(false)
  talk(false, true)
  ends(core)
  frame(core)
  frame(core, true)
  collectgarbage()
end
