-- SPDX-License-Identifier: MIT
-- permessage-deflate between two core.connections: agreed on in the upgrade, used
-- for what is worth it, limited while it is inflated. (Corrupt data, all terms and
-- bombs of a GiB are in spec/vectors/websocket_deflate.md and spec/c.)
local core = require "stomp.core"
local pair = require "spec.support.pair"

local function zeroes(n)
  return ("\0"):rep(n)
end

local function json(rows)
  local list = {}
  for i = 1, rows do
    list[i] = ('{"symbol":"LUA-%d","price":%.2f,"side":"%s"}'):format(i, i * 1.07 % 13, i % 3 == 0 and "buy" or "sell")
  end
  return "[" .. table.concat(list, ",") .. "]"
end

local function message(p, body)
  assert(p.server:send("MESSAGE", { subscription = "s", destination = "/queue/a", ["message-id"] = "1" }, body))
end

local function subscribed(client, server, piece)
  local p = pair.new(client, server, piece)
  p:connect()
  assert(p.client:send("SUBSCRIBE", { id = "s", destination = "/queue/a" }))
  assert(p:pump())
  p:frames("server")
  return p
end

describe("compression in core.connection", function()
  it("is agreed on where both want it, else not used", function()
    for _, client in ipairs { false, true } do
      for _, server in ipairs { false, true } do
        local p = subscribed({ compression = client }, { compression = server })
        assert.equal(client and server, p.client.compression)
        assert.equal(client and server, p.server.compression)
        message(p, json(100))
        assert.equal(client and server, #p.server:output() < #json(100))
      end
    end
    assert.is_false(core.session({}).compression)
    assert.is_false(core.connection({ url = "ws://a/", compression = true }).compression)
  end)

  it("is off unless asked for", function()
    local c = core.connection { url = "ws://a/" }
    assert(c:connect(0))
    assert.is_nil(c:output():find("Extensions", 1, true))
    c = core.connection { url = "ws://a/", compression = true }
    assert(c:connect(0))
    assert.truthy(c:output():find("\r\nSec-WebSocket-Extensions: permessage-deflate;"
      .. " client_max_window_bits\r\n", 1, true))
  end)

  for _, piece in ipairs { 1, 7, 1000, 1000000 } do
    it("carries large bodies both ways in pieces of " .. piece, function()
      local p = subscribed({ compression = true }, { compression = true }, piece)
      local bodies = { json(300), "short", json(1), "", ("\255\0"):rep(9000), json(300), json(300) }
      for _, body in ipairs(bodies) do
        assert(p.client:send("SEND", { destination = "/queue/a" }, body))
        message(p, body)
      end
      assert(p:pump())
      local sent, got = p:frames("server"), p:frames("client")
      local size = 0
      for i, body in ipairs(bodies) do
        assert.equal(body, sent[i].body)
        assert.equal(body, got[i].body)
        size = size + #body
      end
      for _, side in ipairs { "client", "server" } do
        local counts = p[side]:counts()
        assert.is_true(counts.bytes_sent * 5 < size, counts.bytes_sent)
        assert.is_true(counts.bytes_received * 5 < size)
      end
    end)
  end

  it("lets no CONNECT, DISCONNECT or beat into the window", function()
    local secret = ("swordfish"):rep(20)
    local p = pair.new({ compression = true, passcode = secret, random = zeroes }, { compression = true })
    assert(p.client:connect(0))
    assert(p.server:feed(p.client:output(), 0))
    assert(p.client:feed(p.server:output(), 0))
    local bytes = p.client:output()
    assert.equal(0x81, bytes:byte(1))
    assert.truthy(bytes:find("passcode:" .. secret, 1, true))
    assert(p.server:feed(bytes, 0))
    assert(p.server:next())
    assert(p.server:accept(0))
    assert(p:pump())
    -- it costs as much as what was never said
    local sizes = {}
    for i, text in ipairs { secret, ("goldenrod"):rep(20) } do
      assert(p.client:send("SEND", { destination = "/queue/" .. i }, text))
      bytes = p.client:output()
      assert.equal(0xc1, bytes:byte(1))
      sizes[i] = #bytes
      assert(p.server:feed(bytes, 0))
    end
    assert.is_true(sizes[1] >= sizes[2])
  end)

  it("has the limit of a frame while it is inflated", function()
    local p = subscribed({ compression = true, limits = { frame = 100000 } }, { compression = true })
    message(p, ("a"):rep(1048576))
    local bytes = p.server:output()
    assert.is_true(#bytes < 2000)
    local ok, text, err = p.client:feed(bytes, 0)
    assert.is_nil(ok)
    assert.equal("limit", err.kind)
    assert.equal("LFRAME", err.name)
    assert.truthy(text:find("limits.frame", 1, true))
    assert(p.server:feed(p.client:output(), 0))
    assert.equal(1009, select(3, p.server:closed()).code)
  end)

  it("has a limit of the ratio beyond the first MiB", function()
    for ratio, name in pairs { [10] = "WRATIO", [200] = "WRATIO", [0] = "none", [5000] = "none" } do
      local p = subscribed({ compression = true, limits = { inflate_ratio = ratio } }, { compression = true })
      message(p, ("a"):rep(1000000))
      message(p, ("a"):rep(4000000))
      local ok, _, err = p.client:feed(p.server:output(), 0)
      assert.equal(name, ok and "none" or err.name)
      local frames = {}
      for frame in function() return (p.client:next()) end do frames[#frames + 1] = frame end
      assert.equal(1000000, #frames[1].body)
      assert.equal(ok and 2 or 1, #frames)
      if not ok then
        assert.equal("limit", err.kind)
        assert(p.server:feed(p.client:output(), 0))
        assert.equal(1009, select(3, p.server:closed()).code)
      end
    end
  end)

  it("ends with 1007 for corrupt data, which has an offset and zlib's words", function()
    local p = subscribed({ compression = true }, { compression = true })
    local ok, text, err = p.client:feed("\193\3\0\0\7", 0)
    assert.is_nil(ok)
    assert.equal("WINFLATE", err.name)
    assert.equal("protocol", err.kind)
    assert.truthy(text:find("corrupt", 1, true))
    assert.is_number(err.offset)
    assert(p.server:feed(p.client:output(), 0))
    assert.equal(1007, select(3, p.server:closed()).code)
  end)

  it("goes on with the next message where invalid frames are ignored", function()
    local p = subscribed({ compression = true, on_invalid_frame = "ignore" }, { compression = true })
    message(p, "x")
    assert(p:pump())
    local websocket = core.websocket { role = "server", compression = true }
    assert(websocket:send("text", ("no frame\n"):rep(5000)))
    assert(p.client:feed(websocket:output(), 0))
    assert.equal("x", p:frames("client")[1].body)
    assert.equal("ECOMMAND", select(2, p.client:warning()).name)
    assert(websocket:send("text", "RECEIPT\nreceipt-id:" .. ("r"):rep(100) .. "\n\n\0"))
    assert(p.client:feed(websocket:output(), 0))
    assert.equal("RECEIPT", p:frames("client")[1].command)
  end)

  it("checks text where it is to be UTF-8", function()
    for _, strict in ipairs { false, true } do
      local p = pair.new({ binary = "never", compression = true }, { strict_utf8 = strict, compression = true })
      p:connect()
      assert(p.client:send("SEND", { destination = "/queue/a" }, ("\255"):rep(1000)))
      local ok, _, err = p:pump()
      assert.equal(strict and "WUTF8", not ok and err.name)
    end
  end)

  it("reads an answer that agrees on something else as a failed upgrade", function()
    local server = core.connection { role = "server", compression = true }
    local client = core.connection { url = "ws://a/", compression = true }
    assert(client:connect(0))
    assert(server:feed(client:output(), 0))
    local answer = server:output():gsub("permessage%-deflate", "%0; level=9")
    local ok, text, err = client:feed(answer, 0)
    assert.is_nil(ok)
    assert.equal("upgrade", err.kind)
    assert.equal("UDEFLATE", err.name)
    assert.truthy(text:find("level", 1, true))
  end)
end)
