-- SPDX-License-Identifier: MIT
-- How a link of the I/O thread ends: what spec/transport/lws_spec.lua, whose
-- peers are links too, does not show.
local lws = require "stomp.lws"
local socket = require "socket"
local wire = require "spec.support.wire"

local function message(link, n, body)
  return link:send("MESSAGE", { subscription = "s", destination = "/q", ["message-id"] = n }, body)
end

-- A port where connections are taken and nobody answers; the listening socket.
local function silent_port()
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  return { port = function() return tonumber(port) end }, server
end

describe("A link that is cut", function()
  it("ends for its peer without a close frame, and for its owner unclean", function()
    local client, server = wire.pair()
    server:cut()
    server:cut()
    for _, link in ipairs { client, server } do
      local how, text, err = wire.ending(link)
      assert.equal("broken", how)
      assert.equal("closed", err.kind)
      assert.is_nil(err.code)
      assert.matches("the connection was lost", text)
    end
    local sent, _, err = message(server, 1, "late")
    assert.is_nil(sent)
    assert.equal("closed", err.kind)
  end)

  it("loses what a muted link had to say, and closes one that is closing", function()
    local client, server = wire.pair()
    server:mute(true)
    assert.is_true(message(server, 1, "never"))
    server:close()
    server:cut()
    local how, _, err = wire.ending(client)
    assert.equal("broken", how)
    assert.equal("closed", err.kind)
    assert.equal(0, client:stats().messages)
  end)
end)

describe("A link that is closed", function()
  local function ends_cleanly(link)
    link:close()
    assert.equal("clean", (wire.next(link)))
    link:close()
    assert.equal("clean", (wire.next(link)))
    assert.equal("closed", link:info().state)
    local sent, _, err = link:send("SEND", { destination = "/q" }, "late")
    assert.is_nil(sent)
    assert.equal("closed", err.kind)
  end

  it("while nobody answers the upgrade is over at once", function()
    local port, server = silent_port()
    local link = wire.open(port)
    local accepted = assert(server:accept())
    accepted:settimeout(10)
    assert.matches("^GET / HTTP/1.1", accepted:receive("*l"))
    ends_cleanly(link)
    repeat local line, why = accepted:receive("*l") until not line or why
    accepted:close()
    server:close()
  end)

  it("gives up after two seconds when the peer reads nothing", function()
    local port, listening = silent_port()
    local link = wire.open(port)
    local peer = assert(listening:accept())
    peer:settimeout(10)
    local key
    repeat
      local line = assert(peer:receive("*l"))
      key = key or line:match("^Sec%-WebSocket%-Key: (.*)")
    until line == ""
    assert(peer:send(wire.switching(key)))
    local connected = "CONNECTED\nversion:1.2\n\n\0"
    assert(peer:send("\x81" .. string.char(#connected) .. connected))
    assert.equal("CONNECTED", wire.next(link).command)
    local n = 0
    while link:send("SEND", { destination = "/q" }, ("x"):rep(60000)) do n = n + 1 end
    local start = lws.now()
    link:close()
    assert.equal("clean", (wire.next(link)))
    assert.is_true(lws.now() - start < 0.5)
    -- the I/O thread lets go of the socket: the peer reads less than was sent
    local total, deadline = 0, lws.now() + 10
    lws.poll({ peer:getfd() }, { "" }, 2.5, {}) -- POLLHUP or the time
    peer:settimeout(10)
    repeat
      local data, why, part = peer:receive(65536)
      total = total + #(data or part)
    until why or lws.now() > deadline
    assert.is_true(total < n * 60000)
    -- two seconds, not two for the closing handshake and two more for the rest
    assert.is_true(lws.now() - start < (os.getenv("STOMP_TEST_SLOW") and 10 or 3.5), "still open")
    peer:close()
    listening:close()
  end)
end)

describe("A link whose peer ends", function()
  it("says that the connection was lost when no close frame came", function()
    local port, listening = silent_port()
    local link = wire.open(port)
    local peer = assert(listening:accept())
    peer:close()
    local how, _, err = wire.ending(link)
    assert.equal("broken", how)
    assert.equal("upgrade", err.kind)
    listening:close()
  end)

  it("knows what a refused upgrade answered", function()
    local port, listening = silent_port()
    local link = wire.open(port)
    local peer = assert(listening:accept())
    peer:settimeout(10)
    repeat local line = assert(peer:receive("*l")) until line == ""
    assert(peer:send("HTTP/1.1 403 Forbidden\r\nX-Why: moon\r\nContent-Length: 4\r\n\r\nnope"))
    local how, _, err = wire.ending(link)
    assert.equal("broken", how)
    assert.equal("upgrade", err.kind)
    assert.equal(403, err.status)
    assert.equal("nope", err.body)
    assert.equal("moon", err.headers["x-why"])
    peer:close()
    listening:close()
  end)

  it("is found dead by missing heart-beats", function()
    local port, listening = silent_port()
    local link = wire.open(port, { heartbeat = { send = 0, receive = 0.1 } })
    local peer = assert(listening:accept())
    peer:settimeout(10)
    -- a bare server that never beats: upgrade and CONNECTED by hand
    local key
    repeat
      local line = assert(peer:receive("*l"))
      key = key or line:match("^Sec%-WebSocket%-Key: (.*)")
    until line == ""
    assert(peer:send(wire.switching(key)))
    local connected = "CONNECTED\nversion:1.2\nheart-beat:100,0\n\n\0"
    assert(peer:send("\x81" .. string.char(#connected) .. connected))
    local how, _, err, frames = wire.ending(link)
    assert.equal("CONNECTED", frames[1].command)
    assert.equal("broken", how)
    assert.equal("heartbeat", err.kind)
    peer:close()
    listening:close()
  end)
end)
