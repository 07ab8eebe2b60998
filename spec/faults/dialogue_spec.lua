-- SPDX-License-Identifier: MIT
-- Faults in the middle of a dialogue, over sockets: what came before is
-- delivered, what was not confirmed is known as unknown. What single bytes a
-- peer may send wrong is in bad_input_spec.lua.
local fixture = require "spec.support.fixture"
local scripted = require "spec.support.scripted_peer"
local stomp = require "stomp"

local patience = os.getenv("STOMP_TEST_SLOW") and 50 or 9

local server
after_each(function()
  if server then server:stop() end
  server = nil
end)

local function message_text(headers, body)
  return "MESSAGE\nsubscription:s\nmessage-id:1\ndestination:/queue/a\n" .. headers
    .. "\n" .. body .. "\0"
end

local function connect(script, options, server_options)
  server = scripted.start(script, server_options)
  local all = { proxy = false, timeout = patience }
  for name, value in pairs(options or {}) do all[name] = value end
  local client = assert(stomp.connect(server.url, all))
  return client
end

-- A script that answers the first frame with one good MESSAGE and these bytes.
local function saying(bytes, then_cut)
  return function(peer)
    peer:accept()
    peer:next()
    peer:send(scripted.packet(message_text("", "good")))
    peer:send(bytes)
    if then_cut then peer:cut() end
    peer:linger()
  end
end

-- err of the receive after the good message
local function failing(kind, words, script, options)
  local client = connect(script, options)
  local subscription = assert(client:subscribe("/queue/a", { id = "s" }))
  assert.equal("good", assert(subscription:receive(patience)).body)
  local err = fixture.failure(kind, subscription:receive(patience))
  assert.truthy(err.message:find(words, 1, true), err.message)
  assert.equal("closed", client.state)
  -- whoever comes later hears the same
  assert.equal(err.message, select(2, subscription:receive(patience)))
  return err
end

-- err of a connection to a server with this script; `words` are in its message
local function refused(kind, words, script, options)
  server = scripted.start(script)
  local all = { proxy = false, timeout = patience }
  for name, value in pairs(options or {}) do all[name] = value end
  local err = fixture.failure(kind, stomp.connect(server.url, all))
  assert.truthy(err.message:find(words, 1, true), err.message)
  return err
end

describe("CONNECT", function()
  it("answered in a version that was not offered is refused", function()
    refused("protocol", "version", function(peer)
      peer:upgrade()
      peer:next()
      peer:send(scripted.packet("CONNECTED\nversion:1.3\n\n\0"))
      peer:linger()
    end)
  end)

  it("answered with another frame is refused", function()
    refused("protocol", "out of turn", function(peer)
      peer:upgrade()
      peer:next()
      peer:send(scripted.packet("RECEIPT\nreceipt-id:1\n\n\0"))
      peer:linger()
    end)
  end)

  it("with CONNECTED cut at every byte is an error", function()
    local sizes = scripted.start(function(peer) peer:accept() peer:linger() end)
    stomp.connect(sizes.url, { proxy = false }):close()
    sizes:stop()
    local first = sizes.upgraded
    assert.is_true(sizes.sent > first)
    for n = first, sizes.sent - 1 do
      local cut = scripted.start(function(peer) peer:accept() end, { budget = n })
      local client, message, err = stomp.connect(cut.url, { proxy = false })
      cut:stop()
      fixture.failure("closed", client, message, err)
    end
  end)
end)

describe("A frame", function()
  it("that is malformed ends the connection and says what and where", function()
    for text, words in pairs {
      ["NONSENSE\n\n\0"] = "unknown command",
      ["MESSAGE\nno colon\n\n\0"] = "without a colon",
      ["MESSAGE\na:b\\x\n\n\0"] = "undefined escape",
      ["MESSAGE\ncontent-length:x\n\n\0"] = "content-length",
      ["MESSAGE\ncontent-length:1\n\nabc\0"] = "content-length",
    } do
      local err = failing("protocol", words, saying(scripted.packet(text)))
      assert.equal("number", type(err.offset))
      server:stop()
    end
  end)

  it("that is incomplete when the connection ends is told from a malformed one", function()
    failing("closed", "inside a frame", saying(scripted.packet("MESSAGE\nsubscription:s\n"), true))
  end)

  it("larger than the limit without a length is refused, too", function()
    local text = message_text("", ("x"):rep(5000))
    failing("limit", "limit", saying(scripted.packet(text)), { limits = { frame = 1000 } })
  end)
end)

describe("An end", function()
  it("by ERROR fails who waits with the broker's words", function()
    local client = connect(function(peer)
      peer:accept()
      peer:next()
      peer:say("ERROR", { message = "No such queue" }, "look elsewhere")
      peer:linger()
    end)
    local err = fixture.failure("broker",
      client:send("/queue/none", "x", nil, { confirm = true, timeout = patience }))
    assert.truthy(err.message:find("No such queue", 1, true))
    assert.equal("look elsewhere", err.frame.body)
    assert.equal("SEND", err.after[1].command)
  end)

  it("by close 1000 without our DISCONNECT is no clean one", function()
    local err = failing("closed", "1000", saying(scripted.closing(1000, "bye")))
    assert.equal(1000, err.code)
    assert.equal("bye", err.reason)
    assert.equal("SUBSCRIBE", err.after[1].command)
  end)

  it("by a lost connection is an error", function()
    failing("closed", "lost", saying("", true))
  end)

  it("after DISCONNECT by close 1000 is clean, without a receipt", function()
    local client = connect(function(peer)
      peer:accept()
      peer:next()
      peer:send(scripted.closing(1000))
      peer:linger()
    end)
    local ok, note = client:disconnect(patience)
    assert.is_true(ok)
    assert.equal("no receipt", note)
  end)

  it("of the DISCONNECT whose RECEIPT never comes is told in time", function()
    local client = connect(function(peer)
      peer:accept()
      peer:linger()
    end)
    fixture.failure("timeout", client:disconnect(0.3))
    assert.equal("closed", client.state)
  end)
end)

describe("A RECEIPT", function()
  it("that never comes is a timeout of unknown outcome", function()
    local client = connect(function(peer)
      peer:accept()
      peer:linger()
    end)
    local err = fixture.failure("timeout",
      client:send("/queue/a", "x", nil, { confirm = true, timeout = 0.3 }))
    assert.equal("unknown", err.outcome)
    assert.truthy(err.message:find("/queue/a", 1, true))
    assert.equal("connected", client.state)
    client:close()
  end)

  it("cut at every byte leaves the outcome unknown", function()
    local function script(peer)
      peer:accept()
      peer.server.before = peer.server.sent
      local frame = peer:next()
      peer:say("RECEIPT", { ["receipt-id"] = frame.headers.receipt })
      peer:linger()
    end
    local client = connect(script)
    assert(client:send("/queue/a", "x", nil, { confirm = true, timeout = patience }))
    client:close()
    server:stop()
    local first, whole = server.before, server.sent
    assert.is_true(whole > first + 20)
    for n = first, whole - 1 do
      client = connect(script, nil, { budget = n })
      local err = fixture.failure("closed",
        client:send("/queue/a", "x", nil, { confirm = true, timeout = patience }))
      assert.equal("unknown", err.outcome)
      server:stop()
    end
  end)
end)

describe("A MESSAGE", function()
  it("cut at every byte is not delivered; the one before it is", function()
    local function script(peer)
      peer:accept()
      peer:next()
      peer:send(scripted.packet(message_text("", "good")))
      peer.server.before = peer.server.sent
      peer:send(scripted.packet(message_text("content-length:4\n", "next")))
      peer:linger()
    end
    local client = connect(script)
    local subscription = assert(client:subscribe("/queue/a", { id = "s" }))
    assert.equal("good", assert(subscription:receive(patience)).body)
    assert.equal("next", assert(subscription:receive(patience)).body)
    client:close()
    server:stop()
    local first, whole = server.before, server.sent
    for n = first, whole - 1 do
      client = connect(script, nil, { budget = n })
      subscription = assert(client:subscribe("/queue/a", { id = "s" }))
      assert.equal("good", assert(subscription:receive(patience)).body)
      fixture.failure("closed", subscription:receive(patience))
      server:stop()
    end
  end)
end)
