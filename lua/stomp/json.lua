-- SPDX-License-Identifier: MIT
-- JSON bodies, by lua-cjson. What cannot be made or read is a failure of kind
-- invalid, never raised. Knows errors.
local errors = require "stomp.errors"
local cjson = require "cjson.safe"

-- An instance of our own: a program that configures cjson does not change us,
-- nor we it.
local codec = cjson.new and cjson.new() or cjson
if codec.decode_invalid_numbers then codec.decode_invalid_numbers(false) end

--- A Lua value as JSON text, or nil, message, err.
local function encode(value)
  local text, reason = codec.encode(value)
  if text then return text end
  return errors.failure("invalid",
    "this cannot be JSON: " .. tostring(reason))
end

--- The Lua value of a JSON text, or nil, message, err. JSON's null inside it is
-- cjson.null; a bare `null` is, too.
local function decode(text)
  local value, reason = codec.decode(text)
  if value ~= nil then return value end
  return errors.failure("invalid",
    "the body is not JSON: " .. tostring(reason))
end

return { encode = encode, decode = decode, null = cjson.null }
