-- SPDX-License-Identifier: MIT
-- The examples of docs/testing.md are specs: they run here as they stand there,
-- each in a describe of its own.
local path = "docs/testing.md"

-- The Lua blocks of a text, each behind as many line ends as stand before it, so
-- that a failure names its line in the text.
local function blocks_of(text)
  local blocks, at = {}, 1
  while true do
    local _, from = text:find("\n```lua\n", at, true)
    if not from then return blocks end
    local to = text:find("\n```\n", from, true)
    local _, lines = text:sub(1, from):gsub("\n", "")
    blocks[#blocks + 1] = ("\n"):rep(lines) .. text:sub(from + 1, to)
    at = to
  end
end

local function compile(code)
  local env = getfenv and getfenv(1) or _ENV -- luacheck: ignore 113
  if not setfenv then return assert(load(code, "@" .. path, "t", env)) end -- luacheck: ignore 113
  return setfenv(assert(loadstring(code, "@" .. path)), env) -- luacheck: ignore 113
end

local file = assert(io.open(path))
local blocks = blocks_of(file:read("*a"))
file:close()

describe(path, function()
  it("has examples of the broker, of misbehaviour and of a world", function()
    local all = table.concat(blocks)
    for _, text in ipairs { "stomp.broker", ":misbehave", "stomp.testing" } do
      assert.truthy(all:find(text, 1, true), text)
    end
    for _, block in ipairs(blocks) do assert.truthy(block:find("it(", 1, true)) end
  end)

  for i, block in ipairs(blocks) do
    describe("example " .. i, function() compile(block)() end)
  end
end)
