-- SPDX-License-Identifier: MIT
-- URLs of brokers: ws:// and wss:// (RFC 6455, 3). Whatever goes into the HTTP
-- request is checked here, so nothing can be injected through a URL.
-- Knows errors.
local errors = require "stomp.errors"

local default_ports = { ws = 80, wss = 443 }

local function refuse(text)
  return errors.failure("invalid", text)
end

-- host, port text, rest of the authority; brackets taken off.
local function split_authority(authority)
  local host, port = authority:match("^%[([%x:.]+)%](.*)$")
  if host then
    if not host:find(":", 1, true) then return nil end
    return host, port
  end
  return authority:match("^([%w%-._~]+)(.*)$")
end

local function read_port(text, scheme)
  if text == "" or text == ":" then return default_ports[scheme] end
  local digits = text:match("^:(%d+)$")
  local port = digits and #digits <= 5 and tonumber(digits)
  return port and port >= 1 and port <= 65535 and port or nil
end

local function host_header(url)
  if url.port == default_ports[url.scheme] then return url.host_name end
  return ("%s:%d"):format(url.host_name, url.port)
end

-- What may be shown of a URL: a user or a query may hold a secret.
local function shown(text)
  return (text:gsub("^[^?]*@", "...@"):gsub("%?.*", "?..."))
end

local function check_text(text)
  if text:find("[^\33-\126]") then
    return refuse("URL: a blank, control or non-ASCII character in it"
      .. " (write it as %XX)")
  elseif text:find("#", 1, true) then
    return refuse("URL: a WebSocket URL has no fragment (#)")
  elseif text:match("^[^/?]*//[^/?]*@") then
    return refuse("URL: a user in it; use the options login and passcode")
  end
  return true
end

--- Read a URL.
-- @treturn[1] table scheme, secure, host (no brackets), host_name (with), port,
-- host_header, path (with its query), text (as it may be shown)
-- @treturn[2] nil, message, err: invalid
local function parse(text)
  local ok, message, err = check_text(text)
  if not ok then return nil, message, err end
  local scheme, authority, path = text:match("^(%a[%w+.-]*)://([^/?]*)(.*)$")
  scheme = scheme and scheme:lower()
  if not scheme then
    return refuse(("'%s' is not a URL (ws://host/path)"):format(shown(text)))
  elseif not default_ports[scheme] then
    return refuse(("URL: scheme %s is not ws or wss"):format(scheme))
  end
  local host, rest = split_authority(authority)
  if not host then return refuse("URL: no host in it") end
  local port = read_port(rest, scheme)
  if not port then return refuse(("URL: bad port '%s'"):format(rest)) end
  if path:sub(1, 1) ~= "/" then path = "/" .. path end
  local url = {
    scheme = scheme, secure = scheme == "wss", host = host, port = port,
    path = path,
    host_name = host:find(":", 1, true) and "[" .. host .. "]" or host,
  }
  url.host_header = host_header(url)
  url.text = shown(scheme .. "://" .. url.host_header .. path)
  return url
end

return { parse = parse }
