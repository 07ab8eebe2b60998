-- SPDX-License-Identifier: MIT
-- wss:// over real sockets, against LuaSec: verified by default, and each refusal
-- has its reason in words.
local server = require "spec.support.scripted_server"
local stomp = require "stomp"

local folder = "build/test/certs"
local slow = os.getenv("STOMP_TEST_SLOW") and 5 or 1

local function tls(certificate, more)
  local parameters = {
    mode = "server", protocol = "any", options = { "no_sslv2", "no_sslv3" },
    certificate = folder .. "/" .. certificate .. ".pem", key = folder .. "/" .. certificate .. ".key",
  }
  for k, v in pairs(more or {}) do parameters[k] = v end
  return parameters
end

local function echo(c)
  c:connected()
  c:text("MESSAGE\nsubscription:sub-1\ndestination:/a\nmessage-id:1\n\nsecret\0")
  c:wait_end()
end

describe("wss://", function()
  local stop

  setup(function()
    -- a shell may not start under a sanitizer: tools/sanitized.sh has made them
    if os.getenv("LD_PRELOAD") then return end
    assert(os.execute("mkdir -p build/test && sh spec/support/certificates.sh " .. folder))
  end)
  before_each(function() stop = nil end)
  after_each(function() if stop then stop() end end)

  local function connect(host, parameters, options)
    local port
    port, stop = server.start(echo, parameters)
    return stomp.connect(("wss://%s:%d/ws"):format(host, port),
      { timeout = 5 * slow, heartbeat = { send = 0, receive = 0 }, tls = options })
  end

  local function refused(pattern, ...)
    local client, message, err = connect(...)
    assert.is_nil(client)
    assert.equal("tls", err.kind, message)
    assert.matches(pattern, message)
  end

  it("is verified against the authority given, by name and by address", function()
    for _, host in ipairs { "localhost", "127.0.0.1" } do
      local client = assert(connect(host, tls "server", { ca = folder .. "/ca.pem" }))
      local subscription = assert(client:subscribe("/a"))
      assert.equal("secret", assert(subscription:receive(5 * slow)).body)
      client:close()
      stop()
      stop = nil
    end
  end)

  it("carries large messages both ways", function()
    local client = assert(connect("localhost", tls "server", { ca = folder .. "/ca.pem" }))
    for _ = 1, 20 do assert(client:send("/a", ("x"):rep(100000))) end
    assert(client:stats().frames_sent >= 20)
    client:close()
  end)

  it("refuses an authority that nobody named", function()
    refused("unable to get local issuer certificate", "localhost", tls "server")
  end)

  it("refuses a certificate that signed itself", function()
    refused("self%-signed certificate", "localhost", tls "selfsigned")
  end)

  it("refuses one that is expired", function()
    refused("expired", "localhost", tls "expired", { ca = folder .. "/ca.pem" })
  end)

  it("refuses one for other names, and says which", function()
    refused("localhost.*other%.test", "localhost", tls "wrong", { ca = folder .. "/ca.pem" })
    stop()
    refused("127%.0%.0%.1", "127.0.0.1", tls "wrong", { ca = folder .. "/ca.pem" })
  end)

  it("takes server_name instead of the URL's host", function()
    local client = assert(connect("127.0.0.1", tls "wrong", { ca = folder .. "/ca.pem", server_name = "other.test" }))
    client:close()
  end)

  it("takes any certificate when verify is false", function()
    local client = assert(connect("localhost", tls "selfsigned", { verify = false }))
    client:close()
  end)

  it("names a file that is not there", function()
    refused("/nowhere/ca.pem", "localhost", tls "server", { ca = "/nowhere/ca.pem" })
  end)

  it("says that the port does not speak TLS", function()
    local port
    port, stop = server.start(function(c)
      c:read()
      c:write("HTTP/1.1 400 Bad Request\r\n\r\n")
    end)
    local client, message, err = stomp.connect(("wss://localhost:%d/"):format(port), { timeout = 5 * slow })
    assert.is_nil(client)
    assert.equal("tls", err.kind, message)
  end)

  it("shows a certificate of its own where the server wants one", function()
    local wants = tls("server", { cafile = folder .. "/ca.pem", verify = { "peer", "fail_if_no_peer_cert" } })
    local client = assert(connect("localhost", wants,
      { ca = folder .. "/ca.pem", cert = folder .. "/client.pem", key = folder .. "/client.key" }))
    client:close()
  end)

  it("says that the server wants a certificate", function()
    refused("certificate required", "localhost",
      tls("server", { cafile = folder .. "/ca.pem", verify = { "peer", "fail_if_no_peer_cert" } }),
      { ca = folder .. "/ca.pem" })
  end)

  it("reads a locked key with its passphrase", function()
    local wants = tls("server", { cafile = folder .. "/ca.pem", verify = { "peer", "fail_if_no_peer_cert" } })
    local options = { ca = folder .. "/ca.pem", cert = folder .. "/client.pem", key = folder .. "/client-locked.key" }
    refused("client%-locked%.key", "localhost", wants, options)
    stop()
    options.passphrase = "open sesame"
    assert(connect("localhost", wants, options)):close()
  end)

  it("refuses a version below min_version", function()
    local old = tls("server", { protocol = "tlsv1_2" })
    refused("version", "localhost", old, { ca = folder .. "/ca.pem", min_version = "1.3" })
    stop()
    assert(connect("localhost", old, { ca = folder .. "/ca.pem" })):close()
  end)

  it("cut during the handshake is blamed on TLS, not on the upgrade", function()
    for _, bytes in ipairs { "", "\22", "\22\3\3\0\80\2\0\0\76\3\3" } do
      local port
      port, stop = server.start(function(c)
        c:read()
        c:write(bytes)
      end)
      local client, message, err = stomp.connect(("wss://localhost:%d/"):format(port),
        { timeout = 5 * slow })
      assert.is_nil(client)
      assert.equal("tls", err.kind, message)
      assert.matches("ended during the handshake", message)
      stop()
      stop = nil
    end
  end)
end)
