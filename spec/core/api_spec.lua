-- SPDX-License-Identifier: MIT
-- stomp.core as its users hold it: every call with its results, fields, what raises
-- and what returns an error. (What the machines say is in spec/vectors.)
local core = require "stomp.core"
local pair = require "spec.support.pair"

local function outcome(...)
  return { n = select("#", ...), ... }
end

-- An error as a program sees it: nil, message, err.
local function is_error(kind, name, results)
  assert.equal(3, results.n)
  assert.is_nil(results[1])
  local message, err = results[2], results[3]
  assert.equal(kind .. ": ", message:sub(1, #kind + 2))
  assert.equal(message, err.message)
  assert.equal(message, tostring(err))
  assert.equal(kind, err.kind)
  assert.equal(name, err.name)
  return err
end

-- Misuse: raised at the caller's line, with the name.
local function raises(text, f)
  local ok, problem = pcall(f)
  assert.is_false(ok)
  assert.truthy(problem:find("api_spec.lua:%d+: "), problem)
  assert.truthy(problem:find(text, 1, true), problem)
end

describe("core.parser", function()
  it("takes limits, a version and bytes, and gives frames, beats and nothing", function()
    local parser = core.parser({ frame = 100, headers = 90, header_line = 80, header_count = 2 }, "1.1")
    assert.same({ n = 1, true }, outcome(parser:feed("\nSEND\na:b\n\n")))
    assert.same({ n = 1, "heartbeat" }, outcome(parser:next()))
    assert.same({ n = 1 }, outcome(parser:next()))
    assert.is_true(parser:feed("body\0"))
    local frame = parser:next()
    assert.equal("SEND", frame.command)
    assert.same({ a = "b" }, frame.headers)
    assert.equal("body", frame.body)
    assert.is_nil(frame.nonsense)
  end)

  it("changes its version between two frames of one chunk", function()
    local parser = core.parser(nil, "1.0")
    parser:feed("SEND\na: b\\n\n\n\0SEND\na: b\\n\n\n\0")
    assert.equal("b\\n", parser:next().headers.a)
    parser:version("1.2")
    assert.equal(" b\n", parser:next().headers.a)
  end)

  it("fails for good, with the octet", function()
    local parser = core.parser()
    assert.is_true(parser:feed("\n\nNO\n"))
    assert.equal("heartbeat", parser:next())
    assert.equal("heartbeat", parser:next())
    for _ = 1, 2 do
      assert.equal(2, is_error("protocol", "ECOMMAND", outcome(parser:next())).offset)
      is_error("protocol", "ECOMMAND", outcome(parser:feed("\n")))
    end
    parser = core.parser { frame = 40 }
    parser:feed("SEND\ncontent-length:30\n\n")
    is_error("limit", "LFRAME", outcome(parser:next()))
  end)

  it("raises what is misuse", function()
    raises("unknown option 'frames'", function() local _ = core.parser { frames = 1 } end)
    raises("option 'frame': number expected, got string", function() local _ = core.parser { frame = "1" } end)
    raises("option 'frame' is out of range", function() local _ = core.parser { frame = -1 } end)
    raises('"1.0", "1.1" or "1.2" expected', function() local _ = core.parser(nil, "2.0") end)
    raises("string expected", function() core.parser():feed() end)
  end)
end)

describe("core.encode", function()
  it("takes a table, or a list where order or repetition matters", function()
    assert.equal("SEND\na:1\n\n\0", core.encode("SEND", { a = 1 }))
    assert.equal("SEND\na:true\nb:x\na:2.5\ncontent-length:1\n\nx\0",
      core.encode("SEND", { { "a", true }, { "b", "x" }, { "a", 2.5 } }, "x"))
    assert.equal("MESSAGE\na:b\\rc\n\n\0", core.encode("MESSAGE", { a = "b\rc" }, "", "1.2"))
    assert.equal("DISCONNECT\n\n\0", core.encode("DISCONNECT"))
  end)

  it("refuses by name what cannot be sent", function()
    local err = is_error("invalid", "IHEADER", outcome(core.encode("MESSAGE", { a = "b\rc" }, "", "1.1")))
    assert.truthy(err.message:find(": a: ", 1, true))
    is_error("invalid", "ICOMMAND", outcome(core.encode("NOPE", {}, "")))
    is_error("invalid", "IBODY", outcome(core.encode("ACK", { id = "1" }, "x")))
  end)

  it("writes numbers so that they can be read again", function()
    local function text_of(number)
      return core.encode("SEND", { a = number }, ""):match("\na:([^\n]*)\n")
    end
    for text, number in pairs {
      ["10"] = 10.0, ["-3"] = -3, ["0.1"] = 0.1, ["5.4"] = 5.4, ["-0.25"] = -0.25,
      ["1000000000000000"] = 1e15, ["9007199254740992"] = 2 ^ 53, ["-9007199254740992"] = -2 ^ 53,
      ["1000000000000000000"] = 1e18, ["9223372036854774784"] = 2 ^ 63 - 1024,
      ["-9223372036854775808"] = -2 ^ 63, ["9.223372036854776e+18"] = 2 ^ 63, ["1e+300"] = 1e300,
      ["0.30000000000000004"] = 0.1 + 0.2, ["1700000000.123456"] = 1700000000.123456,
      ["inf"] = 1 / 0,
    } do
      assert.equal(text, text_of(number))
      assert.is_true(tonumber(text) == number or number == 1 / 0)
    end
    for _, number in ipairs { 1 / 3, 2 / 3 * 1e-300, 123456789012345.6, math.pi * 1e200 } do
      assert.equal(number, tonumber(text_of(number)))
    end
    if _VERSION >= "Lua 5.3" then -- integers of 64 bits
      for _, text in ipairs { "12345678901234567", "9223372036854775807", "-9223372036854775807" } do
        assert.equal(text, text_of(tonumber(text)))
      end
    end
  end)

  it("raises what is misuse", function()
    raises("header 'a': string, number or boolean expected, got table",
      function() local _ = core.encode("SEND", { a = {} }) end)
    raises("table expected", function() local _ = core.encode("SEND", "a") end)
  end)
end)

describe("core.connection and core.session", function()
  it("read host, path and query from the URL", function()
    for url, want in pairs {
      ["ws://a"] = { "/", "a" }, ["ws://a:81/b/c?d=e"] = { "/b/c?d=e", "a:81" },
      ["wss://[::1]:443/x"] = { "/x", "[::1]:443" }, ["ws://a?b=/c"] = { "/?b=/c", "a" },
    } do
      local c = core.connection { url = url }
      assert(c:connect(0))
      local request = c:output()
      assert.truthy(request:find("^GET " .. want[1]:gsub("%p", "%%%0") .. " HTTP/1.1\r\n"), request)
      assert.truthy(request:find("\r\nHost: " .. want[2] .. "\r\n", 1, true), request)
    end
    for _, url in ipairs { "http://a/", "a", "ws:///x", "ws://u:p@a/", "ws://a/#b" } do
      raises("option 'url'", function() local _ = core.connection { url = url } end)
    end
  end)

  it("have fields in every state", function()
    local c = core.session {}
    assert.same({ "idle", nil, 0 }, { c.state, c.version, c.receipts })
    assert.same({ n = 1, true }, outcome(c:connect(0)))
    assert.equal("connecting", c.state)
    assert.equal("CONNECT\n", c:output():sub(1, 8))
    assert.same({ n = 1, true }, outcome(c:feed("CONNECTED\nversion:1.1\nheart-beat:5000,0\n\n\0", 0)))
    assert.equal("CONNECTED", c:next().command)
    assert.same({ n = 1 }, outcome(c:next()))
    assert.same({ "connected", "1.1", 0, false }, { c.state, c.version, c.receipts, c.compression })
    assert.same({ send = 0, receive = 10 }, c.heartbeat)
    assert.same({ n = 1, true }, outcome(c:send("SEND", { destination = "/a", receipt = "r" }, "x")))
    assert.equal(1, c.receipts)
    local receipt = c:disconnect(1)
    assert.equal("string", type(receipt))
    assert.equal("disconnecting", c.state)
    assert.equal(2, c.receipts)
    assert(c:feed("RECEIPT\nreceipt-id:" .. receipt .. "\n\n\0", 1))
    assert.equal(receipt, c:next().headers["receipt-id"])
    assert.equal("closed", c.state)
    assert.is_true(c:wants_end())
    assert.same({ n = 1, true }, outcome(c:closed()))
    assert.is_nil(c.nonsense)
  end)

  it("have a deadline where something is due, and tick does it", function()
    local c = core.session { heartbeat = { send = 1, receive = 2 }, heartbeat_margin = 0.5, heartbeat_grace = 0.5 }
    assert.same({ n = 1 }, outcome(c:deadline()))
    assert(c:connect(10))
    c:output()
    assert(c:feed("CONNECTED\nversion:1.2\nheart-beat:1000,1000\n\n\0", 10))
    assert.equal(10.5, c:deadline())
    assert.same({ n = 1, true }, outcome(c:tick(10.4)))
    assert.equal("", c:output())
    assert.is_true(c:tick(10.5))
    assert.equal("\n", c:output())
    c:pause(11)
    assert.is_true(c:tick(20))
    c:resume(20)
    c:output()
    assert.is_true(c:tick(22.9))
    is_error("heartbeat", "HLOST", outcome(c:tick(23)))
    is_error("heartbeat", "HLOST", outcome(c:closed()))
  end)

  it("refuses a margin and a grace that are out of range, with the name", function()
    -- these were 0 once, in 32 bits
    for _, margin in ipairs { 0.9996, 1, 4294967.296, 1e12 } do
      raises("option 'heartbeat_margin' must be less than 1",
        function() local _ = core.session { heartbeat_margin = margin } end)
    end
    for _, grace in ipairs { 1e6, 4294967.296, 1e12 } do
      raises("option 'heartbeat_grace' must be less than 1000000",
        function() local _ = core.session { heartbeat_grace = grace } end)
    end
    assert(core.session { heartbeat_margin = 0.999, heartbeat_grace = 999999 })
  end)

  it("refuse with nil, message, err what may not be sent, and queue nothing", function()
    local c = core.session { limits = { table = 2, receipts = 1 } }
    is_error("invalid", "ISTATE", outcome(c:send("SEND", { destination = "/a" })))
    assert(c:connect(0))
    is_error("invalid", "ISTATE", outcome(c:connect(0)))
    assert(c:feed("CONNECTED\nversion:1.2\n\n\0", 0))
    c:output()
    is_error("invalid", "IREQUIRED", outcome(c:send("SEND", {})))
    assert(c:send("SUBSCRIBE", { id = "1", destination = "/a" }))
    assert(c:send("SUBSCRIBE", { id = "2", destination = "/a" }))
    is_error("invalid", "IDUPLICATE", outcome(c:send("SUBSCRIBE", { id = "2", destination = "/a" })))
    assert.truthy(is_error("limit", "LTABLE", outcome(c:send("SUBSCRIBE", { id = "3", destination = "/a" })))
      .message:find("limits.table", 1, true))
    assert(c:send("BEGIN", { transaction = "1", receipt = "r" }))
    is_error("limit", "LRECEIPTS", outcome(c:send("BEGIN", { transaction = "2", receipt = "s" })))
    local _, n = c:output():gsub("%z", "")
    assert.equal(3, n)
    raises("no STOMP command: 'NOPE'", function() c:send("NOPE", {}) end)
    raises("number expected", function() c:feed("") end)
  end)

  it("accept and refuse as a server", function()
    local p = pair.new()
    p.client:connect(0)
    p:pump()
    assert.equal("CONNECT", p.server:next().command)
    assert.same({ n = 1, true }, outcome(p.server:accept(0, { server = "mine" })))
    p:pump()
    assert.equal("mine", p.client:next().headers.server)

    p = pair.new()
    p.client:connect(0)
    p:pump()
    p.server:next()
    assert.same({ n = 1, true }, outcome(p.server:refuse("no", "not today")))
    p:pump()
    local frame = p.client:next()
    assert.same({ "ERROR", "no", "not today" }, { frame.command, frame.headers.message, frame.body })
    is_error("broker", "BERROR", outcome(p.client:next()))
  end)

  it("take random bytes from the option", function()
    local asked = 0
    local c = core.connection { url = "ws://a/", random = function(n)
      asked = asked + n
      return ("\0"):rep(n)
    end }
    assert(c:connect(0))
    assert.truthy(c:output():find("\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", 1, true))
    assert.is_true(asked >= 16)
  end)
end)
