-- SPDX-License-Identifier: MIT
-- A second STOMP parser, deliberately simple: the whole input is there, and
-- string.find takes it apart. Written from the texts of STOMP 1.0, 1.1 and 1.2 and
-- docs/protocol.md, not from src/core, so that the two share no mistake; slow, and
-- without limits.
local COMMANDS = {}
for name in ("CONNECT STOMP SEND SUBSCRIBE UNSUBSCRIBE ACK NACK BEGIN COMMIT ABORT DISCONNECT "
  .. "CONNECTED MESSAGE RECEIPT ERROR"):gmatch("%u+") do
  COMMANDS[name] = true
end

-- STOMP 1.2, "Value Encoding": not in these (1.1 says so of CONNECTED as well).
local RAW = { CONNECT = true, CONNECTED = true, STOMP = true }
local ESCAPES = { n = "\n", r = "\r", c = ":", ["\\"] = "\\" }

--- The text without its escapes, or nil and the index of a wrong one.
local function unescaped(text)
  local out, at = {}, 1
  while true do
    local slash = text:find("\\", at, true)
    if not slash then return table.concat(out) .. text:sub(at) end
    local letter = ESCAPES[text:sub(slash + 1, slash + 1)]
    if not letter then return nil, slash end
    out[#out + 1] = text:sub(at, slash - 1) .. letter
    at = slash + 2
  end
end

--- A header line -> name, value; or nil, error, its index in the line.
local function header(line, command, version)
  local colon = line:find(":", 1, true)
  if not colon then return nil, "EHEADER", 1 end
  local name, value = line:sub(1, colon - 1), line:sub(colon + 1)
  local from = colon + 1 -- index of the value
  if version == "1.0" then
    name = name:match("^[ \t]*(.-)[ \t]*$")
    from = from + #value:match("^[ \t]*")
    value = value:match("^[ \t]*(.-)[ \t]*$")
  end
  if name == "" then return nil, "ENAME", 1 end
  if version == "1.0" or RAW[command] then return name, value, from end
  local plain, bad = unescaped(name)
  if not plain then return nil, "EESCAPE", bad end
  name = plain
  plain, bad = unescaped(value)
  if not plain then return nil, "EESCAPE", colon + bad end
  return name, plain, from
end

--- The line that begins at `from`: its text, the index behind its end; or nil when
-- its end has not come; or nil, error, index. `crlf`: CR LF is an end, too.
local function line_at(input, from, crlf, strict)
  local lf = input:find("\n", from, true)
  local nul = input:find("\0", from, true)
  if nul and nul < (lf or math.huge) then return nil, "EHEADNUL", nul end
  if not lf then return nil end
  local line = input:sub(from, lf - 1)
  if crlf then line = line:gsub("\r$", "") end
  local cr = strict and line:find("\r", 1, true)
  if cr then return nil, "ECR", from + cr - 1 end
  return line, lf + 1
end

local function length_of(frame, value)
  if not value:match("^%d+$") then return "ELENGTH" end
  local n = tonumber((value:gsub("^0+(%d)", "%1")))
  if frame.length and frame.length ~= n then return "ELENGTHS" end
  if n > 16 * 1024 * 1024 then return "LFRAME" end -- the default limit of a frame
  frame.length = n
end

--- The head of a frame at `from`: the frame and the index of its body; or nil,
-- error, index; or nil when it is not whole.
local function head(input, from, version)
  local strict = version == "1.2"
  -- its first line ends in LF or CR LF at every version; one that is too long for
  -- any command, or has a NUL, is none
  local stop = input:find("[\n%z]", from)
  local line = input:sub(from, (stop or #input + 1) - 1)
  if not stop and #line <= #"UNSUBSCRIBE\r" then return nil end
  if input:sub(stop or 0, stop or 0) ~= "\n" or not COMMANDS[(line:gsub("\r$", ""))] then
    return nil, "ECOMMAND", from
  end
  local at = stop + 1
  -- a command line in CR LF: so are the others
  local crlf = strict or input:sub(at - 2, at - 2) == "\r"
  local frame = { command = (line:gsub("\r$", "")), headers = {}, names = {} }
  while true do
    local start = at
    local index
    line, at, index = line_at(input, start, crlf, strict)
    if not line then return nil, at, index end
    if line == "" then return frame, at end
    local name, value, where = header(line, frame.command, version)
    if not name then return nil, value, start + where - 1 end
    if name == "content-length" then
      local wrong = length_of(frame, value)
      if wrong then return nil, wrong, start + where - 1 end
    end
    if not frame.headers[name] then
      frame.headers[name] = value
      frame.names[#frame.names + 1] = name
    end
  end
end

--- Index behind the body and its NUL; or nil, error, index; or nil when it is not
-- whole.
local function body(frame, input, from)
  local nul
  if frame.length then
    nul = from + frame.length
    if nul > #input then return nil end
    if input:sub(nul, nul) ~= "\0" then return nil, "EBODYEND", nul end
  else
    nul = input:find("\0", from, true)
    if not nul then return nil end
  end
  frame.body = input:sub(from, nul - 1)
  return nul + 1
end

--- The events of an input: frames (command, headers, names in order, body),
-- "heartbeat", and in the end perhaps an error { name =, offset = }.
local function parse(input, version)
  local events, at = {}, 1
  local function failed(name, index)
    if name then events[#events + 1] = { name = name, offset = index - 1 } end
    return events
  end
  while at <= #input do
    local eol = input:match("^\r?\n", at)
    if eol then
      events[#events + 1] = "heartbeat"
      at = at + #eol
    elseif input:sub(at, at) == "\0" then
      at = at + 1
    elseif input:sub(at, at) == "\r" then
      return failed(at < #input and "ECR", at)
    else
      local frame, next_at, index = head(input, at, version)
      if not frame then return failed(next_at, index) end
      next_at, index, at = body(frame, input, next_at)
      if not next_at then return failed(index, at) end
      events[#events + 1] = frame
      at = next_at
    end
  end
  return events
end

return { parse = parse }
