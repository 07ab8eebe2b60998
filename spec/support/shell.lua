-- SPDX-License-Identifier: MIT
-- Commands of a shell, for the specs that build and install.

--- Whether the command succeeded, and all that it printed.
local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo status $?"))
  local text = pipe:read("*a")
  pipe:close()
  return text:match("status (%d+)%s*$") == "0", text
end

local function temporary_folder()
  local ok, text = run("mktemp -d")
  return assert(ok and text:match("^(%S+)"), text)
end

return { run = run, temporary_folder = temporary_folder }
