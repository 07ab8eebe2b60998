-- SPDX-License-Identifier: MIT
-- A link of the I/O thread: what spec/transport/lws_spec.lua does not show.
local lws = require "stomp.lws"
local wire = require "spec.support.wire"

local function subscription(server)
  return function(n) return server:send("MESSAGE",
    { subscription = "s", destination = "/q", ["message-id"] = n }, tostring(n)) end
end

describe("A link", function()
  it("writes nothing while it is muted, beats included, and all of it afterwards", function()
    local client, server = wire.pair({ heartbeat = { receive = 0.2 } }, { heartbeat = { send = 0.2 } })
    local send = subscription(server)
    server:mute(true)
    for i = 1, 10 do assert.is_true(send(i)) end
    assert.is_true(client:send("SEND", { destination = "/q" }, "it still reads"))
    assert.equal("it still reads", wire.next(server).body)
    assert.equal(0, client:stats().messages)
    server:mute(false)
    for i = 1, 10 do assert.equal(tostring(i), wire.next(client).body) end
    server:mute(true)
    local how, _, err = wire.ending(client)
    assert.equal("broken", how)
    assert.equal("heartbeat", err.kind)
    wire.ending(server)
  end)

  it("keeps heart-beats going while Lua computes", function()
    local client, server = wire.pair({ heartbeat = { send = 0.05, receive = 0.05 } },
      { heartbeat = { send = 0.05, receive = 0.05 } })
    local start = lws.now()
    while lws.now() - start < 0.5 do end -- luacheck: ignore 542
    assert.is_true(server:stats().heartbeats_received >= 5)
    assert.is_true(client:stats().heartbeats_received >= 5)
    assert.is_nil(client:next())
    assert.is_nil(server:next())
  end)
end)
