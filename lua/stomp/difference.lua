-- SPDX-License-Identifier: MIT
-- Whether a frame is the one that was recorded, and in what it differs.
-- Knows json and tracer.
local json = require "stomp.json"
local tracer = require "stomp.tracer"

local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not is_same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- JSON has no order: who wrote it may have put it in another.
local function is_same_body(expected, got)
  local a, b = expected.body or "", got.body or ""
  if a == b then return true end
  local kind = got.headers["content-type"] or ""
  if not kind:find("json", 1, true) then return false end
  local first, second = json.decode(a), json.decode(b)
  return first ~= nil and second ~= nil and is_same(first, second)
end

local function quoted(value)
  return value == nil and "none" or ("%q"):format(value)
end

--- Why the frame is another one, or nil. Redacted values are not known, those of
-- `ignored` headers do not count.
local function find(expected, got, ignored)
  if expected.command ~= got.command then return "command" end
  local names = {}
  for name in pairs(expected.headers) do names[#names + 1] = name end
  for name in pairs(got.headers) do
    if expected.headers[name] == nil then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local a, b = expected.headers[name], got.headers[name]
    if a ~= b and a ~= tracer.REDACTED and not ignored[name]
      and name ~= "content-length" then
      return ("header %s: %s expected, got %s"):format(name, quoted(a), quoted(b))
    end
  end
  if not is_same_body(expected, got) then return "the body is another one" end
end

--- A frame in a few words.
local function name_of(frame)
  local headers = frame.headers
  local what = headers.destination or headers.id or headers["message-id"]
    or headers.transaction
  return what and frame.command .. " " .. what or frame.command
end

return { find = find, name_of = name_of }
