-- SPDX-License-Identifier: MIT
-- Inputs made from a seed, parsed by stomp.core and by simple_parser: both must say
-- the same. An input is frames put together of what matters to a parser, or one of
-- the vectors; most are then damaged in a few places.
local core = require "stomp.core"
local feeder = require "spec.support.feeder"
local simple = require "spec.support.simple_parser"
local vectors = require "spec.support.vectors"
local caret = vectors.caret

local VERSIONS = { "1.0", "1.1", "1.2" }

-- ---- Chance: the same on every Lua

local function dice(seed)
  local state = seed % 2147483647
  if state == 0 then state = 1 end
  --- A number of 1 … n (the generator of Park and Miller).
  return function(n)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
end

-- ---- Inputs

-- What is right comes first: `right` of a list's entries.
local WORDS = { right = 9, "CONNECT", "SEND", "MESSAGE", "CONNECTED", "RECEIPT", "ERROR", "ACK", "STOMP",
  "UNSUBSCRIBE", "send", "SENDX", "UNSUBSCRIBES", "" }
local ENDS = { right = 2, "\n", "\r\n", "\r", "\r\r\n", "" }
local NAMES = { right = 7, "a", " b", "c ", "\td", "a\\c", "\255", "receipt-id", "x\\n", "content-length",
  "content-length ", "\\", "a\rb", "" }
local VALUES = { right = 13, "", "1", "03", " 1", "1 ", "v", "a:b", ":", "\\n", "\\c\\\\", " \t", "\195\188", "b\\c ",
  "2", "-1", "+1", "1x", "99999999999999999999", "16777217", "0", "00", "\\t", "x\\", "a\rb", "\r", "\\r" }
local BODIES = { "", "x", "xy", "a\nb", "\n", "\r\n", "a\0b", "\0", ("0123456789"):rep(9) }
local BITS = { "\0", "\n", "\r", "\r\n", ":", "\\", "\\c", " ", "\t", "content-length:1\n", "content-length:2\n",
  "SEND\n", "\n\n", "\0\n", "0", "a", "\255" }

local function any(list, roll) return list[roll(#list)] end

--- Mostly what is right.
local function some(list, roll) return list[roll(roll(9) == 1 and #list or list.right)] end

local function frame(roll)
  local eol = roll(4) == 1 and "\r\n" or "\n"
  local function line_end() return roll(15) == 1 and some(ENDS, roll) or eol end
  local text = any(BODIES, roll)
  local out = { some(WORDS, roll), line_end() }
  for _ = 1, roll(4) - 1 do
    out[#out + 1] = some(NAMES, roll) .. (roll(25) == 1 and "" or ":") .. some(VALUES, roll)
    out[#out + 1] = line_end()
  end
  if roll(2) == 1 then
    out[#out + 1] = "content-length:" .. (roll(8) == 1 and #text + roll(3) - 2 or #text) .. eol
  end
  out[#out + 1] = line_end() .. text .. (roll(15) == 1 and "" or "\0")
  out[#out + 1] = roll(3) == 1 and any(BITS, roll) or ""
  return table.concat(out)
end

local function known_inputs()
  local list = {}
  for _, vector in ipairs(vectors.read "spec/vectors/parser.md") do
    list[#list + 1] = vectors.octets(vector.blocks[1])
  end
  return list
end

local function damage(input, roll)
  for _ = 1, roll(4) - 1 do
    local at, len = roll(#input + 1), roll(3) - 1
    local put = roll(3) == 1 and "" or roll(2) == 1 and any(BITS, roll) or input:sub(roll(#input + 1)):sub(1, roll(9))
    input = input:sub(1, at - 1) .. put .. input:sub(at + len)
  end
  return input
end

local function make(roll, known)
  if roll(4) == 1 then return damage(any(known, roll), roll) end
  local out = {}
  for i = 1, roll(3) do out[i] = frame(roll) end
  local input = table.concat(out)
  return roll(2) == 1 and input or damage(input, roll)
end

-- ---- What they say

local function simple_log(input, version)
  local log = {}
  for _, event in ipairs(simple.parse(input, version)) do
    if event == "heartbeat" then
      log[#log + 1] = event
    elseif event.name then
      log[#log + 1] = ("error %s byte %d"):format(event.name, event.offset)
    else
      feeder.note_frame(log, event)
    end
  end
  return table.concat(log, "\n")
end

-- The details of an error are for people.
local function core_log(input, version, cut)
  local ends = cut > 0 and cut < #input and { cut, #input } or { #input }
  return (feeder.run(core.parser(nil, version), input, ends):gsub("(error %u+ byte %d+):[^\n]*$", "%1"))
end

--- nil when both say the same, else what each says.
local function difference(input, version, cut)
  local ours, theirs = core_log(input, version, cut), simple_log(input, version)
  if ours ~= theirs then
    return ("STOMP %s\n%s\nstomp.core:\n%s\nsimple_parser:\n%s"):format(version, caret.encode(input), ours, theirs)
  end
end

--- The shortest input that still differs, by leaving out pieces.
local function shrink(input, version)
  local len = math.ceil(#input / 2)
  while len >= 1 do
    local at = 1
    while at <= #input do
      local less = input:sub(1, at - 1) .. input:sub(at + len)
      if difference(less, version, 0) then input = less else at = at + len end
    end
    len = math.floor(len / 2)
  end
  return input
end

--- `n` inputs from a seed, each at every version; how many frames came, or nil and
-- the first difference.
local function run(n, seed)
  local roll, known, frames = dice(seed), known_inputs(), 0
  for i = 1, n do
    local input = make(roll, known)
    local cut = roll(#input + 1) - 1
    for _, version in ipairs(VERSIONS) do
      local found = difference(input, version, cut)
      if found then
        if difference(input, version, 0) then found = difference(shrink(input, version), version, 0) end
        return nil, ("input %d of seed %d: %s"):format(i, seed, found)
      end
    end
    for _, event in ipairs(simple.parse(input, "1.2")) do
      if type(event) == "table" and event.command then frames = frames + 1 end
    end
  end
  return frames
end

return { run = run }
