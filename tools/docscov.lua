-- SPDX-License-Identifier: MIT
-- Every public function has a doc comment that says what it does and what each of
-- its parameters is, and what it returns where it returns something.
--   lua5.4 tools/docscov.lua    (LUA_PATH and LUA_CPATH as `make env` says)
package.path = "tools/?.lua;" .. package.path
local api = require "api"

local bad = 0

local function complain(...)
  bad = bad + 1
  print(string.format(...))
end

-- The names that its tags explain.
local function explained(doc)
  local names = {}
  for name in doc:gmatch("@t?param%S* ([%w_.]+)") do names[name] = true end
  for name in doc:gmatch("@tparam%S* %S+ ([%w_.]+)") do names[name] = true end
  return names
end

for _, entry in ipairs(api.entries()) do
  if entry.kind == "function" then
    local doc = entry.doc
    if not doc or not doc:find("^%s*%S+ %S+") and not doc:find("^%s*%S+%.") then
      complain("%s: no doc comment", entry.name)
    else
      local names = explained(doc)
      for _, name in ipairs(entry.parameters) do
        if not names[name] then complain("%s: nothing about '%s'", entry.name, name) end
      end
      local fails = doc:find("nil, message, err", 1, true)
      if fails and not doc:find("@t?return%[[23]%]") then
        complain("%s: its failures are no @treturn", entry.name)
      end
    end
  end
end

os.exit(bad == 0 and 0 or 1)
