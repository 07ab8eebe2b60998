-- SPDX-License-Identifier: MIT
-- docs/api.txt: the public interface by name, as the loaded modules and live objects
-- have it.
--   lua5.4 tools/apidump.lua [--check]    (LUA_PATH and LUA_CPATH as `make env` says)
package.path = "tools/?.lua;" .. package.path
local api = require "api"

local lines = {
  "# The public interface, made by tools/apidump.lua; do not edit. `make lint` checks",
  "# that it is current, that every function has a doc comment, and that types/ has",
  "# the same names.",
}
for _, entry in ipairs(api.entries()) do
  lines[#lines + 1] = entry.parameters
    and ("%s(%s)"):format(entry.name, table.concat(entry.parameters, ", ")) or entry.name
end
local text = table.concat(lines, "\n") .. "\n"

if arg[1] == "--check" then
  local there = io.open("docs/api.txt")
  local is = there and there:read("*a") or ""
  if is == text then os.exit(0) end
  local known = {}
  for line in is:gmatch("[^\n]+") do known[line] = true end
  for line in text:gmatch("[^\n]+") do
    if not known[line] then print("new:  " .. line) end
    known[line] = nil
  end
  for line in pairs(known) do print("gone: " .. line) end
  print("docs/api.txt is not current: lua5.4 tools/apidump.lua")
  os.exit(1)
end
local to = assert(io.open("docs/api.txt", "w"))
to:write(text)
to:close()
