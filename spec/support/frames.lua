-- SPDX-License-Identifier: MIT
-- The notation of vectors/websocket.md: frames in words become the octets of a
-- stream for one role, and expected events the lines that a run writes down. Its
-- framing is its own, deliberately simple.
local caret = require("spec.support.vectors").caret

local OPCODES = { continue = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 }
local KINDS = {}
for kind, opcode in pairs(OPCODES) do KINDS[opcode] = kind end

local function xor(a, b)
  local result, bit = 0, 1
  while a > 0 or b > 0 do
    if a % 2 ~= b % 2 then result = result + bit end
    a, b, bit = math.floor(a / 2), math.floor(b / 2), bit * 2
  end
  return result
end

local XOR = {} -- XOR[key octet][octet]: a string of one octet
local function row(key)
  if not XOR[key] then
    XOR[key] = {}
    for octet = 0, 255 do XOR[key][string.char(octet)] = string.char(xor(octet, key)) end
  end
  return XOR[key]
end

--- XOR with a mask of four octets.
local function mask(payload, key)
  if key == "\0\0\0\0" then return payload end
  local rows = {}
  for i = 1, 4 do rows[i] = row(key:byte(i)) end
  return (payload:gsub("(.)(.?)(.?)(.?)", function(a, b, c, d)
    return rows[1][a] .. (rows[2][b] or "") .. (rows[3][c] or "") .. (rows[4][d] or "")
  end))
end

local function fill(payload, n)
  if payload == "" then return "" end
  return payload:rep(math.ceil(n / #payload)):sub(1, n)
end

--- A line of the notation as a table: kind, payload, and its words.
local function read_line(text)
  local words, payload = text:match("^(.-)%s*| (.*)$")
  local line = { words = words or text, rsv = 0, ["repeat"] = 1, key = "\55\250\33\61" }
  line.payload = caret.decode(payload or "")
  for word in line.words:gmatch("%S+") do
    local name, value = word:match("^(%l+)=(%w+)$")
    if word == "send" and not line.kind then
      line.send = true
    elseif not line.kind then
      line.kind = word
    elseif name == "key" then
      line.key = value:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)
    elseif name then
      line[name] = tonumber(value)
    elseif word:match("^%d+$") then
      line.code = tonumber(word)
    elseif word:match("^rsv[123]$") then
      line.rsv = line.rsv + 2 ^ (7 - tonumber(word:sub(4)))
    else
      line[word] = true
    end
  end
  if line.fill then line.payload = fill(line.payload, line.fill) end
  return line
end

local function big_endian(number, octets)
  local list = {}
  for i = octets, 1, -1 do
    list[i] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(list)
end

--- One frame: its header and its payload.
local function encode(line, first, payload, server)
  local masked = (server or line.masked) and not line.unmasked
  local n = line.len or #payload
  local long = line.len64 and 8 or line.len16 and 2 or n > 65535 and 8 or n > 125 and 2 or 0
  local head = string.char(first, (masked and 128 or 0) + (long == 8 and 127 or long == 2 and 126 or n))
    .. big_endian(n, long) .. (masked and line.key or "")
  return head, masked and mask(payload, line.key) or payload
end

local function add(stream, head, payload)
  stream.frames[#stream.frames + 1] = { at = stream.len, head = #head }
  stream.parts[#stream.parts + 1] = head
  stream.parts[#stream.parts + 1] = payload
  stream.len = stream.len + #head + #payload
end

local function add_message(stream, line)
  local opcode = OPCODES[line.kind] or tonumber(line.kind:match("^opcode(%d+)$"))
  local all = (line.code and big_endian(line.code, 2) or "") .. line.payload
  local at, most = 0, line.frag or math.huge
  repeat
    local payload = all:sub(at + 1, at + math.min(most, #all))
    local fin = at + #payload == #all and not line.nofin
    add(stream, encode(line, (fin and 128 or 0) + line.rsv + (at == 0 and opcode or 0), payload, stream.server))
    at = at + #payload
  until at >= #all
end

--- The stream of a `frames` block: { bytes =, frames =, sends = { { at =, line = } … } }.
local function read(block, server)
  local stream = { server = server, frames = {}, sends = {}, parts = {}, len = 0 }
  for _, text in ipairs(block.lines) do
    local line = read_line(text)
    if line.send then
      stream.sends[#stream.sends + 1] = { at = stream.len, line = line }
    elseif line.kind == "raw" then
      add(stream, line.payload, "")
    else
      for _ = 1, line["repeat"] do add_message(stream, line) end
    end
  end
  stream.bytes = table.concat(stream.parts)
  return stream
end

-- Long payloads are compared as strings, and written by number.
local numbers, count = setmetatable({}, { __mode = "k" }), 0

--- One event or answer as a line.
local function say(kind, code, payload)
  local text = code and kind .. " " .. code or kind
  if #payload > 160 then
    if not numbers[payload] then
      count = count + 1
      numbers[payload] = count
    end
    return ("%s | %d octets, string %d"):format(text, #payload, numbers[payload])
  end
  return payload == "" and text or text .. " | " .. caret.encode(payload)
end

local function error_line(stream, text)
  local name, frame, part, n = text:match("^error (%w+) frame (%d+) (%l+) (%d+)$")
  frame = stream.frames[tonumber(frame)]
  return ("error %s byte %d"):format(name, frame.at + (part == "payload" and frame.head or 0) + tonumber(n))
end

local function expected_line(stream, text)
  if text:match("^error ") then return error_line(stream, text) end
  if text:match("^refused ") then return text end
  local indent, rest = text:match("^(  sends )(.*)$")
  local line = read_line(rest or text)
  return (indent or "") .. say(line.rsv > 0 and line.kind .. " rsv1" or line.kind, line.code, line.payload)
end

--- The lines of an `events` block as a run writes them, `unfinished` left out:
-- Lua does not see it.
local function expected(block, stream)
  local log, i = {}, 1
  while block.lines[i] do
    local last = i
    while block.lines[last + 1] and block.lines[last + 1]:match("^ ") do last = last + 1 end
    for _ = 1, tonumber(block.lines[i]:match(" repeat=(%d+)")) or 1 do
      for k = i, last do
        local text = block.lines[k]
        if text ~= "" and text ~= "unfinished" then log[#log + 1] = expected_line(stream, text) end
      end
    end
    i = last + 1
  end
  return table.concat(log, "\n")
end

-- The header of the frame of ours at `at`: first octet, octets of header, of
-- payload, key (nil: none).
local function decode_head(bytes, at, server)
  local first, second = bytes:byte(at, at + 1)
  local n, head = second % 128, 2
  if n >= 126 then
    local octets = n == 126 and 2 or 8
    n = 0
    for i = 2, octets + 1 do n = n * 256 + bytes:byte(at + i) end
    head = 2 + octets
    assert(n > (octets == 2 and 125 or 65535), "not the shortest length")
  end
  assert((second < 128) == server, "a wrong mask")
  if server then return first, head, n end
  return first, head + 4, n, bytes:sub(at + head, at + head + 3)
end

-- The message of ours at `at`: its first octet without FIN, the payload, where the
-- next begins. Its frames have 64 KiB each, but for the last.
local function decode_message(bytes, at, server)
  local parts, kind = {}, nil
  repeat
    local first, head, n, key = decode_head(bytes, at, server)
    local last = first >= 128
    local payload = bytes:sub(at + head, at + head + n - 1)
    assert(#payload == n, "half a frame")
    assert(last and n <= 65536 or n == 65536, "not 64 KiB")
    assert(not kind or first % 128 == 0, "not the same message")
    kind = kind or first % 128
    parts[#parts + 1] = key and mask(payload, key) or payload
    at = at + head + n
  until last
  return kind, table.concat(parts), at
end

--- Take our own messages apart: no reserved bit, the shortest length, masked by a
-- client alone. Returns a list of { kind =, code =, payload = }. Where `inflate` is
-- given, RSV1 may be set: it makes the payload of such a message of its frames.
local function decode(bytes, server, inflate)
  local list, at = {}, 1
  while at <= #bytes do
    local first, payload, after = decode_message(bytes, at, server)
    local compressed = inflate and first >= 64
    if compressed then first = first - 64 end
    assert(first < 16, "a wrong header")
    local kind, code = KINDS[first], nil
    if compressed then
      assert(first <= 2, "a compressed control frame")
      local n = #payload
      kind, payload = kind .. " rsv1", inflate(bytes:sub(at, after - 1))
      assert(#payload > n, "longer than it was")
    end
    if kind == "close" and #payload > 0 then
      code = payload:byte(1) * 256 + payload:byte(2)
      payload = payload:sub(3)
    end
    list[#list + 1] = { kind = kind, code = code, payload = payload }
    at = after
  end
  return list
end

return { read = read, expected = expected, decode = decode, say = say }
