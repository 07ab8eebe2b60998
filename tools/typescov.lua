-- SPDX-License-Identifier: MIT
-- The annotations in types/ have exactly the names of docs/api.txt: functions with
-- their parameters, fields, options (classes stomp.options.*), figures, fields of
-- errors, events and kinds of errors (aliases). And each is Lua.
--   lua5.4 tools/typescov.lua
local bad = 0

local function complain(...)
  bad = bad + 1
  print(string.format(...))
end

local wanted, there = {}, {}
for line in io.lines("docs/api.txt") do
  if not line:find("^#") then wanted[line] = true end
end

local aliases = { ["stomp.Event"] = "event.", ["stomp.ErrorKind"] = "error." }

-- One file: annotations belong to the `local name = {}` that follows them.
local function read(path)
  local class, fields, alias
  for line in io.lines(path) do
    local opened = line:match("^%-%-%-@class (%S+)")
    local field = line:match("^%-%-%-@field ([%w_]+)")
    local member = line:match('^%-%-%-| "(%w+)"')
    local owner = line:match("^local (%w+) = {}$")
    local name, parameters = line:match("^function ([%w_.:]+)%((.*)%) end$")
    if opened then class, fields, alias = opened, {}, nil end
    if line:find("^%-%-%-@alias") then alias = aliases[line:match("@alias (%S+)")] end
    if class == "stomp.Error" and field then
      there["err." .. field] = path
    elseif field and class and (class:find("^stomp%.options%.") or class == "stomp.stats") then
      there[class:gsub("^stomp%.", "") .. "." .. field] = path
    elseif field then
      fields[#fields + 1] = field
    end
    if member and alias then there[alias .. member] = path end
    if owner then
      for _, each in ipairs(fields or {}) do there[owner .. "." .. each] = path end
      class, fields = nil, nil
    end
    if name then there[("%s(%s)"):format(name, parameters)] = path end
  end
end

local pipe = assert(io.popen("ls types/*.lua"))
for path in pipe:lines() do
  local ok, problem = loadfile(path)
  if not ok then complain("%s", problem) end
  read(path)
end
pipe:close()

for name in pairs(wanted) do
  if not there[name] then complain("types/ lacks %s", name) end
end
for name, path in pairs(there) do
  if not wanted[name] then complain("%s has %s, docs/api.txt has not", path, name) end
end

os.exit(bad == 0 and 0 or 1)
