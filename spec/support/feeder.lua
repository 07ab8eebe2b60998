-- SPDX-License-Identifier: MIT
-- Feeds one input to a fresh parser in every way it can be cut, and writes down
-- what came out, so that the ways can be compared.
local caret = require("spec.support.vectors").caret

local function note_frame(log, frame)
  log[#log + 1] = "frame " .. frame.command .. " body=" .. #frame.body
  local names = {}
  for name in pairs(frame.headers) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    log[#log + 1] = "  " .. caret.encode(name .. "=" .. frame.headers[name])
  end
  if frame.body ~= "" then log[#log + 1] = "  | " .. caret.encode(frame.body) end
end

local function note_error(log, err)
  local at = err.offset and (" byte %d"):format(err.offset) or ""
  local detail = err.detail ~= "" and ": " .. caret.encode(err.detail) or ""
  log[#log + 1] = "error " .. err.name .. at .. detail
end

--- Everything that is complete; false once the parser has failed.
local function drain(parser, log)
  while true do
    local event, _, err = parser:next()
    if err then
      note_error(log, err)
      return false
    elseif event == nil then
      return true
    elseif event == "heartbeat" then
      log[#log + 1] = "heartbeat"
    else
      note_frame(log, event)
    end
  end
end

--- The log of one input in pieces: ends = ascending ends of the pieces.
local function run(parser, input, ends)
  local log, from = {}, 1
  for _, to in ipairs(ends) do
    assert(parser:feed(input:sub(from, to)))
    if not drain(parser, log) then break end
    from = to + 1
  end
  return table.concat(log, "\n")
end

--- Each way to cut `len` octets: whole, one by one, and in two at each place.
-- for how, ends in ways(len)
local function ways(len)
  return coroutine.wrap(function()
    coroutine.yield("whole", { len })
    local each = {}
    for i = 1, len do each[i] = i end
    coroutine.yield("octet by octet", each)
    for i = 1, len - 1 do
      coroutine.yield("cut after octet " .. i, { i, len })
    end
  end)
end

return { run = run, ways = ways, note_error = note_error, note_frame = note_frame }
