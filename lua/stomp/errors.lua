-- SPDX-License-Identifier: MIT
-- Errors of the Lua side. They look as those of the C side do: a table with the
-- fields kind and message (and more by kind), whose tostring is the message; the
-- message starts with the kind. Kinds are a closed list, see docs/errors.md.
-- Knows stomp.core, for the metatable that both share.
local core = require "stomp.core"

local mt = core.error_metatable

local kinds = {
  connect = true, tls = true, upgrade = true, protocol = true, invalid = true,
  broker = true, timeout = true, heartbeat = true, closed = true, limit = true,
  handler = true,
}

--- A new error of `kind` whose message is "kind: text", with these further
-- fields.
local function new(kind, text, fields)
  assert(kinds[kind], "no such kind of error")
  local err = {}
  for name, value in pairs(fields or {}) do err[name] = value end
  err.kind, err.message = kind, kind .. ": " .. text
  return setmetatable(err, mt)
end

--- The same, as what a failing call returns: nil, message, err.
local function failure(kind, text, fields)
  local err = new(kind, text, fields)
  return nil, err.message, err
end

--- The same error, of which nobody can see otherwise whose it is: its message names
-- `what` behind the kind.
local function about(what, err)
  local rest = err.message:sub(#err.kind + 3) -- "kind: rest"
  return new(err.kind, ("%s: %s"):format(what, rest), err)
end

return { new = new, about = about, failure = failure, kinds = kinds }
