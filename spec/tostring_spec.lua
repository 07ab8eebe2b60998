-- SPDX-License-Identifier: MIT
-- tostring of everything a program holds: one readable line without secrets.
local core = require "stomp.core"
local fixture = require "spec.support.fixture"

local function line_of(value)
  local text = tostring(value)
  assert.is_nil(text:find("[%c\127]"), text)
  assert.is_nil(text:find("secret", 1, true), text)
  return text
end

describe("tostring", function()
  it("of a client, a subscription, a transaction and a message", function()
    local client, _, net = fixture.connect { login = "me", passcode = "secret" }
    assert.equal("stomp.client ws://broker.test/ws connected STOMP 1.2", line_of(client))
    local subscription = assert(client:subscribe("/queue/a", { id = "mine" }))
    assert.equal("stomp.subscription mine /queue/a", line_of(subscription))
    local transaction = assert(client:begin("t"))
    assert.equal("stomp.transaction t (open)", line_of(transaction))
    net.server:message("mine", "secret")
    assert.equal("MESSAGE /queue/a id=m1 6 bytes", line_of(assert(subscription:receive(1))))
    assert.is_true(transaction:abort())
    assert.equal("stomp.transaction t (aborted)", line_of(transaction))
    assert(subscription:unsubscribe())
    assert.equal("stomp.subscription mine /queue/a (unsubscribed)", line_of(subscription))
    client:close()
    assert.equal("stomp.client ws://broker.test/ws closed STOMP 1.2", line_of(client))
  end)

  it("of a subscription and a transaction stays one line, whatever their names", function()
    local client = fixture.connect()
    local subscription = assert(client:subscribe("/queue/a\nb\27[2J", { id = "m\r" }))
    assert.equal([[stomp.subscription m\r /queue/a\nb\x1b[2J]], line_of(subscription))
    assert.equal([[stomp.transaction a\nb (open)]], line_of(assert(client:begin("a\nb"))))
    client:close()
  end)

  it("of a frame stays one line, whatever the peer puts into it", function()
    local parser = core.parser()
    assert(parser:feed("MESSAGE\nsubscription:1\ndestination:/q\\n\\r\\c\27[2J\194\155\nmessage-id:"
      .. ("x"):rep(300) .. "\n\nab\0"))
    local text = line_of(assert(parser:next()))
    assert.equal([[MESSAGE /q\x0a\x0d:\x1b[2J]] .. "\194" .. [[\x9b id=]] .. ("x"):rep(200) .. "... 2 bytes", text)
    parser:feed("RECEIPT\nreceipt-id:r-1\n\n\0HEARTBEAT")
    assert.equal("RECEIPT id=r-1 0 bytes", line_of(assert(parser:next())))
  end)

  it("of a connection machine, a link and a listener", function()
    local connection = core.connection { websocket = false }
    assert.equal("stomp.connection idle", line_of(connection))
    connection:connect(0)
    connection:feed("CONNECTED\nversion:1.1\n\n\0", 0)
    assert.equal("stomp.connection connected STOMP 1.1", line_of(connection))
    local lws = require "stomp.lws"
    local listener = assert(lws.listen { connect_host = "127.0.0.1", connect_port = 0 })
    local link = assert(lws.open { connect_host = "127.0.0.1", connect_port = listener:port() })
    assert.equal("stomp.link connecting", line_of(link))
    link:close()
    listener:close()
  end)

  it("of an error is its message", function()
    local client = fixture.connect()
    local _, message, err = client:send("", "")
    assert.equal(message, line_of(err))
    client:close()
  end)

  it("of the embedded broker says where it listens", function()
    local broker = assert(require "stomp.broker".listen("ws://127.0.0.1:0/ws"))
    assert.equal("broker at " .. broker.url, line_of(broker))
    broker:close()
  end)

  it("of a world for tests and what is in it", function()
    local world = require "stomp.testing".world()
    world:run(function()
      local broker = world:broker()
      local client = assert(require "stomp".connect(broker.url, world:options()))
      assert.equal("stomp.testing.network (1 lines)", line_of(world.network))
      assert.equal("stomp.testing.line since 1000.000 s", line_of(world.network:lines()[1]))
      client:close()
    end)
    assert.equal("stomp.testing.random", line_of(world.random))
    assert.equal("stomp.testing.world at 1000.000 s", line_of(world))
    world:close()
  end)
end)
