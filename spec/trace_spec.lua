-- SPDX-License-Identifier: MIT
-- What a trace shows, and what it hides.
local trace = require "stomp.trace"

local function traced(redact)
  local lines = {}
  local one = trace.new(function(direction, text)
    lines[#lines + 1] = direction .. "> " .. text
  end, redact)
  return one, lines
end

-- What f writes to stderr.
local function stderr_of(f)
  local real, said = io.stderr, {}
  local function keep(_, ...) said[#said + 1] = table.concat { ... } end
  io.stderr = { write = keep } -- luacheck: ignore 122 (put back below)
  local ok, problem = pcall(f)
  io.stderr = real -- luacheck: ignore 122 (as it was)
  assert(ok, problem)
  return said
end

describe("stomp.trace", function()
  it("is nothing where it was not asked for", function()
    assert.is_nil(trace.new(nil))
    assert.is_nil(trace.new(false))
  end)

  it("writes a line a frame, headers by name", function()
    local one, lines = traced()
    one:frame("send", "SEND", { destination = "/queue/a", b = 1, a = true }, "hello")
    one:frame("receive", "RECEIPT", { { "receipt-id", "7" }, { "a", "x" } }, "")
    one:frame("send", "BEGIN")
    one:inform("closed")
    assert.same({
      "send> SEND a:true b:1 destination:/queue/a | hello",
      "receive> RECEIPT receipt-id:7 a:x",
      "send> BEGIN",
      "info> closed",
    }, lines)
  end)

  it("cuts a body at 200 bytes and says how long it is", function()
    local one, lines = traced()
    one:frame("send", "SEND", {}, ("x"):rep(200))
    one:frame("send", "SEND", {}, ("x"):rep(201))
    assert.equal("send> SEND | " .. ("x"):rep(200), lines[1])
    assert.equal("send> SEND | " .. ("x"):rep(200) .. "… (201 bytes)", lines[2])
  end)

  it("breaks neither the line nor the terminal", function()
    local one, lines = traced()
    one:frame("receive", "MESSAGE", { ["a\27[2J"] = "b\nc" }, "\0\r\n\127\194\155x ä")
    one:inform("x\27y")
    assert.equal("receive> MESSAGE a\\x1b[2J:b\\nc | \\x00\\r\\n\\x7f\\xc2\\x9bx ä", lines[1])
    assert.equal("info> x\\x1by", lines[2])
  end)

  it("hides secrets, in any case of letters", function()
    local one, lines = traced { "X-Token", "tenant" }
    for _, name in ipairs {
      "passcode", "Passcode", "Authorization", "AUTHORIZATION", "Proxy-Authorization", "Cookie",
      "Set-Cookie", "x-token", "X-TOKEN", "Tenant",
    } do
      one:frame("send", "CONNECT", { [name] = "hunter2", login = "me" })
      one:frame("send", "CONNECT", { { name, "hunter2" }, { "login", "me" } })
    end
    assert.equal(20, #lines)
    for _, line in ipairs(lines) do
      assert.is_nil(line:find("hunter2", 1, true))
      assert.truthy(line:find("login:me", 1, true))
      assert.truthy(line:find("[redacted]", 1, true))
    end
  end)

  it("goes to stderr for true", function()
    local said = stderr_of(function()
      trace.new(true):frame("send", "BEGIN", { transaction = "t" })
    end)
    assert.same({ "stomp send: BEGIN transaction:t\n" }, said)
  end)

  it("never raises into who is traced: it says so once and is off", function()
    local n = 0
    local said = stderr_of(function()
      local one = trace.new(function()
        n = n + 1
        error("no disk")
      end)
      for _ = 1, 3 do
        one:frame("send", "BEGIN", {})
        one:inform("x")
      end
    end)
    assert.equal(1, n)
    assert.equal(1, #said)
    assert.truthy(said[1]:find("no disk", 1, true))
  end)
end)
