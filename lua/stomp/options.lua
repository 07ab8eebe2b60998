-- SPDX-License-Identifier: MIT
-- The options of stomp.connect: one table of name, types, default and meaning,
-- which feeds the check and the defaults. Knows check, headers and show.
local check = require "stomp.check"
local headers_of = require "stomp.headers"
local show = require "stomp.show"

-- name = { types, default, meaning }
local known = {
  login = { "string" },
  passcode = { "string" },
  host = { "string boolean", "/", "virtual host; false sends none" },
  headers = { "table", nil, "more headers of CONNECT" },
  versions = { "table", { "1.2", "1.1", "1.0" } },
  heartbeat = { "table", nil, "{ send, receive }: seconds, 0 is off" },
  heartbeat_margin = { "number", 0.2, "part of the interval to be early by" },
  heartbeat_grace = { "number", 1, "part of the interval the peer may be late by" },
  timeout = { "number", 10, "seconds from DNS to CONNECTED" },
  confirm_timeout = { "number", 30, "seconds for a RECEIPT or for room" },
  upgrade_headers = { "table", nil, "more HTTP headers of the upgrade" },
  tls = { "table", nil, "ca cert key passphrase verify server_name min_version pin" },
  proxy = { "string boolean", nil, "URL; nil: from the environment, false: none" },
  compression = { "boolean", false, "offer permessage-deflate" },
  limits = { "table" },
  on_invalid_frame = { "string", "close", "or \"ignore\"" },
  escape_connect = { "boolean", false, "for a RabbitMQ password with a backslash" },
  binary = { "string", "auto", "or \"always\", \"never\"" },
  ping = { "number", 20, "seconds without a byte sent" },
  trace = { "boolean function table", nil, "true: stderr; or a stomp.tracer" },
  redact = { "table", nil, "more headers that a trace hides" },
  on_error = { "function" },
  on_close = { "function" },
  on_disconnect = { "function" },
  on_reconnect = { "function" },
  on_unhandled = { "function" },
  reconnect = { "boolean table", false, "min max jitter attempts max_time "
    .. "auth_attempts initial" },
  before_connect = { "function", nil, "function(attempt): before each attempt" },
  loop = { "table", nil, "see docs/loops.md" },
  transport = { "table", nil, "see docs/transport.md" },
}

local types = {}
for name, option in pairs(known) do types[name] = option[1] end

local heartbeat_types = { send = "number", receive = "number" }
-- limits.outbox where it is not given: of a link (src/core/limits.h), and of what the
-- client itself keeps to be sent.
local OUTBOX = 8388608

local limit_types = {
  frame = "number", headers = "number", header_line = "number",
  header_count = "number", inbox = "number", inbox_hard = "number",
  outbox = "number", receipts = "number", upgrade = "number",
  inflate_ratio = "number", table = "number",
}
local tls_types = {
  ca = "string", cert = "string", key = "string", passphrase = "string",
  verify = "boolean", server_name = "string", min_version = "string",
  pin = "string",
}
local reconnect_types = {
  min = "number", max = "number", jitter = "number", attempts = "number",
  max_time = "number", auth_attempts = "number", initial = "boolean",
}
local reconnect_defaults = { min = 0.5, max = 30, jitter = 0.5, auth_attempts = 1 }
local choices = {
  on_invalid_frame = { close = true, ignore = true },
  binary = { auto = true, always = true, never = true },
}

local function check_numbers(given, level)
  for name, value in pairs(given) do
    if type(value) == "number" and not (value >= 0 and value < 1e12) then
      error(("option '%s' is out of range"):format(name), level + 1)
    end
  end
end

-- What the core takes of them, in thousandths.
local below = { heartbeat_margin = 1, heartbeat_grace = 1000000 }

local function check_parts(given, level)
  for name, most in pairs(below) do
    if given[name] and given[name] * 1000 + 0.5 >= most * 1000 then
      error(("option '%s' must be less than %d"):format(name, most), level + 1)
    end
  end
end

local function check_group(given, name, group, level)
  if given[name] == nil then return end
  check.options(given[name], group, level + 1)
  check_numbers(given[name], level + 1)
end

local offered = { ["1.0"] = true, ["1.1"] = true, ["1.2"] = true }

local function check_lists(given, level)
  for _, name in ipairs { "headers", "upgrade_headers" } do
    local text = given[name] and headers_of.fault(given[name])
    if text then error(("option '%s': %s"):format(name, text), level + 1) end
  end
  if given.versions and #given.versions == 0 then
    error("option 'versions': the list is empty", level + 1)
  end
  for _, version in ipairs(given.versions or {}) do
    if not offered[version] then
      error(("option 'versions': \"1.0\", \"1.1\" or \"1.2\" expected, got %s")
        :format(show.value(version)), level + 1)
    end
  end
  for i, name in ipairs(given.redact or {}) do
    check.argument(("redact[%d]"):format(i), name, "string", level + 1)
  end
end

-- The seams: what is given must look like one (docs/loops.md, docs/transport.md).
local loop_has = { "now", "sleep", "spawn", "running", "wait", "condition", "random" }

local function check_seam(given, option, names, level)
  for _, name in ipairs(given[option] and names or {}) do
    if type(given[option][name]) ~= "function" then
      error(("option '%s': it has no function %s"):format(option, name), level + 1)
    end
  end
end

--- Check what the client and the broker have in common, of the right types; `transport_has`:
-- the functions that the transport must have.
local function check_common(given, transport_has, level)
  check_numbers(given, level + 1)
  check_group(given, "heartbeat", heartbeat_types, level + 1)
  check_group(given, "limits", limit_types, level + 1)
  check_seam(given, "loop", loop_has, level + 1)
  check_seam(given, "transport", transport_has, level + 1)
end

-- true and a table mean the defaults, and what they change.
local function read_reconnect(given, level)
  if not given then return false end
  local options = {}
  if given == true then given = {} end
  for name, value in pairs(reconnect_defaults) do options[name] = value end
  for name, value in pairs(given) do options[name] = value end
  if options.jitter > 1 then
    error("option 'jitter' is a part: 0 to 1", level + 1)
  end
  return options
end

-- Groups and lists that are looked at later, on each attempt: kept as they are now,
-- for several clients may be given one table that is changed in between. (loop,
-- transport and trace are objects.)
local copied = { "headers", "upgrade_headers", "tls", "limits", "versions", "redact" }

--- Check what the program gave (raises at `level`) and fill in the defaults.
local function read(given, level)
  given = check.options(given, types, level + 1)
  check_common(given, { "open" }, level + 1)
  check_parts(given, level + 1)
  check_group(given, "tls", tls_types, level + 1)
  if type(given.reconnect) == "table" then
    check_group(given, "reconnect", reconnect_types, level + 1)
  end
  for name, allowed in pairs(choices) do
    if given[name] ~= nil and not allowed[given[name]] then
      error(("option '%s': \"%s\" is none of its values"):format(name,
        given[name]), level + 1)
    end
  end
  if type(given.trace) == "table" and type(given.trace.watch) ~= "function" then
    error("option 'trace': true, a function or a stomp.tracer expected", level + 1)
  end
  if given.host == true or given.proxy == true then
    error("options 'host' and 'proxy': a string or false", level + 1)
  end
  check_lists(given, level + 1)
  local settings = {}
  for name, option in pairs(known) do
    settings[name] = given[name]
    if given[name] == nil then settings[name] = option[2] end
  end
  for _, name in ipairs(copied) do settings[name] = headers_of.copy(settings[name]) end
  local beats = settings.heartbeat or {}
  settings.heartbeat = { send = beats.send or 10, receive = beats.receive or 10 }
  settings.outbox = (settings.limits or {}).outbox or OUTBOX
  settings.reconnect = read_reconnect(settings.reconnect, level + 1)
  return settings
end

return { read = read, known = known, check_common = check_common }
