-- SPDX-License-Identifier: MIT
-- The peer in Lua: a STOMP codec as one writes it by hand, string.find for lines
-- and colons, tables for headers. It reads from a position, keeps the first of
-- repeated headers, knows content-length and the escapes of 1.2, and goes on
-- where a chunk ends inside a frame.
local measure = require "bench.codec.measure"
local find, sub, gsub = string.find, string.sub, string.gsub

local MEANING = { ["\\n"] = "\n", ["\\r"] = "\r", ["\\c"] = ":", ["\\\\"] = "\\" }
local ESCAPE = { ["\n"] = "\\n", ["\r"] = "\\r", [":"] = "\\c", ["\\"] = "\\\\" }

local function unescape(text)
  if not find(text, "\\", 1, true) then return text end
  return (gsub(text, "\\.", MEANING))
end

local function escape(text)
  if not find(text, "[\n\r:\\]") then return text end
  return (gsub(text, "[\n\r:\\]", ESCAPE))
end

--- A frame and the position after it, or nil: it is not all there.
local function parse(text, at)
  while sub(text, at, at) == "\n" do at = at + 1 end
  local stop = find(text, "\n", at, true)
  if not stop then return nil end
  local command, headers = sub(text, at, stop - 1), {}
  at = stop + 1
  while true do
    stop = find(text, "\n", at, true)
    if not stop then return nil end
    if stop == at then break end
    local colon = find(text, ":", at, true)
    if not colon or colon > stop then error("header without a colon") end
    local name = unescape(sub(text, at, colon - 1))
    if headers[name] == nil then headers[name] = unescape(sub(text, colon + 1, stop - 1)) end
    at = stop + 1
  end
  at = stop + 1
  local length = tonumber(headers["content-length"])
  stop = length and at + length or find(text, "\0", at, true)
  if not stop or stop > #text then return nil end
  return { command = command, headers = headers, body = sub(text, at, stop - 1) }, stop + 1
end

local Parser = {}
Parser.__index = Parser

function Parser:feed(bytes)
  self.text = sub(self.text, self.at) .. bytes
  self.at = 1
end

function Parser:next()
  local frame, at = parse(self.text, self.at)
  if frame then self.at = at end
  return frame
end

local function encode(command, headers, body)
  local lines, n = { command }, 1
  for name, value in pairs(headers) do
    n = n + 1
    lines[n] = escape(name) .. ":" .. escape(value)
  end
  lines[n + 1] = "content-length:" .. #body
  return table.concat(lines, "\n") .. "\n\n" .. body .. "\0"
end

local chunk, n = measure.chunk, measure.n
local parser = setmetatable({ text = "", at = 1 }, Parser)

measure.rate("lazy", n, function()
  parser:feed(chunk)
  for _ = 1, n do assert(parser:next()) end
  assert(parser:next() == nil)
end)

measure.rate("whole", n, function()
  parser:feed(chunk)
  local bytes = 0
  for _ = 1, n do
    local frame = assert(parser:next())
    bytes = bytes + #frame.command + #frame.body
    for name, value in pairs(frame.headers) do bytes = bytes + #name + #value end
  end
  assert(bytes == n * (#measure.frame - 15))
end)

local headers, body = measure.headers, measure.body
measure.rate("encode", n, function()
  for _ = 1, n do encode("SEND", headers, body) end
end)
