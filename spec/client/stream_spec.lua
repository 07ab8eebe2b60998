-- SPDX-License-Identifier: MIT
-- Streams of RabbitMQ are read on behind the last message that was handled.
local fixture = require "spec.support.fixture"

local connect = fixture.reconnecting

describe("a stream", function()
  local function offsets(server)
    local list = {}
    for i, frame in ipairs(server:got("SUBSCRIBE")) do
      list[i] = frame.headers["x-stream-offset"]
    end
    return list
  end

  it("is read on behind the last message that was handled", function()
    local client, loop, net = connect()
    local stream = client:subscribe("/queue/s", { stream = "first" })
    local first = net.server:got("SUBSCRIBE")[1].headers
    assert.equal("first", first["x-stream-offset"])
    assert.equal("stream", first["x-queue-type"])
    assert.equal("client-individual", first.ack)
    assert.equal("100", first["prefetch-count"])
    for i = 5, 9 do
      net.server:message(stream.id, "m" .. i, { ["x-stream-offset"] = tostring(i) })
    end
    for i = 5, 7 do assert.equal("m" .. i, stream:receive(1).body) end
    client:send("/queue/a", "", nil, { confirm = true }) -- 8 and 9 are routed
    net.server:close(1006)
    loop.run(function() client:run(3) end)
    -- 8 and 9 were here, but nobody had them: they come again
    assert.equal(0, stream:unread())
    assert.same({ "offset=8" }, offsets(net.server))
  end)

  it("counts a handler's message when the handler is done", function()
    local client, loop, net = connect()
    local seen = {}
    local stream = client:subscribe("/queue/s", { stream = 3 }, function(message)
      seen[#seen + 1] = message.body
      loop.sleep(10)
    end)
    assert.same({ "offset=3" }, offsets(net.server))
    for i = 3, 4 do
      net.server:message(stream.id, "m" .. i, { ["x-stream-offset"] = tostring(i) })
    end
    loop.run(function()
      client:receive(5)
      net.server:close(1006)
      client:receive(3)
    end)
    assert.same({ "m3" }, seen)
    assert.same({ "offset=3" }, offsets(net.server))
    loop.sleep(5)
    net.server:close(1006)
    loop.run(function() client:receive(9) end)
    assert.same({ "offset=4" }, offsets(net.server))
  end)

  it("takes no NACK, which ends the connection on RabbitMQ", function()
    local client, _, net = connect()
    local stream = assert(client:subscribe("/queue/s", { stream = "first" }))
    net.server:message(stream.id, "m5", { ["x-stream-offset"] = "5" })
    local message = assert(stream:receive(1))
    fixture.failure("invalid", message:nack())
    fixture.failure("invalid", message:nack(assert(client:begin())))
    assert.same({}, net.server:got("NACK"))
    assert.is_true(message:ack())
  end)

  it("is not read without acknowledgements, by many at a time, from nowhere", function()
    local client = fixture.connect()
    local function nothing() end
    for _, case in ipairs {
      { { stream = "first", ack = "auto" }, "auto" },
      { { stream = "here" }, "\"here\"" },
      { { stream = 1.5 }, "whole" },
      { { stream = "next", concurrency = 2 }, "concurrency" },
    } do
      local message = fixture.raised(function() client:subscribe("/queue/s", case[1], nothing) end)
      assert.truthy(message:find(case[2], 1, true), message)
    end
  end)
end)
