-- SPDX-License-Identifier: MIT
-- URLs of brokers: RFC 6455, 3 "WebSocket URIs".
local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (by version)
local parse = require "stomp.url".parse
local fixture = require "spec.support.fixture"

describe("stomp.url", function()
  it("reads the parts", function()
    local cases = {
      { "ws://a.example/ws", "ws", "a.example", 80, "/ws", "a.example" },
      { "wss://a.example/", "wss", "a.example", 443, "/", "a.example" },
      { "ws://localhost:15674/ws", "ws", "localhost", 15674, "/ws", "localhost:15674" },
      { "wss://h:80", "wss", "h", 80, "/", "h:80" },
      { "ws://h:80", "ws", "h", 80, "/", "h" },
      { "ws://h:", "ws", "h", 80, "/", "h" },
      { "WS://H/A", "ws", "H", 80, "/A", "H" },
      { "ws://h?q=1", "ws", "h", 80, "/?q=1", "h" },
      { "ws://h/a/b?q=1&r=:0/@", "ws", "h", 80, "/a/b?q=1&r=:0/@", "h" },
      { "ws://127.0.0.1:1/", "ws", "127.0.0.1", 1, "/", "127.0.0.1:1" },
      { "ws://[::1]/", "ws", "::1", 80, "/", "[::1]" },
      { "ws://[::ffff:1.2.3.4]:65535/x", "ws", "::ffff:1.2.3.4", 65535, "/x",
        "[::ffff:1.2.3.4]:65535" },
    }
    for _, case in ipairs(cases) do
      local url = assert(parse(case[1]))
      assert.same({ unpack(case, 2) },
        { url.scheme, url.host, url.port, url.path, url.host_header })
      assert.equal(url.scheme == "wss", url.secure)
    end
  end)

  it("refuses what is none, and what could be injected", function()
    for _, text in ipairs {
      "", "nonsense", "ws:", "ws:/h", "ws://", "ws:///p", "ws://:80/", "http://h/", "stomp://h",
      "://h", "ws://h:0/", "ws://h:65536/", "ws://h:-1/", "ws://h:1x/", "ws://h:123456/",
      "ws://h:1:2/", "ws://[::1/", "ws://::1/", "ws://[1234]/", "ws://[::1]x/", "ws://h_%20/",
      "ws://h/a b", "ws://h/a\r\nX: y", "ws://h/\0", "ws://h/\127", "ws://h/\195\164", " ws://h/",
      "ws://h/#f", "ws://h#", "ws://me:secret@h/", "ws://me@h", "ws://h\n/", "ws://h/\t",
    } do
      fixture.failure("invalid", parse(text))
    end
  end)

  it("says what is wrong", function()
    for text, says in pairs {
      ["ftp://h/"] = "ftp", ["ws://h:99999/"] = "99999", ["ws://me:x@h/"] = "login and passcode",
      ["ws://h/#f"] = "fragment", ["ws://h/ "] = "%XX", ["h/ws"] = "ws://host/path",
    } do
      local err = fixture.failure("invalid", parse(text))
      assert.truthy(err.message:find(says, 1, true), err.message)
    end
  end)

  it("shows no secret in an error or in its text", function()
    for _, text in ipairs { "ws://me:hunter2@h/", "me:hunter2@h/ws", "h/ws?token=hunter2",
      "ws://h:x/?token=hunter2", "ws://h/?token=hunter2#f" } do
      local err = fixture.failure("invalid", parse(text))
      assert.is_nil(err.message:find("hunter2", 1, true), err.message)
    end
    local url = assert(parse("wss://h:1/a?token=hunter2"))
    assert.equal("wss://h:1/a?...", url.text)
    assert.equal("/a?token=hunter2", url.path)
  end)
end)
