-- SPDX-License-Identifier: MIT
-- Vectors: markdown files with one heading a case, a fenced block of input and
-- one of what must come out. spec/vectors/parser.md says how octets are written.
local caret = {}

local letters = { ["^"] = "^" }
for i = 0, 31 do letters[string.char(i + 64)] = string.char(i) end

--- Octets of caret notation: ^@ is NUL, ^M is CR, ^^ is a caret, ^xff an octet.
function caret.decode(text)
  local out, i = {}, 1
  while i <= #text do
    local c = text:sub(i, i)
    local hex = c == "^" and text:match("^x(%x%x)", i + 1)
    if hex then
      out[#out + 1] = string.char(tonumber(hex, 16))
      i = i + 4
    elseif c == "^" then
      local letter = text:sub(i + 1, i + 1)
      out[#out + 1] = assert(letters[letter], "unknown notation ^" .. letter)
      i = i + 2
    else
      out[#out + 1] = c
      i = i + 1
    end
  end
  return table.concat(out)
end

--- The one way in which octets are written.
function caret.encode(bytes)
  return (bytes:gsub("[%c\127-\255^%z]", function(c)
    local byte = c:byte()
    if c == "^" then return "^^" end
    if byte < 32 then return "^" .. string.char(byte + 64) end
    return ("^x%02x"):format(byte)
  end))
end

--- The same text, written in the one way.
function caret.canonical(text)
  return caret.encode(caret.decode(text))
end

local function words(info)
  local list = {}
  for word in info:gmatch("%S+") do list[#list + 1] = word end
  return list
end

--- Every vector of a file: { title =, line =, blocks = { { kind =, words =,
-- lines = } … } }; `words` is what stands behind the fence's kind.
local function read(path)
  local list, vector, block, n = {}, nil, nil, 0
  for line in assert(io.open(path, "rb")):lines() do
    n = n + 1
    local title, info = line:match("^## (.*)"), line:match("^```(%w.*)")
    if block and line == "```" then
      block = nil
    elseif block then
      block.lines[#block.lines + 1] = line
    elseif title then
      vector = { title = title, line = n, blocks = {} }
      list[#list + 1] = vector
    elseif info and vector then
      local said = words(info)
      block = { kind = table.remove(said, 1), words = said, lines = {} }
      vector.blocks[#vector.blocks + 1] = block
    end
  end
  return list
end

--- What a block's words say: versions (a list), numbers and flags by name.
local function options(block, default)
  local versions, named = {}, {}
  for _, word in ipairs(block.words) do
    local name, number = word:match("^([%a_]+)=(%d+)$")
    if name then
      named[name] = tonumber(number)
    elseif word:match("^1%.%d$") or word == "unsettled" then
      versions[#versions + 1] = word
    else
      named[word] = true
    end
  end
  return #versions > 0 and versions or default, named
end

--- The octets that a block stands for: its lines joined by LF; the last one's
-- end is not among them.
local function octets(block)
  return caret.decode(table.concat(block.lines, "\n"))
end

--- A frame in one line: COMMAND name=value … | body -> command, list of {name, value}, body
local function short(text)
  local head, body = text:match("^(.-) | (.*)$")
  local command, list = nil, {}
  for word in (head or text):gmatch("[^ ]+") do
    local name, value = word:match("^(.-)=(.*)$")
    if not command then
      command = caret.decode(word)
    elseif name then
      list[#list + 1] = { caret.decode(name), caret.decode(value) }
    end
  end
  return command, list, body and caret.decode(body)
end

--- What it is on the wire, its values raw.
local function octets_of_short(text)
  local command, headers, body = short(text)
  local out = { command, "\n" }
  for _, h in ipairs(headers) do out[#out + 1] = h[1] .. ":" .. h[2] .. "\n" end
  return table.concat(out) .. "\n" .. (body or "") .. "\0"
end

return {
  read = read, options = options, octets = octets, caret = caret, short = short, octets_of_short = octets_of_short,
}
