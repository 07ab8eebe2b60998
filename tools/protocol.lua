-- SPDX-License-Identifier: MIT
-- The tables of docs/protocol.md from the core itself: between the marks
-- <!-- table NAME --> and <!-- end --> goes what tools/protocol.c prints.
--   lua5.4 tools/protocol.lua [--check]
local program = "build/test/protocol"

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  assert(pipe:close(), command)
  return text
end

run("mkdir -p build/test && gcc -std=c11 -D_GNU_SOURCE -Isrc -o " .. program
  .. " tools/protocol.c tools/protocol_codec.c src/core/*.c src/os/memory.c -lz 2>&1")

local file = assert(io.open("docs/protocol.md"))
local page = file:read("*a")
file:close()

local n = 0
local made = page:gsub("(<!%-%- table (%w+) %-%->\n).-(<!%-%- end %-%->)", function(from, name, to)
  n = n + 1
  return from .. run(program .. " " .. name) .. to
end)
assert(n == 7, "docs/protocol.md has lost the marks of a table")

if arg[1] == "--check" then os.exit(made == page and 0 or 1) end
file = assert(io.open("docs/protocol.md", "w"))
file:write(made)
file:close()
