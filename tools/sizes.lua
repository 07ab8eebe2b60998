-- SPDX-License-Identifier: MIT
-- Small rooms: C files to 500 lines and functions to 60, Lua modules to 400,
-- specs to 600.
local bad = 0

local function complain(...)
  bad = bad + 1
  print(string.format(...))
end

local function check_functions(path, lines)
  local start
  for i, line in ipairs(lines) do
    local opens = line:match("^[%a_].*%b().*{%s*$")
      or line:match("^ .*%)%s*{%s*$") and not start and lines[i - 1]:match("^[%a_]")
    if opens then
      start = start or i
    elseif line == "}" and start then
      if i - start + 1 > 60 then complain("%s:%d: a function of %d lines", path, start, i - start + 1) end
      start = nil
    end
  end
end

local pipe = assert(io.popen "git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.lua'")
for path in pipe:lines() do
  local lines = {}
  local file = io.open(path)
  for line in file and file:lines() or function() end do lines[#lines + 1] = line end
  if file then file:close() end
  local most = path:match("^spec/") and 600 or path:match("%.lua$") and 400 or 500
  if #lines > most then complain("%s: %d lines, %d are the most", path, #lines, most) end
  if path:match("%.c$") then check_functions(path, lines) end
end
pipe:close()
os.exit(bad == 0 and 0 or 1)
