-- SPDX-License-Identifier: MIT
-- From a URL and options to a client that is CONNECTED, or the reason why not.
-- Knows check, errors, failures, options, url, proxy, trace and client; finds
-- the loop and the transport.
local check = require "stomp.check"
local client_module = require "stomp.client"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local options_module = require "stomp.options"
local proxy_module = require "stomp.proxy"
local trace_module = require "stomp.trace"
local url_module = require "stomp.url"

-- A list of one: failing over between several comes with reconnecting.
local function check_url(url, level)
  check.argument("url", url, "string table", level + 1)
  if type(url) == "table" then
    if #url ~= 1 then
      error(("url: a list of one expected, got %d"):format(#url), level + 1)
    end
    check.argument("url", url[1], "string", level + 1)
    url = url[1]
  end
  return url
end

-- CONNECT's headers: ours, then the program's.
local function connect_headers(settings)
  local list = {}
  if settings.host then list[#list + 1] = { "host", settings.host } end
  for _, name in ipairs { "login", "passcode" } do
    if settings[name] then list[#list + 1] = { name, settings[name] } end
  end
  local given = settings.headers or {}
  if given[1] ~= nil then
    for _, pair in ipairs(given) do list[#list + 1] = pair end
  else
    for name, value in pairs(given) do list[#list + 1] = { name, value } end
  end
  return list
end

local reserved = {
  host = "host", login = "login", passcode = "passcode",
  ["accept-version"] = "versions", ["heart-beat"] = "heartbeat",
}

local function check_headers(headers, n_ours)
  for i = n_ours + 1, #headers do
    local name = headers[i][1]
    if reserved[name] then
      return errors.failure("invalid", ("header %s is set by option %s")
        :format(name, reserved[name]))
    end
  end
  return true
end

local passed_on = { "tls", "upgrade_headers", "versions", "heartbeat",
  "heartbeat_margin", "heartbeat_grace", "limits", "binary", "on_invalid_frame",
  "escape_connect", "ping" }

local function transport_options(settings, url, proxy, headers)
  local options = {
    host = url.host, port = url.port, secure = url.secure,
    host_header = url.host_header, path = url.path,
    connect_headers = headers, proxy = proxy or nil,
  }
  if proxy then
    proxy.target = ("%s:%d"):format(url.host_name, url.port)
  end
  for _, name in ipairs(passed_on) do options[name] = settings[name] end
  return options
end

-- ---- Waiting for CONNECTED ----

-- Where it stands, for the time-out's message.
local function phase_of(link)
  local info = link:info()
  if info.phase then return info.phase end
  return info.state == "connecting" and "CONNECT was sent" or "no connection yet"
end

-- Trying again will not help.
local function mark_permanent(err)
  if err.kind == "upgrade" and (err.status == 401 or err.status == 403) then
    err.permanent = true
  end
end

local function await_connected(client, settings)
  local pump = client.pump
  local waiter = pump:waiter("CONNECTED", true)
  client.router.connecting = waiter
  pump:wait(waiter, pump.loop.now() + settings.timeout)
  client.router.connecting = nil
  if waiter.value then
    client:connected(waiter.value)
    return true
  end
  local ended, phase = pump.ended, phase_of(pump.link)
  client:close()
  if not ended then
    return failures.late(("no CONNECTED from %s (%s)"):format(client.url, phase),
      settings.timeout)
  elseif ended.clean then
    return failures.over(ended, "no CONNECTED")
  end
  mark_permanent(ended.err)
  return nil, ended.message, ended.err
end

-- ---- All ----

local function open(settings, url, headers)
  local proxy, message, err = proxy_module.find(settings.proxy, url)
  if proxy == nil then return nil, message, err end
  local transport = settings.transport or require "stomp.transport.lws"
  return transport.open(transport_options(settings, url, proxy, headers))
end

-- CONNECT as it goes out: what the session adds to our headers, too.
local function with_negotiation(settings, headers)
  local list, versions = {}, {}
  for i, pair in ipairs(headers) do list[i] = pair end
  for i, version in ipairs(settings.versions) do versions[i] = version end
  table.sort(versions)
  list[#list + 1] = { "accept-version", table.concat(versions, ",") }
  list[#list + 1] = { "heart-beat", ("%d,%d"):format(
    math.floor(settings.heartbeat.send * 1000 + 0.5),
    math.floor(settings.heartbeat.receive * 1000 + 0.5)) }
  return list
end

local callbacks = { "error", "close", "disconnect", "unhandled" }

--- stomp.connect; misuse raises at `level`.
local function connect(text, given, level)
  text = check_url(text, level + 1)
  local settings = options_module.read(given, level + 1)
  local url, message, err = url_module.parse(text)
  if not url then return nil, message, err end
  local headers = connect_headers(settings)
  local n_ours = (settings.host and 1 or 0) + (settings.login and 1 or 0)
    + (settings.passcode and 1 or 0)
  local ok, link
  ok, message, err = check_headers(headers, n_ours)
  if not ok then return nil, message, err end
  link, message, err = open(settings, url, headers)
  if not link then return nil, message, err end
  local loop = settings.loop or require "stomp.loop.scheduler"
  local trace = trace_module.new(settings.trace, settings.redact,
    loop.now)
  local client = client_module.new(link, loop, settings, url.text, trace)
  if trace then
    trace:inform("connecting to " .. url.text)
    trace:frame("send", "CONNECT", with_negotiation(settings, headers))
  end
  ok, message, err = await_connected(client, settings)
  if not ok then return nil, message, err end
  for _, event in ipairs(callbacks) do
    if settings["on_" .. event] then client:on(event, settings["on_" .. event]) end
  end
  return client
end

return { connect = connect }
