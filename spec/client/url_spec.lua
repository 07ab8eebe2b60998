-- SPDX-License-Identifier: MIT
-- URLs of brokers (RFC 6455, 3) and the proxy for them (as curl reads the
-- environment).
local fixture = require "spec.support.fixture"
local proxy = require "stomp.proxy"
local url = require "stomp.url"

describe("a URL", function()
  it("gives host, port, path and what the Host header says", function()
    local cases = {
      { "ws://h/ws", "h", 80, "/ws", "h" },
      { "wss://h", "h", 443, "/", "h" },
      { "WS://h:15674/ws?a=b&c", "h", 15674, "/ws?a=b&c", "h:15674" },
      { "wss://h:443/x", "h", 443, "/x", "h" },
      { "ws://h?q", "h", 80, "/?q", "h" },
      { "ws://127.0.0.1:8/", "127.0.0.1", 8, "/", "127.0.0.1:8" },
      { "wss://[::1]:8443/", "::1", 8443, "/", "[::1]:8443" },
      { "ws://[fe80::1]/", "fe80::1", 80, "/", "[fe80::1]" },
    }
    for _, case in ipairs(cases) do
      local u = assert(url.parse(case[1]))
      assert.same({ case[2], case[3], case[4], case[5] }, { u.host, u.port, u.path, u.host_header })
      assert.equal(case[1]:lower():sub(1, 3) == "wss", u.secure)
    end
  end)

  it("is refused where it is none, or would inject something", function()
    for _, text in ipairs { "", "h", "//h/", "ftp://h", "ws:/h", "ws://", "ws:///x", "ws://h:x/", "ws://h:/\n",
      "ws://h:65536/", "ws://h:0/", "ws://[h]/", "ws://[::1/", "ws://h\r\nA: b/", "ws://h/a b", "ws://h/\128",
      "ws://h/a#b", "ws://user:pw@h/", "ws://h:1:2/" } do
      fixture.failure("invalid", url.parse(text))
    end
  end)

  it("never repeats a password in its error", function()
    local _, message = url.parse("ws://user:pa55@h/")
    assert.is_nil(message:find("pa55", 1, true))
  end)
end)

describe("the proxy", function()
  local ws, wss = url.parse("ws://broker.example.org/"), url.parse("wss://broker.example.org/")

  local function find(environment, for_url, option)
    return proxy.find(option, for_url or ws, function(name) return environment[name] end)
  end

  it("comes from the environment, lower case for ws", function()
    assert.is_false(find {})
    assert.same({ host = "p", port = 3128 }, find { http_proxy = "http://p:3128/" })
    assert.is_false(find { HTTP_PROXY = "http://p:3128" })
    assert.is_false(find { https_proxy = "http://p:3128" })
    assert.is_false(find({ http_proxy = "http://p:3128" }, wss))
    assert.equal("p", find({ https_proxy = "http://p:3128" }, wss).host)
    assert.equal("p", find({ HTTPS_PROXY = "p:3128" }, wss).host)
    assert.equal("a", find({ all_proxy = "a" }, wss).host)
    assert.equal(1080, find { ALL_PROXY = "a" }.port)
    assert.equal("p", find { http_proxy = "p:1", all_proxy = "a:1" }.host)
    assert.is_false(find { http_proxy = "" })
  end)

  it("is not used for what no_proxy lists", function()
    for list, used in pairs {
      ["*"] = false, ["broker.example.org"] = false, ["x, .example.org"] = false, ["EXAMPLE.org"] = false,
      ["ample.org"] = true, ["broker"] = true, [""] = true,
    } do
      assert.equal(used, find { http_proxy = "p:1", no_proxy = list } ~= false, list)
    end
    assert.is_false(find { http_proxy = "p:1", NO_PROXY = "*" })
  end)

  it("may be given or forbidden by the option", function()
    assert.is_false(find({ http_proxy = "p:1" }, ws, false))
    assert.same({ host = "::1", port = 8 }, find({ no_proxy = "*" }, ws, "http://[::1]:8"))
  end)

  it("takes a user, sent as Basic authorization", function()
    assert.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
      find({}, ws, "http://Aladdin:open%20sesame@p:1").authorization)
    assert.equal("Basic YTo=", find({}, ws, "a@p:1").authorization)
    assert.equal("Basic YTpi", find({}, ws, "a:b@p:1").authorization)
  end)

  it("is invalid where it is none of http, and its password is not told", function()
    for _, text in ipairs { "socks5://u:pa55@p:1", "http://u:pa55@", "http://u:pa55@p:99999", "https://u:pa55@p" } do
      local err = fixture.failure("invalid", find({}, ws, text))
      assert.is_nil(err.message:find("pa55", 1, true))
      err = fixture.failure("invalid", find { all_proxy = text })
      assert.truthy(err.message:find("all_proxy", 1, true))
    end
  end)

  it("is where the transport connects to, with the broker as its target", function()
    local _, _, net = fixture.connect { proxy = "http://p:3128" }
    assert.same({ host = "p", port = 3128, target = "broker.test:80" }, net.options.proxy)
    assert.equal("broker.test", net.options.host)
  end)
end)
