-- SPDX-License-Identifier: MIT
-- Which HTTP proxy to use, read as curl reads it: http_proxy for ws (lower case
-- only: a CGI's HTTP_PROXY comes from a request), https_proxy or HTTPS_PROXY for
-- wss, then all_proxy or ALL_PROXY; no_proxy or NO_PROXY lists what is reached
-- without. Knows errors.
local errors = require "stomp.errors"

local PORT = 1080 -- curl's, where the URL has none

-- ---- Basic authorization ----

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
  .. "0123456789+/"

local function base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for k = 3, 0, -1 do
      local at = math.floor(n / 64 ^ k) % 64 + 1
      out[#out + 1] = alphabet:sub(at, at)
    end
    if not b then out[#out - 1] = "=" end
    if not c then out[#out] = "=" end
  end
  return table.concat(out)
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- ---- The URL ----

-- `from` names where the URL was found: it may hold a password, so it is not
-- shown.
local function parse(text, from)
  local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
  if scheme and scheme:lower() ~= "http" then
    return errors.failure("invalid", ("proxy: scheme %s of %s is not http")
      :format(scheme, from))
  end
  local authority = (rest or text):match("^[^/?#]*")
  local user, address = authority:match("^(.*)@([^@]*)$")
  address = address or authority
  local host, port = address:match("^%[([%x:.]+)%]:?(%d*)$")
  if not host then host, port = address:match("^([%w%-._]+):?(%d*)$") end
  port = port == "" and PORT or tonumber(port or "")
  if not host or not port or port < 1 or port > 65535 then
    return errors.failure("invalid", ("proxy: %s is no http://host:port")
      :format(from))
  end
  local authorization
  if user then
    if not user:find(":", 1, true) then user = user .. ":" end
    authorization = "Basic " .. base64(unescape(user))
  end
  return { host = host, port = port, authorization = authorization }
end

-- ---- The environment ----

local function first_set(getenv, ...)
  for _, name in ipairs { ... } do
    local value = getenv(name)
    if value and value ~= "" then return value, name end
  end
end

-- Whether the list names this host: itself, a domain that it is in, or "*".
local function is_excluded(list, host)
  host = host:lower()
  for entry in (list or ""):gmatch("[^%s,]+") do
    entry = entry:lower():gsub("^%.", ""):gsub("%.$", "")
    entry = entry:gsub("^%[(.*)%]$", "%1")
    if entry == "*" or entry == host
      or host:sub(-#entry - 1) == "." .. entry then
      return true
    end
  end
  return false
end

--- The proxy for a parsed URL.
-- @param option of connect: a URL, false (none), nil (from the environment)
-- @tparam[opt] function getenv os.getenv
-- @treturn[1] table host, port, authorization
-- @treturn[2] false there is none
-- @treturn[3] nil, message, err: invalid
local function find(option, url, getenv)
  if option == false then return false end
  if option then return parse(option, "option proxy") end
  getenv = getenv or os.getenv
  if is_excluded(first_set(getenv, "no_proxy", "NO_PROXY"), url.host) then
    return false
  end
  local text, name
  if url.secure then
    text, name = first_set(getenv, "https_proxy", "HTTPS_PROXY", "all_proxy",
      "ALL_PROXY")
  else
    text, name = first_set(getenv, "http_proxy", "all_proxy", "ALL_PROXY")
  end
  if not text then return false end
  return parse(text, name)
end

return { find = find }
