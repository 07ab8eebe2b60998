-- SPDX-License-Identifier: MIT
-- Seeds of the fuzz targets, made of the vectors: an input a vector (and role, and
-- version). What an input begins with is said in each target's first comment.
--   lua5.4 tools/fuzz_seeds.lua TARGET FOLDER    writes FOLDER/NNNN
package.path = "./?.lua;" .. package.path
local vectors = require "spec.support.vectors"
local frames = require "spec.support.frames"

local VERSIONS = { unsettled = 0, ["1.0"] = 1, ["1.1"] = 2, ["1.2"] = 3 }
local ALL = { "unsettled", "1.0", "1.1", "1.2" }
local MOST = 4096 -- octets: larger ones only make the fuzzer slow

local targets = {}

-- ---- parser: versions, which limits, their size, cuts, allocation; the stream

function targets.parser(add)
  for i, vector in ipairs(vectors.read "spec/vectors/parser.md") do
    local versions, named = vectors.options(vector.blocks[1], ALL)
    local which, size = 0, 0
    if named.frame then which, size = which + 1, math.ceil(named.frame / 4) end
    if named.headers then which, size = which + 2, math.ceil(named.headers / 2) end
    if named.header_line then which, size = which + 4, named.header_line end
    if named.header_count then which, size = which + 8, named.header_count * 8 end
    for _, version in ipairs(versions) do
      add(string.char(VERSIONS[version] * 85, which, math.min(size, 255), i % 256, i % 32),
        vectors.octets(vector.blocks[1]))
    end
  end
  for i, vector in ipairs(vectors.read "spec/vectors/encoder.md") do
    if vector.blocks[2].kind == "stomp" then
      for _, version in ipairs((vectors.options(vector.blocks[1], ALL))) do
        add(string.char(VERSIONS[version] * 85, 0, 0, i % 256, 0),
          vectors.octets(vector.blocks[2]))
      end
    end
  end
end

-- ---- websocket: see websocket_fuzz.c

function targets.websocket(add)
  for _, name in ipairs { "websocket", "websocket_utf8", "websocket_limits", "websocket_deflate" } do
    for i, vector in ipairs(vectors.read("spec/vectors/" .. name .. ".md")) do
      local _, named = vectors.options(vector.blocks[1])
      for _, role in ipairs { "client", "server" } do
        if named.client == named.server or named[role] then
          local flags = (role == "server" and 1 or 0) + (named.strict and 2 or 0)
            + (named.echo and 4 or 0) + (named.deflate and 8 or 0)
            + (named.server_resets and 16 or 0) + (named.server_bits == 8 and 32 or 0)
          local limit = math.min(named.limit or 0, 255)
          local stream = frames.read(vector.blocks[1], role == "server")
          add(string.char(flags, limit, i % 256, i % 8, i % 8, i % 3), stream.bytes)
        end
      end
    end
  end
end

-- ---- handshake: see handshake_fuzz.c

-- Lines that end in CRLF; "| " are octets as they are (spec/vectors/handshake.md).
local function http(block)
  local out = {}
  for _, line in ipairs(block.lines) do
    local raw = line:match("^| (.*)")
    out[#out + 1] = vectors.caret.decode(raw or line) .. (raw and "" or "\r\n")
  end
  return table.concat(out)
end

-- Terms of compression (RFC 7692, 7.1), after the headers of a server, of a client.
local TERMS = { "", "; client_max_window_bits", "; client_max_window_bits=9; server_max_window_bits=\"8\"",
  "; server_no_context_takeover; client_no_context_takeover", "; a=b, permessage-deflate", "; server_max_window_bits",
  ", permessage-deflate", "; a=\"b" }
local HEADS = {
  [0] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
  "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
}

function targets.handshake(add)
  local options = "\4host" .. "\6/path?" .. "\3X-A" .. "\5a b c"
  for role = 0, 1 do
    for i, terms in ipairs(TERMS) do
      add(string.char(64 + role, 0, i * 31, i % 8, 0), HEADS[role] .. "Sec-WebSocket-Extensions: permessage-deflate"
        .. terms .. "\r\n\r\n")
    end
  end
  for i, vector in ipairs(vectors.read "spec/vectors/handshake.md") do
    local _, named = vectors.options(vector.blocks[1])
    local flags = (named.server and 1 or 0) + (named.proxy and 2 or 0) + (named.plain and 4 or 0)
      + (named.limit and 8 or 0) + (named.compression and 64 or 0)
    local settings = string.char(named.limit or 0, i % 256, i % 16, (i * 7) % 256)
    add(string.char(flags) .. settings, http(vector.blocks[1]))
    if named.start then
      add(string.char(flags + 16) .. settings, options .. http(vector.blocks[1]))
    end
  end
end

-- ---- session and connection: see session_fuzz.c, connection_fuzz.c; talk.h says
-- how a frame is written

local COMMANDS = {}
for i, name in ipairs { "CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT",
  "ABORT", "DISCONNECT", "CONNECTED", "MESSAGE", "RECEIPT", "ERROR" } do
  COMMANDS[name] = i - 1
end

-- Their moves, by what a line of spec/vectors/session.md says.
local SESSION = { feed = 0, connect = 2, accept = 3, send = 4, ack = 6, tick = 8, forward = 9, pause = 10,
  disconnect = 11, refuse = 13, closed = 14, close = 15 }
local CONNECTION = { feed = 0, message = 1, upgrade = 2, connect = 4, accept = 5, refuse = 6, send = 7, ack = 8,
  disconnect = 9, close = 10, tick = 11, forward = 12, pause = 13, consume = 14, closed = 15 }
local CODES = { ["0"] = 0, ["1000"] = 1, ["1001"] = 2, ["1005"] = 3, ["1006"] = 4, ["1007"] = 5, ["1002"] = 6 }

local function word(text)
  return "\19" .. string.char(math.min(#text, 31)) .. text:sub(1, 31)
end

local function outgoing(text)
  local command, list, body = vectors.short(text)
  local n = math.min(#list, 4)
  local out = { string.char(body and 0x82 + n or n), string.char(COMMANDS[command] or 15) }
  for i = 1, n do out[#out + 1] = word(list[i][1]) .. word(list[i][2]) end
  if body then out[#out + 1] = string.char(math.min(#body, 63)) .. body:sub(1, 63) end
  return table.concat(out)
end

--- Octets that come, as moves of at most 255 of them.
local function fed(bytes, move)
  local out = {}
  for at = 1, #bytes, 255 do
    local piece = bytes:sub(at, at + 254)
    out[#out + 1] = move .. string.char(#piece) .. piece
  end
  return table.concat(out)
end

local function acknowledged(text, kind)
  local n, transaction = text:match("^(%d+) ?(.*)$")
  return string.char((n - 1) % 4 + kind + (transaction ~= "" and 0x20 or 0)) .. word(transaction)
end

-- Line -> name of the move, what follows it.
local lines = {
  connect = function() return "connect", "" end,
  accept = function(text) return "accept", word("a") .. word(text:match("=(.*)") or "b") end,
  refuse = function(text) return "refuse", word(text) .. word("why") end,
  send = function(text) return "send", outgoing(text) end,
  ack = function(text) return "ack", acknowledged(text, 0) end,
  nack = function(text) return "ack", acknowledged(text, 0x10) end,
  disconnect = function() return "disconnect", "" end,
  tick = function(text) return "tick", text == "busy" and "\0" or "\1" end,
  pause = function() return "pause", "\1" end,
  resume = function() return "pause", "\0" end,
  close = function() return "close", "\0" end,
  at = function(text, run)
    local ms = math.max(0, tonumber(text) - run.now)
    run.now = tonumber(text)
    return "forward", string.char(math.min(255, ms // 100), 100)
  end,
  ["end"] = function(text)
    local code, reason = text:match("^(%d+) ?(.*)$")
    return "closed", string.char(CODES[code] or 7) .. word(reason)
  end,
}

local function moves(block, codes)
  local message = codes.message and string.char(codes.message, 0x81) or string.char(codes.feed)
  local out, run = {}, { now = 0 }
  for _, line in ipairs(block.lines) do
    local name, text = line:match("^(%S+) ?(.*)$")
    if name == "<" or name == "<<" then
      out[#out + 1] = fed(name == "<" and vectors.octets_of_short(text) or vectors.caret.decode(text), message)
    elseif lines[name] then
      local move, rest = lines[name](text, run)
      out[#out + 1] = string.char(codes[move]) .. rest
      if move == "connect" and codes.upgrade then out[#out + 1] = string.char(codes.upgrade) end
    end
  end
  return table.concat(out)
end

--- For each vector of a session: role and versions as bits, heart-beats, the block.
local function sessions(each)
  for i, vector in ipairs(vectors.read "spec/vectors/session.md") do
    local versions, named = vectors.options(vector.blocks[1], {})
    local which = 0
    for _, version in ipairs(versions) do which = which + (1 << (VERSIONS[version] - 1)) end
    local beats = (named.send or 10000) // 100 % 16 + (named.receive or 10000) // 100 % 16 * 16
    each(i, named, which, beats, vector.blocks[1])
  end
end

function targets.session(add)
  sessions(function(i, named, versions, beats, block)
    local flags = (named.server and 1 or 0) + (named.escape_connect and 2 or 0)
    for forgive = 0, 16, 16 do
      add(string.char(flags + forgive, versions, i % 256, i % 64, i % 3 * 20, beats), moves(block, SESSION))
    end
  end)
end

function targets.connection(add)
  local upgrade = string.char(CONNECTION.connect, CONNECTION.upgrade)
  sessions(function(i, named, versions, beats, block)
    local role, begin = named.server and 1 or 0, named.server and upgrade or ""
    for _, flags in ipairs { 0, 2, 4, 8, 64 } do -- bare, proxy, ignore, compression
      add(string.char(role + flags, versions + i % 3 * 8, i % 256, i % 64, i % 32, beats, i % 8),
        begin .. moves(block, CONNECTION))
    end
  end)
  for i, vector in ipairs(vectors.read "spec/vectors/handshake.md") do
    local _, named = vectors.options(vector.blocks[1])
    local flags = (named.server and 1 or 0) + (named.proxy and 4 or 0)
    add(string.char(flags, 0, i % 256, i % 16, i % 4, 0, 0), string.char(CONNECTION.connect)
      .. fed(http(vector.blocks[1]), string.char(CONNECTION.feed)))
  end
  for _, name in ipairs { "websocket", "websocket_deflate" } do
    for i, vector in ipairs(vectors.read("spec/vectors/" .. name .. ".md")) do
      local _, named = vectors.options(vector.blocks[1])
      for role = 0, 1 do
        local stream = frames.read(vector.blocks[1], role == 1)
        add(string.char(role + (named.strict and 16 or 0) + (named.deflate and 64 or 0), 0, i % 256, i % 8, i % 8, 0,
          i % 3), upgrade .. fed(stream.bytes, string.char(CONNECTION.feed)) .. string.char(CONNECTION.consume, 255))
      end
    end
  end
end

-- ---- Writing

local target, folder = arg[1], arg[2]
if not (targets[target] and folder) then
  io.stderr:write("usage: fuzz_seeds.lua TARGET FOLDER\n")
  os.exit(2)
end
local n = 0
targets[target](function(settings, stream)
  if #stream > MOST then return end
  n = n + 1
  local file = assert(io.open(("%s/%04d"):format(folder, n), "wb"))
  assert(file:write(settings, stream))
  assert(file:close())
end)
