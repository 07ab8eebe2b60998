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
  for _, name in ipairs { "websocket", "websocket_utf8", "websocket_limits" } do
    for i, vector in ipairs(vectors.read("spec/vectors/" .. name .. ".md")) do
      local _, named = vectors.options(vector.blocks[1])
      for _, role in ipairs { "client", "server" } do
        if named.client == named.server or named[role] then
          local flags = (role == "server" and 1 or 0) + (named.strict and 2 or 0)
            + (named.echo and 4 or 0)
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

function targets.handshake(add)
  local options = "\4host" .. "\6/path?" .. "\3X-A" .. "\5a b c"
  for i, vector in ipairs(vectors.read "spec/vectors/handshake.md") do
    local _, named = vectors.options(vector.blocks[1])
    local flags = (named.server and 1 or 0) + (named.proxy and 2 or 0) + (named.plain and 4 or 0)
      + (named.limit and 8 or 0)
    local settings = string.char(named.limit or 0, i % 256, i % 16, (i * 7) % 256)
    add(string.char(flags) .. settings, http(vector.blocks[1]))
    if named.start then
      add(string.char(flags + 16) .. settings, options .. http(vector.blocks[1]))
    end
  end
end

-- ---- session: see session_fuzz.c; talk.h says how a frame is written

local caret = vectors.caret
local COMMANDS = {}
for i, name in ipairs { "CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT",
  "ABORT", "DISCONNECT", "CONNECTED", "MESSAGE", "RECEIPT", "ERROR" } do
  COMMANDS[name] = i - 1
end

local function word(text)
  return "\19" .. string.char(math.min(#text, 31)) .. text:sub(1, 31)
end

-- COMMAND name=value … | body -> command, list of {name, value}, body
local function short(text)
  local head, body = text:match("^(.-) | (.*)$")
  local command, list = nil, {}
  for part in (head or text):gmatch("[^ ]+") do
    local name, value = part:match("^(.-)=(.*)$")
    if not command then
      command = caret.decode(part)
    elseif name then
      list[#list + 1] = { caret.decode(name), caret.decode(value) }
    end
  end
  return command, list, caret.decode(body or "")
end

local function outgoing(text)
  local command, list, body = short(text)
  local n = math.min(#list, 4)
  local out = { string.char(n + (body ~= "" and 0x80 or 0) - (n + (body ~= "" and 0x80 or 0)) % 5 + n),
    string.char(COMMANDS[command] or 15) }
  for i = 1, n do out[#out + 1] = word(list[i][1]) .. word(list[i][2]) end
  if body ~= "" then out[#out + 1] = string.char(math.min(#body, 63)) .. body:sub(1, 63) end
  return table.concat(out)
end

local function incoming(text)
  local command, list, body = short(text)
  local out = { command, "\n" }
  for _, h in ipairs(list) do out[#out + 1] = h[1] .. ":" .. h[2] .. "\n" end
  return table.concat(out) .. "\n" .. body .. "\0"
end

local function fed(bytes, move)
  local out = {}
  for at = 1, #bytes, 255 do
    local piece = bytes:sub(at, at + 254)
    out[#out + 1] = move .. string.char(#piece) .. piece
  end
  return table.concat(out)
end

local CODES = { ["0"] = 0, ["1000"] = 1, ["1001"] = 2, ["1005"] = 3, ["1006"] = 4, ["1007"] = 5, ["1002"] = 6 }

-- A line of spec/vectors/session.md -> a move; `now` is kept in `run`.
local lines = {
  ["<"] = function(text) return fed(incoming(text), "\0") end,
  ["<<"] = function(text) return fed(caret.decode(text), "\0") end,
  connect = function() return "\2" end,
  accept = function(text) return "\3" .. word("a") .. word(text:match("=(.*)") or "b") end,
  refuse = function(text) return "\13" .. word(text) .. word("why") end,
  send = function(text) return "\4" .. outgoing(text) end,
  ack = function(text)
    local n, transaction = text:match("^(%d+) ?(.*)$")
    return "\6" .. string.char((n - 1) % 4 + (transaction ~= "" and 0x20 or 0)) .. word(transaction)
  end,
  nack = function(text)
    local n, transaction = text:match("^(%d+) ?(.*)$")
    return "\6" .. string.char((n - 1) % 4 + 0x10 + (transaction ~= "" and 0x20 or 0)) .. word(transaction)
  end,
  disconnect = function() return "\11" end,
  at = function(text, run)
    local ms = math.max(0, tonumber(text) - run.now)
    run.now = tonumber(text)
    return "\9" .. string.char(math.min(255, ms // 100), 100) .. "\9" .. string.char(ms % 100, 1)
  end,
  tick = function(text) return "\8" .. (text == "busy" and "\0" or "\1") end,
  pause = function() return "\10\1" end,
  resume = function() return "\10\0" end,
  close = function() return "\15\0" end,
  ["end"] = function(text)
    local code, reason = text:match("^(%d+) ?(.*)$")
    return "\14" .. string.char(CODES[code] or 7) .. word(reason)
  end,
}

local function moves(block)
  local out, run = {}, { now = 0 }
  for _, line in ipairs(block.lines) do
    local name, text = line:match("^(%S+) ?(.*)$")
    if lines[name] then out[#out + 1] = lines[name](text, run) end
  end
  return table.concat(out)
end

function targets.session(add)
  for i, vector in ipairs(vectors.read "spec/vectors/session.md") do
    local versions, named = vectors.options(vector.blocks[1], {})
    local flags = (named.server and 1 or 0) + (named.escape_connect and 2 or 0)
    local which = 0
    for _, version in ipairs(versions) do which = which + (1 << (VERSIONS[version] - 1)) end
    local beats = (named.send or 10000) // 100 % 16 + (named.receive or 10000) // 100 % 16 * 16
    for forgive = 0, 16, 16 do
      add(string.char(flags + forgive, which, i % 256, i % 64, i % 3 * 20, beats), moves(vector.blocks[1]))
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
