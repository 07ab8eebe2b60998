-- SPDX-License-Identifier: MIT
-- A stream of RabbitMQ, read over connections that are cut.
local rabbitmq = require "spec.support.rabbitmq"
local stomp = require "stomp"

describe("a stream of RabbitMQ #broker", function()
  local stream = { ["x-queue-type"] = "stream", durable = true, ["auto-delete"] = false, exclusive = false }

  local function connect(options)
    local all = { login = rabbitmq.login, passcode = rabbitmq.passcode, proxy = false }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(stomp.connect(rabbitmq.url(), all))
  end

  local function send(client, destination, first, last)
    for i = first, last do
      assert(client:send(destination, tostring(i), stream, { confirm = true }))
    end
  end

  -- The next `n` bodies, each acknowledged, where its connection has not ended.
  local function read(receive, n)
    local bodies = {}
    for i = 1, n do
      local message = assert(receive())
      bodies[i] = message.body
      local ok, text, err = message:ack()
      assert(ok or err.kind == "closed", text)
    end
    return table.concat(bodies, " ")
  end

  for name, receiver in pairs {
    ["subscription:receive"] = function(_, inbox) return inbox:receive(30) end,
    ["client:receive"] = function(client) return client:receive(30) end,
  } do
    it("is read on behind the last message by " .. name, function()
      local destination = ("/queue/stream-%d-%s"):format(os.time(), name:match("^%a+"))
      local other = connect()
      send(other, destination, 1, 8)
      local client = connect { reconnect = { min = 0.2, max = 1 } }
      local inbox = assert(client:subscribe(destination, { stream = "first", prefetch = 2 }))
      local function receive() return receiver(client, inbox) end
      assert.equal("1 2 3 4", read(receive, 4))
      client:on("reconnect", function() send(connect(), destination, 9, 10) end)
      rabbitmq.ctl("close_all_connections cut")
      assert.equal("5 6 7 8 9 10", read(receive, 6))
      assert.equal(1, client:stats().reconnects)
      local last = assert(client:subscribe(destination, { stream = 8 }))
      assert.equal("9", assert(last:receive(30)).body)
      assert(client:disconnect())
    end)
  end

  it("ends the connection at a NACK, so the client sends none", function()
    local client, destination = connect(), "/queue/stream-nack-" .. os.time()
    send(client, destination, 1, 2)
    local inbox = assert(client:subscribe(destination, { stream = "first" }))
    local message = assert(inbox:receive(30))
    local _, _, err = message:nack()
    assert.equal("invalid", err.kind)
    assert(message:ack())
    assert(assert(inbox:receive(30)):ack())
    assert(inbox:unsubscribe())
    local bare = assert(client:subscribe(destination, { ack = "client-individual", prefetch = 10,
      headers = { ["x-stream-offset"] = "first" } }))
    assert(assert(bare:receive(30)):nack())
    _, _, err = client:send(destination, "", stream, { confirm = true })
    assert.equal("NACK", err.after[2].command)
  end)
end)
