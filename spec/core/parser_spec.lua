-- SPDX-License-Identifier: MIT
-- STOMP 1.2, "Augmented BNF": every vector of vectors/parser.md, in every way
-- that it can be cut. (What Lua cannot reach - the order of repeated headers,
-- the parser before the version is settled, memory - is spec/c/codec_test.c's.)
local core = require "stomp.core"
local feeder = require "spec.support.feeder"
local vectors = require "spec.support.vectors"

local SETTLED = { "1.0", "1.1", "1.2" }

--- Expected events as the feeder writes them: a Lua frame has its headers by
-- name, of repeated ones the first.
local function expected_log(block)
  local log, frame = {}, nil
  local function close()
    if not frame then return end
    table.sort(frame.names)
    log[#log + 1] = frame.head
    for _, name in ipairs(frame.names) do log[#log + 1] = frame.headers[name] end
    log[#log + 1] = frame.body
    frame = nil
  end
  for _, line in ipairs(block.lines) do
    line = vectors.caret.canonical(line)
    local command, body = line:match("^frame (%S+) headers=%d+ body=(%d+)$")
    if command then
      close()
      frame = { head = "frame " .. command .. " body=" .. body, names = {}, headers = {} }
    elseif line:match("^  | ") then
      frame.body = line
    elseif line:match("^  ") then
      local name = line:match("^  ([^=]*)=")
      if not frame.headers[name] then
        frame.names[#frame.names + 1] = name
        frame.headers[name] = line
      end
    elseif line ~= "unfinished" then
      close()
      log[#log + 1] = line
    end
  end
  close()
  return table.concat(log, "\n")
end

describe("core.parser", function()
  for _, vector in ipairs(vectors.read("spec/vectors/parser.md")) do
    local input = vectors.octets(vector.blocks[1])
    local versions, limits = vectors.options(vector.blocks[1], SETTLED)
    local expected = expected_log(vector.blocks[2])
    for _, version in ipairs(versions) do
      if version ~= "unsettled" then
        it(vector.title .. " (" .. version .. ")", function()
          for how, ends in feeder.ways(#input) do
            local parser = core.parser(limits, version)
            assert.equal(expected, feeder.run(parser, input, ends), how)
          end
        end)
      end
    end
  end

  it("has 120 vectors or more", function()
    assert.is_true(#vectors.read("spec/vectors/parser.md") >= 120)
  end)

  it("stays failed, and takes no more", function()
    local parser = core.parser()
    parser:feed("NOSUCH\n\n\0")
    assert.equal("ECOMMAND", select(3, parser:next()).name)
    assert.equal("ECOMMAND", select(3, parser:next()).name)
    assert.equal("ECOMMAND", select(3, parser:feed("RECEIPT\n\n\0")).name)
  end)

  it("reads the next frame by the version set in between", function()
    local parser = core.parser(nil, "1.0")
    parser:feed("RECEIPT\na:\\c\n\n\0RECEIPT\na:\\c\n\n\0")
    assert.equal("\\c", parser:next().headers.a)
    parser:version("1.2")
    assert.equal(":", parser:next().headers.a)
  end)
end)
