-- SPDX-License-Identifier: MIT
-- One attempt to connect a client: from a URL to CONNECTED, or the reason why
-- not. The first connection and each later one are made here.
-- Knows errors, failures, hints, proxy and url; pump, router and trace through
-- the client, which it does not know; finds the transport.
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local hints = require "stomp.hints"
local proxy_module = require "stomp.proxy"
local url_module = require "stomp.url"

-- ---- CONNECT's headers ----

-- Ours, then the program's.
local function connect_headers(settings, attempt)
  local list = {}
  if settings.host then list[#list + 1] = { "host", settings.host } end
  for _, name in ipairs { "login", "passcode" } do
    if attempt[name] then list[#list + 1] = { name, attempt[name] } end
  end
  local n_ours, given = #list, attempt.headers or {}
  if given[1] ~= nil then
    for _, pair in ipairs(given) do list[#list + 1] = pair end
  else
    for name, value in pairs(given) do list[#list + 1] = { name, value } end
  end
  return list, n_ours
end

local reserved = {
  host = "host", login = "login", passcode = "passcode",
  ["accept-version"] = "versions", ["heart-beat"] = "heartbeat",
}

-- Of other frames, where the program may not give them either.
local foreign = { destination = true, id = true, ack = true, transaction = true }

local function check_headers(headers, n_ours)
  for i = n_ours + 1, #headers do
    local name = headers[i][1]
    if reserved[name] then
      return errors.failure("invalid", ("header %s is set by option %s")
        :format(name, reserved[name]))
    elseif foreign[name] then
      return errors.failure("invalid", ("header %s is none of CONNECT"):format(name))
    end
  end
  return true
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

-- ---- The link ----

local passed_on = { "tls", "versions", "heartbeat", "heartbeat_margin",
  "heartbeat_grace", "limits", "binary", "on_invalid_frame", "escape_connect",
  "ping", "compression" }

local function transport_options(settings, attempt, url, proxy, headers)
  local options = {
    host = url.host, port = url.port, secure = url.secure,
    host_header = url.host_header, path = url.path,
    connect_headers = headers, upgrade_headers = attempt.upgrade_headers,
    proxy = proxy or nil,
  }
  if proxy then
    proxy.target = ("%s:%d"):format(url.host_name, url.port)
  end
  for _, name in ipairs(passed_on) do options[name] = settings[name] end
  return options
end

local function open(settings, attempt, url, headers)
  local proxy, message, err = proxy_module.find(settings.proxy, url)
  if proxy == nil then return nil, message, err end
  local transport = settings.transport or require "stomp.transport.lws"
  return transport.open(transport_options(settings, attempt, url, proxy, headers))
end

-- ---- Waiting for CONNECTED ----

-- Where it stands, for the time-out's message.
local function phase_of(link)
  local info = link:info()
  if info.phase then return info.phase end
  return info.state == "connecting" and "CONNECT was sent" or "no connection yet"
end

-- Trying again will not help: what was given is wrong, not the moment.
local function is_permanent(err)
  return err.kind == "invalid"
    or err.kind == "upgrade" and (err.status == 401 or err.status == 403)
    or err.name == "SVERIFY" or err.name == "SOPTION"
end

local function failed(message, err)
  if is_permanent(err) then err.permanent = true end
  return nil, message, err
end

local function await_connected(client)
  local pump, settings = client.pump, client.settings
  local waiter = pump:waiter("CONNECTED", true)
  waiter.making = true
  client.router.connecting = waiter
  pump:wait(waiter, pump.loop.now() + settings.timeout)
  client.router.connecting = nil
  if waiter.value then return waiter.value end
  local ended, phase = pump.ended or pump.link_ended, phase_of(pump.link)
  pump.link:close()
  if waiter.err then -- messages of the last connection fill the inbox
    return nil, waiter.message, waiter.err
  elseif not ended then
    local _, _, err = failures.late(
      ("no CONNECTED from %s (%s)"):format(client.url, phase), settings.timeout)
    return nil, hints.add(err, settings, true), err
  elseif ended.clean then
    return failures.over(ended, "no CONNECTED")
  end
  return failed(ended.message, ended.err)
end

-- ---- All ----

--- Make one attempt. The pump must be down, the caller its maker.
-- @tparam client client
-- @tparam table attempt url, login, passcode, headers, upgrade_headers
-- @treturn[1] frame CONNECTED
-- @treturn[2] nil, message, err: invalid, connect, tls, upgrade, protocol,
-- broker, timeout, closed, limit; err.permanent where another will not help
local function connect(client, attempt)
  local settings = client.settings
  client.greeted = false
  local url, message, err = url_module.parse(attempt.url)
  if not url then return failed(message, err) end
  local headers, n_ours = connect_headers(settings, attempt)
  local ok, link
  ok, message, err = check_headers(headers, n_ours)
  if not ok then return failed(message, err) end
  client.url = url.text
  link, message, err = open(settings, attempt, url, headers)
  if not link then return failed(message, err) end
  client:attach(link)
  client:inform("connecting to " .. url.text)
  if client.trace then
    client.trace:frame("send", "CONNECT", with_negotiation(settings, headers))
  end
  local frame
  frame, message, err = await_connected(client)
  if frame then client:introduce(frame) end
  return frame, message, err
end

return { connect = connect }
