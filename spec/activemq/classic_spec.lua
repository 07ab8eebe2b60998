-- SPDX-License-Identifier: MIT
-- The client and ActiveMQ Classic, 5 and 6, over its ws connector.
local activemq = require "spec.support.activemq"
local activemq_suite = require "spec.support.activemq_suite"
local fixture = require "spec.support.fixture"
local session_suite = require "spec.support.session_suite"

for _, kind in ipairs { "classic", "classic6" } do
  describe("on ActiveMQ " .. kind .. " a client #activemq", function()
    local broker
    setup(function() broker = activemq.start(kind) end)
    teardown(function() broker:stop() end)

    session_suite({ it = it, after_each = after_each },
      function() return broker.configured, "admin", "admin" end, {
        ["keeps bodies of any bytes and headers of any text"] = "bytes: below",
        ["ends an unknown destination with an error that names the frame"] = "any name is a queue",
      })
    activemq_suite({ it = it, after_each = after_each }, function() return broker end)

    local queue = activemq.queue

    it("refuses bodies that are not UTF-8, which the broker would ignore", function()
      local client = assert(broker:connect())
      fixture.failure("invalid", client:send(queue "bytes", "\255", nil, { confirm = true }))
      assert(client:disconnect())
      local err = fixture.failure("timeout", broker:connect { binary = "always", timeout = 2 })
      assert.truthy(err.hint:find("ignores binary", 1, true))
    end)

    it("is told of the 64 KiB that a message may have as it is installed", function()
      local client = assert(broker:connect { url = broker.url })
      assert(client:send(queue "large", ("x"):rep(60000), nil, { confirm = true }))
      local err = fixture.failure("closed", client:send(queue "large", ("x"):rep(65536), nil, { confirm = true }))
      assert.equal(1009, err.code)
      assert.truthy(err.hint:find("websocket.maxTextMessageSize", 1, true))
    end)

    it("has what it rejects moved to the queue of dead letters", function()
      local client, rejected = assert(broker:connect()), queue "nack"
      local subscription = assert(client:subscribe(rejected, { ack = "client-individual", confirm = true }))
      assert(client:send(rejected, "bad", nil, { confirm = true }))
      assert(assert(subscription:receive(10)):nack())
      fixture.failure("timeout", subscription:receive(0.3))
      local dead = assert(client:subscribe("/queue/ActiveMQ.DLQ", { ack = "client-individual" }))
      local message = assert(dead:receive(10))
      assert.equal(rejected, message.headers["original-destination"])
      assert(message:ack())
      assert(client:disconnect())
    end)

    it("is told that a NACK cannot be committed", function()
      local client, name = assert(broker:connect()), queue "rollback"
      local subscription = assert(client:subscribe(name, { ack = "client-individual", confirm = true }))
      assert(client:send(name, "1", nil, { confirm = true }))
      local t = assert(client:begin())
      assert(t:nack(assert(subscription:receive(10))))
      local err = fixture.failure("broker", t:commit { confirm = true, timeout = 10 })
      assert.truthy(err.hint:find("commit a NACK", 1, true))
    end)

    it("is told of a close without ERROR", function()
      local client = assert(broker:connect())
      local err = fixture.failure("closed",
        client:send(queue "priority", "x", { priority = "abc" }, { confirm = true, timeout = 10 }))
      assert.equal(1000, err.code)
      assert.truthy(err.hint:find("priority", 1, true))
    end)
  end)
end
