-- SPDX-License-Identifier: MIT
-- What a broker does wrong on purpose. Switches that strike (`cut_after`,
-- `cut_on`, `error_on`, `close_on`, `refuse_logins`, `refuse_sends`,
-- `withhold_receipts`) do so at most `times` times together; `delay`, `silent` and
-- `refuse_connects` are as they are until the next call of misbehave.
-- Knows check.
local check = require "stomp.check"

local methods = {}
local mt = { __index = methods }

local known = {
  cut_after = "number", cut_on = "string table function",
  error_on = "string table function", close_on = "string table function",
  refuse_logins = "boolean function", refuse_sends = "boolean function",
  withhold_receipts = "boolean function",
  times = "number", delay = "number", silent = "boolean",
  refuse_connects = "boolean",
}

local function check_number(given, name, least, whole, level)
  local n = given[name]
  if n == nil then return end
  if not (n >= least and n < math.huge and (not whole or n % 1 == 0)) then
    error(("option '%s': %s from %d on expected, got %s"):format(name,
      whole and "a whole number" or "a number", least, n), level + 1)
  end
end

-- ---- Rules: function(frame, session) -> whether it strikes

local function among(name, list, level)
  local set = {}
  for _, text in ipairs(type(list) == "string" and { list } or list) do
    check.argument(("option '%s'"):format(name), text, "string", level + 1)
    set[text] = true
  end
  return function(frame)
    return set[frame.command] or set[frame.headers.destination or ""] or false
  end
end

local function always() return true end

local function rule_of(name, given, level)
  local kind = type(given)
  if kind == "function" then return given end
  if kind == "boolean" then return given and always or nil end
  if kind == "number" then
    return function(_, session) return session.n_frames >= given end
  end
  local rule = among(name, given, level + 1) -- no tail call: levels count
  return rule
end

local striking = { "cut_after", "cut_on", "error_on", "close_on", "refuse_logins",
  "refuse_sends", "withhold_receipts" }

--- From a table of switches; misuse raises at `level`.
local function new(given, level)
  given = check.options(given, known, level + 1)
  check_number(given, "cut_after", 1, true, level + 1)
  check_number(given, "times", 1, true, level + 1)
  check_number(given, "delay", 0, false, level + 1)
  local rules = {}
  for _, name in ipairs(striking) do
    if given[name] ~= nil then
      rules[name] = rule_of(name, given[name], level + 1)
    end
  end
  return setmetatable({
    rules = rules,
    left = given.times or math.huge,
    harmless = next(rules) == nil, -- nothing strikes
    delay = given.delay or 0,
    silent = given.silent or false,
    refuse_connects = given.refuse_connects or false,
  }, mt)
end

--- Whether a switch strikes at this frame of this session; then it has struck.
function methods:strikes(name, frame, session)
  local rule = self.rules[name]
  if not rule or self.left == 0 or not rule(frame, session) then return false end
  self.left = self.left - 1
  return true
end

return { new = new }
