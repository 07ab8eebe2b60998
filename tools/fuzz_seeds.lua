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
