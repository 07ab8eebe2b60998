-- SPDX-License-Identifier: MIT
-- docs/errors.md from the one list in src/core/error.h.
--   lua5.4 tools/errors.lua [--check]
local file = assert(io.open("src/core/error.h"))
local source = file:read("*a")
file:close()

local out = {
  "# Errors", "",
  "Made from `src/core/error.h` by `tools/errors.lua`; do not edit.", "",
  "What a program can meet returns `nil, message, err`. `message` begins with the kind;",
  "`err.kind` is one of the list below, `err.name` is the stable name of the C core's",
  "failures (errors of the Lua layer have none), `err.offset` the octet of the stream.", "",
  "| kind | name | what |", "| --- | --- | --- |",
}
for name, kind, sentence in source:gmatch('X%((%u+),%s*"(%l+)",%s*\\?\n?%s*"([^"]+)"%)') do
  out[#out + 1] = ("| %s | %s | %s |"):format(kind, name, sentence)
end
for _, row in ipairs {
  { "timeout", "it took longer than the call's time-out; `err.outcome` is \"unknown\" where a frame was sent" },
  { "handler", "an error in the application's function; `err.traceback`, `err.value`" },
} do
  out[#out + 1] = ("| %s | – | %s |"):format(row[1], row[2])
end
local text = table.concat(out, "\n") .. "\n"

if arg[1] == "--check" then
  local there = io.open("docs/errors.md")
  local is = there and there:read("*a")
  os.exit(is == text and 0 or 1)
end
local to = assert(io.open("docs/errors.md", "w"))
to:write(text)
to:close()
