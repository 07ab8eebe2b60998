-- SPDX-License-Identifier: MIT
-- Misuse: wrong types and unknown options raise at the caller's line, with the
-- name. `level` counts as error's does, from the function that calls these.
-- Knows show.
local show = require "stomp.show"

-- "string table" -> { string = true, table = true }: read once each, for these are
-- literals of the modules.
local sets = setmetatable({}, {
  __index = function(self, types)
    local set = {}
    for wanted in types:gmatch("%a+") do set[wanted] = true end
    self[types] = set
    return set
  end,
})

local function readable(types)
  return (types:gsub(" ", " or "))
end

--- An argument of one of the types ("string table").
local function argument(name, value, types, level)
  if not sets[types][type(value)] then
    error(("%s: %s expected, got %s"):format(name, readable(types),
      type(value)), level + 1)
  end
end

--- Seconds: nobody could ever tell that those of nan are over.
local function seconds(name, value, level)
  argument(name, value, "number", level + 1)
  if value ~= value then
    error(name .. ": a number of seconds expected, got nan", level + 1)
  end
end

--- A time-out: nil, or seconds.
local function timeout(value, level)
  if value ~= nil then seconds("timeout", value, level + 1) end
end

--- A table of options, each of which `known` gives its types; returns it, or an
-- empty one.
local function options(given, known, level)
  if given == nil then return {} end
  argument("options", given, "table", level + 1)
  for name, value in pairs(given) do
    local types = known[name]
    if not types then
      error(("unknown option '%s'"):format(show.value(name)), level + 1)
    end
    if not sets[types][type(value)] then
      error(("option '%s': %s expected, got %s"):format(name, readable(types),
        type(value)), level + 1)
    end
  end
  if given.timeout ~= nil then timeout(given.timeout, level + 1) end
  return given
end

return { argument = argument, seconds = seconds, timeout = timeout, options = options }
