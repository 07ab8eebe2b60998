-- SPDX-License-Identifier: MIT
-- What goes wrong on the virtual network, as a spec asks for it: a name or value that
-- means nothing would make a spec pass for want of what it is about. Misuse raises at
-- `level`, as in check. Knows check and show.
local check = require "stomp.check"
local show = require "stomp.show"

local function is_seconds(value)
  return type(value) == "number" and value >= 0 and value < math.huge
end

local function is_bytes(value)
  return type(value) == "number" and value >= 1 and value < math.huge and value % 1 == 0
end

local function is_drip(value)
  return type(value) == "table" and is_bytes(value[1]) and is_seconds(value[2])
end

local ways = { up = true, down = true }

local function is_silence(value) return value == "both" or ways[value] end

local function is_true(value) return value == true end

local known = {
  latency = { is_seconds, "seconds" },
  jitter = { is_seconds, "seconds" },
  piece = { is_bytes, "a whole number of bytes" },
  drip = { is_drip, "{ bytes, seconds }" },
  silent = { is_silence, "\"up\", \"down\", \"both\"" },
  refuse = { is_true, "true" },
  unreachable = { is_true, "true" },
}

--- Conditions as of network:set; false is one of each.
local function conditions(given, level)
  check.argument("conditions", given, "table", level + 1)
  for name, value in pairs(given) do
    local condition = known[name]
    if not condition then
      error(("unknown condition '%s'"):format(show.value(name)), level + 1)
    elseif value ~= false and not condition[1](value) then
      error(("condition '%s': %s or false expected, got %s"):format(name, condition[2],
        show.value(value)), level + 1)
    end
  end
end

--- Who notices a cut: nil, both do.
local function side(only, level)
  if only ~= nil and only ~= "client" and only ~= "server" then
    error(("only: \"client\" or \"server\" expected, got %s"):format(show.value(only)), level + 1)
  end
end

--- How many bytes of a way.
local function bytes(way, n, level)
  if not ways[way] then
    error(("way: \"up\" or \"down\" expected, got %s"):format(show.value(way)), level + 1)
  end
  check.argument("n", n, "number", level + 1)
end

return { conditions = conditions, side = side, bytes = bytes }
