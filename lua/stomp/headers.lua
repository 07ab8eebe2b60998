-- SPDX-License-Identifier: MIT
-- Headers that a program gives, joined with those that its call sets. A header
-- that has an argument or option of its own is refused under that name: sent
-- twice, it would mean one thing to us and another to the broker.
-- Values are checked here, so that misuse is blamed on the program's line.
-- Knows errors.
local errors = require "stomp.errors"

local set_by = {
  destination = "the destination argument",
  id = "option id",
  ack = "option ack",
  receipt = "option confirm",
  transaction = "option transaction",
  ["content-length"] = "option content_length",
}

local sendable = { string = true, number = true, boolean = true }

-- What is wrong with one header, or nil.
local function fault_of(name, value)
  if type(name) ~= "string" then
    return "header names are strings, got " .. type(name)
  elseif not sendable[type(value)] then
    return ("header '%s': string, number or boolean expected, got %s")
      :format(name, type(value))
  end
end

--- Whether a program may give this header; misuse raises at `level`.
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid, set by an argument or option
local function check(name, value, level)
  local text = fault_of(name, value)
  if text then error(text, level + 1) end
  if set_by[name] then
    return errors.failure("invalid",
      ("header %s is set by %s"):format(name, set_by[name]))
  end
  return true
end

-- What a list of {name, value} has that would not be sent: a header by name beside it,
-- or one behind a gap. Nil: nothing.
local function stray(list)
  local n = 0
  for _ in ipairs(list) do n = n + 1 end
  for key in pairs(list) do
    if type(key) ~= "number" then
      return ("a list of headers has '%s' beside it"):format(tostring(key))
    elseif key > n then
      return ("a list of headers has a gap before %d"):format(key)
    end
  end
end

--- What is wrong with the types of a table, or list of {name, value}, of headers;
-- nil: nothing.
local function fault(given)
  if given[1] == nil then
    for name, value in pairs(given) do
      local text = fault_of(name, value)
      if text then return text end
    end
    return nil
  end
  for _, pair in ipairs(given) do
    if type(pair) ~= "table" then
      return "a list of headers has {name, value} in it, got " .. type(pair)
    end
    local text = fault_of(pair[1], pair[2])
    if text then return text end
  end
  return stray(given)
end

-- Whether a program may add this header to `ours`; as check. An option may say one
-- thing (prefetch) and the header that it sets another.
local function check_beside(ours, name, value, level)
  local ok, message, err = check(name, value, level + 1)
  if not ok then return nil, message, err end
  local set = ours[name]
  if set ~= nil and tostring(set) ~= tostring(value) then
    return errors.failure("invalid",
      ("header %s is set to %s by this call's options"):format(name, tostring(set)))
  end
  return true
end

local function join_list(given, ours, level)
  local list = {}
  for name, value in pairs(ours) do list[#list + 1] = { name, value } end
  for _, pair in ipairs(given) do
    if type(pair) ~= "table" then
      error("a list of headers has {name, value} in it, got " .. type(pair),
        level + 1)
    end
    local ok, message, err = check_beside(ours, pair[1], pair[2], level + 1)
    if not ok then return nil, message, err end
    list[#list + 1] = { pair[1], pair[2] } -- the program may use its own again
  end
  local text = stray(given)
  if text then error(text, level + 1) end
  return list
end

--- Add the program's headers (a table, a list of {name, value}, or nil) to `ours`,
-- which is consumed. Misuse raises at `level`, counted as error does.
-- @treturn[1] table for link:send
-- @treturn[2] nil, message, err: invalid
local function join(given, ours, level)
  if given == nil then return ours end
  level = (level or 1) + 1
  if type(given) ~= "table" then
    error("headers: table expected, got " .. type(given), level)
  end
  if given[1] ~= nil then
    local list, message, err = join_list(given, ours, level)
    return list, message, err
  end
  for name, value in pairs(given) do
    local ok, message, err = check_beside(ours, name, value, level)
    if not ok then return nil, message, err end
    ours[name] = value
  end
  return ours
end

--- The value of this header (the first, where a list has several), or nil.
local function get(given, name)
  if given == nil then return nil end
  if given[1] == nil then return given[name] end
  for _, pair in ipairs(given) do
    if pair[1] == name then return pair[2] end
  end
  return nil
end

--- Whether the program's headers have this name.
local function has(given, name)
  return get(given, name) ~= nil
end

--- A copy of the program's headers, right or wrong, of which it may change its own.
-- What is no table (nil, a function that makes headers) is given back.
local function copy(given)
  if type(given) ~= "table" then return given end
  local all = {}
  for name, value in pairs(given) do
    all[name] = type(value) == "table" and { value[1], value[2] } or value
  end
  return all
end

--- A copy in which this header, which it has once, has this value.
local function with(given, name, value)
  local all = copy(given)
  if all[1] == nil then
    all[name] = value
    return all
  end
  for i, pair in ipairs(all) do
    if pair[1] == name then all[i] = { name, value } end
  end
  return all
end

--- The headers of an ACK or NACK as the version wants them (STOMP 1.2, "ACK"),
-- for those who watch what is sent: on the wire they are the protocol machine's.
-- `more`: further headers, or nil.
local function of_ack(message, version, more)
  local headers = {}
  for name, value in pairs(more or {}) do headers[name] = value end
  if version == "1.2" then
    headers.id = message.headers.ack
  else
    headers["message-id"] = message.id
    headers.subscription = message.subscription
  end
  return headers
end

return {
  join = join, get = get, has = has, copy = copy, with = with, check = check,
  fault = fault, of_ack = of_ack,
}
