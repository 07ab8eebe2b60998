-- SPDX-License-Identifier: MIT
-- JSON bodies, by lua-cjson. What cannot be made or read is a failure of kind
-- invalid, never raised. Knows errors.
-- (Numbers: lua-cjson 2.1.0 writes 14 digits at most, later ones 16. Whole numbers of
-- which digits may be missing are found in the text, where they have an exponent. To look
-- at each value costs as much as to encode it: so others have 14 or 16 digits.)
local errors = require "stomp.errors"
local cjson = require "cjson.safe"

-- An instance of our own: a program that configures cjson does not change us,
-- nor we it.
local codec = cjson.new and cjson.new() or cjson
if codec.decode_invalid_numbers then codec.decode_invalid_numbers(false) end
-- 17 would write 0.1 as 0.10000000000000001. An old one raises: 14 is its most.
if codec ~= cjson then pcall(codec.encode_number_precision, 16) end

local find = string.find

-- ---- Large whole numbers

-- From 1e14 on lua-cjson may write a whole number with an exponent; from 2^63 on we do
-- not mind.
local LARGE, TOO_LARGE = 1e14, 2 ^ 63

-- Before 5.3 "%d" may be of 32 bits, and every number is a float.
local WHOLE = _VERSION < "Lua 5.3" and "%.0f" or "%d"

-- All digits of a large whole number; nil for anything else.
local function digits_of(value)
  if type(value) ~= "number" or value % 1 ~= 0 or value >= TOO_LARGE
    or value < -TOO_LARGE or (value < LARGE and value > -LARGE) then return nil end
  return WHOLE:format(value)
end

-- A copy in which large whole numbers are strings of their digits behind `mark`. (The
-- value is no circle: it was encoded once.)
local function marked(value, mark)
  if type(value) ~= "table" then
    local digits = digits_of(value)
    return digits and mark .. digits or value
  end
  local all = {}
  for key, item in next, value do all[digits_of(key) or key] = marked(item, mark) end
  local meta = getmetatable(value)
  if meta ~= nil and (meta == cjson.array_mt or meta == cjson.empty_array_mt) then
    setmetatable(all, meta)
  end
  return all
end

-- Encode it again, and take the mark, which nothing else in the text has, off.
local function encode_in_full(value, text)
  local n, mark = 0, "#0:"
  while text:find(mark, 1, true) do
    n = n + 1
    mark = ("#%d:"):format(n)
  end
  local long, reason = codec.encode(marked(value, mark))
  if not long then return nil, reason end
  return (long:gsub('"' .. mark .. '(%-?%d+)"', "%1"))
end

--- A Lua value as JSON text, or nil, message, err.
local function encode(value)
  local text, reason = codec.encode(value)
  -- (a "+" is rare, and so found fast)
  if text and find(text, "+", 1, true) and find(text, "%de%+%d") then
    text, reason = encode_in_full(value, text)
  end
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
