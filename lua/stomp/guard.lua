-- SPDX-License-Identifier: MIT
-- What must be put right where a coroutine does not come to the end of a call: the
-- program closes it while it waits (coroutine.close), or an error ends it there.
-- A closing value of a generic `for` is Lua 5.4's; before it, where there is no
-- coroutine.close either, it is ignored.
-- Knows nothing.
local mt = {}

function mt.__close(scope)
  if scope.undo then scope.undo(scope.a, scope.b) end
end

--- The iterator of a `for` that runs once: `for _ in once, nil, nil, value do`, then
-- value's __close, however that ends.
local function once(_, has_run)
  if not has_run then return true end
end

local function done(scope, ...)
  scope.undo = nil
  return ...
end

--- Call f(...), and undo(a, b) if it does not return.
-- @return what f returns
local function run(undo, a, b, f, ...)
  local scope = setmetatable({ undo = undo, a = a, b = b }, mt)
  for _ in once, nil, nil, scope do -- luacheck: ignore 512 (it is to run once)
    return done(scope, f(...))
  end
end

return { once = once, run = run }
