-- SPDX-License-Identifier: MIT
-- STOMP 1.2, "Value Encoding", "Body" and "Header content-length": every vector
-- of vectors/encoder.md, and back through the parser.
local core = require "stomp.core"
local feeder = require "spec.support.feeder"
local vectors = require "spec.support.vectors"

local decode = vectors.caret.decode
local SETTLED = { "1.0", "1.1", "1.2" }

--- The frame that a block describes: command, name=value lines, "| body".
local function read_frame(block)
  local frame = { command = block.lines[1], headers = {}, body = "" }
  for i = 2, #block.lines do
    local line = block.lines[i]
    local body = line:match("^| (.*)$")
    if body then
      frame.body = decode(body)
    else
      local name, value = line:match("^([^=]*)=(.*)$")
      frame.headers[#frame.headers + 1] = { decode(name), decode(value) }
    end
  end
  return frame
end

local function outcome(frame, version)
  local bytes, _, err = core.encode(frame.command, frame.headers, frame.body, version)
  if bytes then return bytes end
  local log = {}
  feeder.note_error(log, err)
  return log[1]
end

local function expected_of(block)
  if block.kind == "stomp" then return vectors.octets(block) end
  return vectors.caret.canonical(block.lines[1])
end

--- Whatever was encoded reads back as the same frame.
local function check_back(frame, bytes, version)
  local parser = core.parser(nil, version)
  parser:feed(bytes)
  local back = assert(parser:next())
  assert.equal(frame.command, back.command)
  assert.equal(frame.body, back.body)
  local seen = {}
  for _, field in ipairs(frame.headers) do
    local name, value = field[1], field[2]
    if version == "1.0" then value = value:match("^[ \t]*(.-)[ \t]*$") end
    if not seen[name] then assert.equal(value, back.headers[name]) end
    seen[name] = true
  end
end

describe("core.encode", function()
  for _, vector in ipairs(vectors.read("spec/vectors/encoder.md")) do
    local versions, flags = vectors.options(vector.blocks[1], SETTLED)
    local frame = read_frame(vector.blocks[1])
    for _, version in ipairs(versions) do
      -- flags are the connection's options; core.encode has none of them
      if version ~= "unsettled" and next(flags) == nil then
        it(vector.title .. " (" .. version .. ")", function()
          local got = outcome(frame, version)
          assert.equal(expected_of(vector.blocks[2]), got)
          if vector.blocks[2].kind == "stomp" then check_back(frame, got, version) end
        end)
      end
    end
  end

  it("has 60 vectors or more", function()
    assert.is_true(#vectors.read("spec/vectors/encoder.md") >= 60)
  end)
end)
