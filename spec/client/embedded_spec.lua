-- SPDX-License-Identifier: MIT
-- The client and the embedded broker, over sockets and the I/O thread.
local broker_module = require "stomp.broker"
local stomp = require "stomp"
local suite = require "spec.support.session_suite"

describe("on the embedded broker a client", function()
  local broker
  setup(function()
    broker = assert(broker_module.listen("ws://127.0.0.1:0/ws", { logins = { me = "secret" } }))
  end)
  teardown(function() broker:close() end)

  suite({ it = it, after_each = after_each }, function() return broker.url, "me", "secret" end)

  it("may be left to the collector while open: its connection ends", function()
    local seen = setmetatable({}, { __mode = "k" })
    local function leave()
      local client = assert(stomp.connect(broker.url, { login = "me", passcode = "secret" }))
      assert(client:subscribe("/queue/left", function() end))
      client:receive(0.01)
      seen[client] = true
    end
    leave()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it("has no more RECEIPTs outstanding than limits.receipts", function()
    local client = assert(stomp.connect(broker.url, { login = "me", passcode = "secret", limits = { receipts = 3 } }))
    broker:misbehave { withhold_receipts = true }
    for _ = 1, 3 do assert(client:send("/queue/limit", "x", nil, { confirm = "later" })) end
    local ok, message, err = client:send("/queue/limit", "x", nil, { confirm = "later" })
    broker:misbehave()
    assert.is_nil(ok)
    assert.equal("limit", err.kind)
    assert.truthy(message:find("receipts", 1, true), message)
    assert.equal(3, client:stats().receipts_outstanding)
    assert.is_true(client:send("/queue/limit", "x"))
    client:close()
  end)

  it("compresses where both want it", function()
    local other = assert(broker_module.listen("ws://127.0.0.1:0/ws", { compression = true }))
    local body = ('{"symbol":"LUA","price":5.4},'):rep(1000)
    for _, url in ipairs { broker.url, other.url } do
      local client = assert(stomp.connect(url, { login = "me", passcode = "secret", compression = true }))
      local agreed = url == other.url
      assert.equal(agreed, client.compression)
      local subscription = assert(client:subscribe("/queue/compressed"))
      for i = 1, 5 do
        assert(client:send("/queue/compressed", body .. i, nil, { confirm = true }))
        assert.equal(body .. i, assert(subscription:receive(10)).body)
      end
      local stats = client:stats()
      assert.equal(agreed, stats.bytes_sent < #body)
      assert.equal(agreed, stats.bytes_received < #body)
      assert.is_true(client:disconnect())
    end
    other:close()
  end)
end)
