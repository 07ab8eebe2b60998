-- SPDX-License-Identifier: MIT
-- What a peer can do wrong, seen by stomp.connect and a client over real sockets:
-- each is nil, message, err of the right kind, with a sentence that helps, and
-- never a hang.
local server = require "spec.support.scripted_server"
local stomp = require "stomp"

local slow = os.getenv("STOMP_TEST_SLOW") and 5 or 1

local stop

local function start(script)
  local port
  port, stop = server.start(script)
  return "ws://127.0.0.1:" .. port .. "/ws"
end

local function options(more)
  local o = { timeout = 5 * slow, heartbeat = { send = 0, receive = 0 } }
  for k, v in pairs(more or {}) do o[k] = v end
  return o
end

-- connect must fail so
local function refused(url, kind, pattern, more)
  local client, message, err = stomp.connect(url, options(more))
  assert.is_nil(client)
  assert.equal(kind, err.kind, message)
  assert.matches(pattern, message)
  assert.equal(message, tostring(err))
  return err
end

-- a connected client must end so after the script has sent this
local function ends(bytes, kind, pattern, more)
  local url = start(function(c)
    c:connected()
    c:write(bytes)
    c:wait_end()
  end)
  local client = assert(stomp.connect(url, options(more)))
  local ok, message, err = client:run(10 * slow)
  assert.is_nil(ok)
  assert.equal(kind, err.kind, message)
  assert.matches(pattern, message)
  assert.equal("closed", client.state)
  return err
end

describe("bad input", function()
  before_each(function() stop = nil end)
  after_each(function() if stop then stop() end end)

  describe("at the upgrade", function()
    for _, case in ipairs {
      { "404", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", "status 404", 404 },
      { "401", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "status 401", 401 },
      { "a redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n",
        "not followed", 302 },
      { "garbage", "SSH-2.0-OpenSSH_9.2\r\n", "not HTTP" },
      { "a wrong accept key", "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", "wrong Sec%-WebSocket%-Accept", 101 },
    } do
      it("is refused with " .. case[1], function()
        local err = refused(start(function(c)
          c:read_until("\r\n\r\n")
          c:write(case[2])
          c:wait_end()
        end), "upgrade", case[3])
        assert.equal(case[4], err.status)
      end)
    end

    it("is refused with a body that has no end", function()
      local err = refused(start(function(c)
        c:read_until("\r\n\r\n")
        c:write("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n")
        c:wait_end()
      end), "upgrade", "status 404")
      assert.equal(404, err.status)
      assert.matches("gone", err.body)
    end)

    it("is refused with an extension that was not offered, in whichever line", function()
      refused(start(function(c)
        c:upgrade("Sec-WebSocket-Extensions: \r\nSec-WebSocket-Extensions: permessage-deflate\r\n")
        c:wait_end()
      end), "upgrade", "not offered: permessage%-deflate")
    end)

    it("is refused with a subprotocol that was not offered", function()
      refused(start(function(c)
        c:upgrade("Sec-WebSocket-Protocol: chat\r\n")
        c:wait_end()
      end), "upgrade", "not offered: chat")
    end)

    it("ends when the answer has no end", function()
      refused(start(function(c)
        c:read_until("\r\n\r\n")
        c:write("HTTP/1.1 101 X\r\n" .. ("X-Line: " .. ("x"):rep(1000) .. "\r\n"):rep(100))
        c:wait_end()
      end), "limit", "too long")
    end)
  end)

  describe("on the way there", function()
    it("is a URL that is none", function()
      refused("http://localhost", "invalid", "http")
      refused("nonsense", "invalid", "URL")
    end)

    it("is an unknown host", function()
      refused("ws://no-such-host.invalid/", "connect", "no%-such%-host.invalid")
    end)

    it("is a refused port", function()
      refused("ws://127.0.0.1:1/", "connect", "refused: 127.0.0.1:1")
    end)

    it("is a silent server", function()
      local started = stomp.now()
      refused(start(function(c) c:wait_end() end), "timeout", "no CONNECTED", { timeout = 0.3 })
      assert.is_true(stomp.now() - started < 3 * slow)
    end)

    it("is a refused login", function()
      local err = refused(start(function(c)
        c:upgrade()
        c:read()
        c:text("ERROR\nmessage:Bad CONNECT\n\nAccess refused for user 'guest'\n\0")
        c:wait_end()
      end), "broker", "Access refused for user 'guest'")
      assert.is_true(err.permanent)
      assert.equal("Bad CONNECT", err.frame.headers.message)
    end)
  end)

  describe("in a session", function()
    it("is a malformed frame, with its offset", function()
      local err = ends(server.text("MESSAGE\nno colon\n\n\0"), "protocol", "without a colon: no colon")
      assert.equal(#server.connected + 8, err.offset)
    end)

    it("is ignored, told to on_error, and survived with on_invalid_frame = ignore", function()
      local url = start(function(c)
        c:connected()
        c:read() -- SUBSCRIBE
        c:text("MESSAGE\nno colon\n\n\0")
        c:text("MESSAGE\nsubscription:sub-1\ndestination:/a\nmessage-id:1\n\nstill here\0")
        c:wait_end()
      end)
      local told = {}
      local client = assert(stomp.connect(url, options {
        on_invalid_frame = "ignore",
        on_error = function(message, err) told[#told + 1] = { message, err } end,
      }))
      local subscription = assert(client:subscribe("/a"))
      assert.equal("still here", assert(subscription:receive(5 * slow)).body)
      local deadline = stomp.now() + 5 * slow
      while #told == 0 and stomp.now() < deadline do client:run(0.02) end
      assert.equal("protocol", told[1][2].kind)
      assert.matches("no colon", told[1][1])
      assert.equal("connected", client.state)
      client:close()
    end)

    it("is an incomplete frame, then a close", function()
      ends(server.text("MESSAGE\ndestination:/a\n") .. "\x88\x02\x03\xe8", "closed", "inside a frame")
    end)

    it("is a frame over the limit", function()
      ends(server.text("MESSAGE\ndestination:/a\nmessage-id:1\ncontent-length:5000\n\n"), "limit",
        "content%-length 5000", { limits = { frame = 4096 } })
    end)

    it("is a header block without end", function()
      local line = "a:" .. ("b"):rep(500) .. "\n"
      ends(server.text("MESSAGE\n" .. line:rep(20)), "limit", "limits.headers", { limits = { headers = 4096 } })
    end)

    it("is too many headers", function()
      ends(server.text("MESSAGE\n" .. ("a:b\n"):rep(20)), "limit", "header_count", { limits = { header_count = 10 } })
    end)

    it("is a content-length that lies", function()
      ends(server.text("MESSAGE\ndestination:/a\nmessage-id:1\ncontent-length:2\n\nabc\0"), "protocol", "no NUL after")
    end)

    it("is an ERROR frame", function()
      local err = ends(server.text("ERROR\nmessage:Unknown destination\n\n'/foo' is none\n\0"), "broker",
        "Unknown destination: '/foo' is none")
      assert.equal("ERROR", err.frame.command)
    end)

    it("is a second CONNECTED", function()
      ends(server.text(server.connected), "protocol", "CONNECTED while connected")
    end)

    it("is a masked frame, a reserved bit, an unknown opcode", function()
      ends("\x81\x81\0\0\0\0\n", "protocol", "masked")
      ends("\xc1\x01\n", "protocol", "reserved")
      ends("\x83\x01\n", "protocol", "opcode")
    end)

    it("is a close 1000 that nobody asked for", function()
      local err = ends("\x88\x0e\x03\xe8STOMP died\x20\x20", "closed", "see the broker's log")
      assert.equal(1000, err.code)
    end)

    it("is silence where heart-beats were promised", function()
      local url = start(function(c)
        c:upgrade()
        c:read()
        c:text("CONNECTED\nversion:1.2\nheart-beat:200,0\n\n\0")
        c:wait_end()
      end)
      local client = assert(stomp.connect(url, options { heartbeat = { send = 0, receive = 0.2 } }))
      local ok, message, err = client:run(10 * slow)
      assert.is_nil(ok)
      assert.equal("heartbeat", err.kind)
      assert.matches("promised a heart%-beat every 200 ms", message)
    end)

    it("is a RECEIPT that never comes", function()
      local url = start(function(c)
        c:connected()
        c:wait_end()
      end)
      local client = assert(stomp.connect(url, options()))
      local ok, message, err = client:send("/queue/a", "x", nil, { confirm = true, timeout = 0.2 })
      assert.is_nil(ok)
      assert.equal("timeout", err.kind)
      assert.equal("unknown", err.outcome)
      assert.matches("no RECEIPT for SEND /queue/a within 0.2 s", message)
      client:close()
    end)
  end)

  describe("is a connection cut", function()
    local answer -- the 101, whose key differs each time but not its length

    it("at every byte of the upgrade", function()
      answer = 0
      local url = start(function(c)
        local key = c:read_until("\r\n\r\n"):match("Sec%-WebSocket%-Key: (%S+)")
        local whole = require "spec.support.wire".switching(key)
        if answer < #whole then c:write(whole:sub(1, answer)) end
      end)
      for n = 0, 120, 7 do
        answer = n
        local client, message, err = stomp.connect(url, options())
        assert.is_nil(client)
        assert.is_true(err.kind == "upgrade" or err.kind == "closed", message)
      end
    end)

    it("at every byte of CONNECTED, MESSAGE and RECEIPT", function()
      local whole = server.text(server.connected)
        .. server.text("MESSAGE\nsubscription:sub-1\ndestination:/a\nmessage-id:1\n\nhello\0")
        .. server.text("RECEIPT\nreceipt-id:r-1\n\n\0")
      local cut
      local url = start(function(c)
        c:upgrade()
        c:read()
        c:write(whole:sub(1, cut))
        -- nothing of the client's is left unread, or the end would be a reset
        if cut >= #server.text(server.connected) then c:read() end
      end)
      for n = 0, #whole, 3 do
        cut = n
        local client, message, err = stomp.connect(url, options())
        if client then
          local subscription = client:subscribe("/a")
          local frame, text, problem
          if subscription then frame, text, problem = subscription:receive(5 * slow) end
          if frame then
            assert.equal("hello", frame.body)
          else
            message, err = text, problem
          end
          client:close()
        end
        assert.is_true(client ~= nil or err.kind == "closed", message)
        assert.is_true(err == nil or err.kind == "closed", message)
      end
    end)
  end)
end)
