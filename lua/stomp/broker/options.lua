-- SPDX-License-Identifier: MIT
-- The options of broker.listen, checked. Knows check and options.
local check = require "stomp.check"
local options_module = require "stomp.options"

local known = {
  allow_remote = "boolean", logins = "table", heartbeat = "table",
  limits = "table", queue_limit = "number", timeout = "number", server = "string",
  compression = "boolean", loop = "table", transport = "table",
}

local function check_logins(logins, level)
  for login, passcode in pairs(logins or {}) do
    check.argument("option 'logins': a login", login, "string", level + 1)
    check.argument(("option 'logins': the passcode of '%s'"):format(login), passcode,
      "string", level + 1)
  end
end

--- What the program gave, or an empty table; misuse raises at `level`.
local function read(given, level)
  given = check.options(given, known, level + 1)
  options_module.check_common(given, { "listen" }, level + 1)
  check_logins(given.logins, level + 1)
  if given.server and given.server:find("%c") then -- no version's CONNECTED can have it
    error("option 'server': a control character in it", level + 1)
  end
  return given
end

return { read = read }
