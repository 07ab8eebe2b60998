-- SPDX-License-Identifier: MIT
-- The options of stomp.connect: defaults, and misuse that is blamed on the caller.
local options = require "stomp.options"
local fixture = require "spec.support.fixture"
local stomp = require "stomp"

-- the message of the error that these options raise, at the caller's line
local function refusal(given)
  return fixture.raised(function() options.read(given, 1) end)
end

describe("stomp.options", function()
  it("has the defaults of the documentation", function()
    local settings = options.read(nil, 1)
    assert.equal("/", settings.host)
    assert.same({ "1.2", "1.1", "1.0" }, settings.versions)
    assert.same({ send = 10, receive = 10 }, settings.heartbeat)
    assert.equal(0.2, settings.heartbeat_margin)
    assert.equal(1, settings.heartbeat_grace)
    assert.equal(10, settings.timeout)
    assert.equal(30, settings.confirm_timeout)
    assert.equal(20, settings.ping)
    assert.equal("close", settings.on_invalid_frame)
    assert.equal("auto", settings.binary)
    assert.is_false(settings.escape_connect)
    assert.equal(8388608, settings.outbox)
    assert.is_nil(settings.proxy)
    assert.is_nil(settings.login)
  end)

  it("keeps what was given, false and 0 included", function()
    local given = {
      host = false, proxy = false, ping = 0, heartbeat = { send = 0 }, binary = "never",
    }
    local settings = options.read(given, 1)
    assert.is_false(settings.host)
    assert.is_false(settings.proxy)
    assert.equal(0, settings.ping)
    assert.same({ send = 0, receive = 10 }, settings.heartbeat)
    assert.equal("never", settings.binary)
    assert.same({ send = 0 }, given.heartbeat)
    assert.equal(5000, options.read({ limits = { outbox = 5000 } }, 1).outbox)
  end)

  it("raises for an unknown name, in a group too", function()
    for name, given in pairs {
      logn = { logn = "x" }, delay = { reconnect = { delay = 1 } }, [""] = { [""] = 1 },
      recieve = { heartbeat = { recieve = 1 } }, cafile = { tls = { cafile = "x" } },
      frames = { limits = { frames = 1 } },
    } do
      assert.truthy(refusal(given):find("unknown option '" .. name .. "'", 1, true))
    end
  end)

  it("raises for a part that the core would not take, at the caller's line", function()
    for name, values in pairs {
      heartbeat_margin = { 1, 2, 0.9996 }, heartbeat_grace = { 1e6, 1e11 },
    } do
      for _, value in ipairs(values) do
        local text = fixture.raised(function() stomp.connect("ws://a/", { [name] = value }) end)
        assert.truthy(text:find("option '" .. name .. "' must be less than", 1, true), text)
      end
    end
    assert.equal(0.999, options.read({ heartbeat_margin = 0.999 }, 1).heartbeat_margin)
  end)

  it("raises for a wrong type or value, with the name", function()
    for name, given in pairs {
      login = { login = 5 }, host = { host = true }, proxy = { proxy = true },
      timeout = { timeout = "10" }, versions = { versions = "1.2" },
      send = { heartbeat = { send = true } }, verify = { tls = { verify = 1 } },
      inbox = { limits = { inbox = "8M" } }, trace = { trace = "x" },
      on_close = { on_close = true }, on_invalid_frame = { on_invalid_frame = "drop" },
      binary = { binary = "yes" }, ping = { ping = -1 }, compression = { compression = 1 },
      confirm_timeout = { confirm_timeout = 0 / 0 },
      frame = { limits = { frame = -1 } }, receive = { heartbeat = { receive = 1 / 0 } },
      heartbeat_grace = { heartbeat_grace = -0.1 }, loop = { loop = "luv" },
    } do
      assert.truthy(refusal(given):find(name, 1, true), name)
    end
    assert.truthy(refusal("text"):find("table expected", 1, true))
  end)
end)
