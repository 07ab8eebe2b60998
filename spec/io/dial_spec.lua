-- SPDX-License-Identifier: MIT
-- Names, addresses and sockets: src/io/dial.h, and listeners.
local lws = require "stomp.lws"
local socket = require "socket"
local wire = require "spec.support.wire"

-- A port that nobody listens on.
local function free_port()
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  server:close()
  return tonumber(port)
end

local function failure_of(options)
  local how, _, err = wire.ending(assert(lws.open(options)))
  assert.equal("broken", how)
  assert.equal("connect", err.kind)
  return err.message
end

describe("Connecting", function()
  it("names the address that refused", function()
    local port = free_port()
    assert.equal("connect: no connection: Connection refused: 127.0.0.1:" .. port,
      failure_of { connect_host = "127.0.0.1", connect_port = port })
  end)

  it("names the host that is unknown", function()
    assert.matches("^connect: the host's name cannot be resolved: .*: no%-such%-host%.invalid$",
      failure_of { connect_host = "no-such-host.invalid", connect_port = 80 })
  end)

  it("tries the next address of a name when one refuses", function()
    -- localhost has ::1 as well on most systems; the listener has 127.0.0.1 alone
    local listener = wire.listen()
    local client = wire.open(listener, { connect_host = "localhost" })
    assert.equal("CONNECT", wire.next(wire.accepted(listener)).command)
    client:close()
  end)

  it("connects to an IPv6 address", function()
    local listener = lws.listen { connect_host = "::1" }
    if not listener then return pending("no IPv6 here") end
    wire.open(listener, { connect_host = "::1" })
    assert.equal("CONNECT", wire.next(wire.accepted(listener)).command)
  end)

  it("goes on for other links while a name is looked up", function()
    local client, server = wire.pair()
    local lost = assert(lws.open { connect_host = "no-such-host.invalid", connect_port = 80 })
    assert.is_true(client:send("SEND", { destination = "/q" }, "x"))
    assert.equal("SEND", wire.next(server).command)
    lost:close()
    assert.equal("clean", (wire.next(lost)))
  end)

  it("refuses options that make no sense", function()
    assert.has_error(function() lws.open {} end)
    assert.has_error(function() lws.open { connect_host = "h", connect_port = 65536 } end)
    local link, message, err = lws.open { connect_host = "h", connect_port = 1, path = "a b" }
    assert.is_nil(link)
    assert.equal("invalid", err.kind)
    assert.equal(message, err.message)
  end)
end)

describe("A proxy", function()
  local function through(options)
    local listening = assert(socket.bind("127.0.0.1", 0))
    local _, port = listening:getsockname()
    options.proxy = { host = "127.0.0.1", port = tonumber(port), target = "broker.test:443",
      authorization = "Basic dTpw" }
    options.connect_host, options.connect_port = "broker.test", 443
    local link = assert(lws.open(options))
    local peer = assert(listening:accept())
    peer:settimeout(10)
    local lines = {}
    repeat
      lines[#lines + 1] = assert(peer:receive("*l"))
    until lines[#lines] == ""
    return link, peer, table.concat(lines, "\n")
  end

  it("is asked for a tunnel before the upgrade", function()
    local link, peer, request = through {}
    assert.matches("^CONNECT broker%.test:443 HTTP/1%.1\n", request)
    assert.matches("\nProxy%-Authorization: Basic dTpw\n", request)
    assert(peer:send("HTTP/1.1 200 Connection established\r\n\r\n"))
    assert.equal("GET / HTTP/1.1", assert(peer:receive("*l")))
    link:close()
    peer:close()
  end)

  it("sees TLS only behind the tunnel", function()
    local link, peer, request = through { secure = true, tls = { verify = false } }
    assert.matches("^CONNECT broker%.test:443 HTTP/1%.1\n", request)
    assert(peer:send("HTTP/1.1 200 OK\r\n\r\n"))
    -- a TLS record that holds a handshake (RFC 8446, 5.1), not an upgrade
    assert.equal("\22\3", assert(peer:receive(2)))
    link:close()
    peer:close()
  end)

  it("that refuses is named", function()
    local link, peer = through {}
    assert(peer:send("HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"))
    local how, _, err = wire.ending(link)
    assert.equal("broken", how)
    assert.equal("connect", err.kind)
    assert.equal(407, err.status)
    peer:close()
  end)
end)

describe("A listener", function()
  it("says which address it cannot have", function()
    local listener = wire.listen()
    local second, message, err = lws.listen { connect_port = listener:port() }
    assert.is_nil(second)
    assert.equal("connect", err.kind)
    assert.matches("127%.0%.0%.1:" .. listener:port() .. "$", message)
  end)

  it("has its port free again when closed, and lives on in its links", function()
    local client, server, listener = wire.pair()
    local port = listener:port()
    listener:close()
    listener:close()
    assert.equal(port, listener:port())
    assert.is_nil(listener:next())
    assert.matches("Connection refused", failure_of { connect_host = "127.0.0.1", connect_port = port })
    local again = assert(lws.listen { connect_port = port })
    assert.equal(port, again:port())
    if client:info().state == "connected" then
      assert.is_true(client:send("SEND", { destination = "/q" }, "x"))
      assert.equal("SEND", wire.next(server).command)
    end
  end)

  it("is readable while a link waits to be taken", function()
    local listener = wire.listen()
    assert.equal(0, lws.poll({ listener:pollfd() }, { "r" }, 0, {}))
    local first, second = wire.open(listener), wire.open(listener)
    assert.equal("CONNECT", wire.next(wire.accepted(listener)).command)
    assert.equal("CONNECT", wire.next(wire.accepted(listener)).command)
    assert.is_nil(listener:next())
    assert.equal(0, lws.poll({ listener:pollfd() }, { "r" }, 0, {}))
    listener:close()
    assert.equal(1, lws.poll({ listener:pollfd() }, { "r" }, 0, {}))
    first:close()
    second:close()
  end)

  it("ends links that nobody took when it is closed", function()
    local listener = wire.listen()
    local client = wire.open(listener)
    wire.await(function()
      return lws.poll({ listener:pollfd() }, { "r" }, 0.01, {}) == 1
    end)
    listener:close()
    assert.equal("broken", (wire.ending(client)))
  end)

  it("gives each accepted socket keep-alive and no delay #process", function()
    local listener = wire.listen()
    local client = wire.open(listener)
    local server = wire.accepted(listener)
    local pipe = assert(io.popen("env -u LD_PRELOAD ss -tnoH state established sport = :" .. listener:port()))
    local line = pipe:read("*a")
    pipe:close()
    assert.matches("timer:%(", line)
    client:close()
    server:close()
  end)
end)
