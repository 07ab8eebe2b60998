-- SPDX-License-Identifier: MIT
-- Loaded by busted before the specs: nothing is printed late, a process that is
-- killed has said what it did.
io.stdout:setvbuf("line")

-- STOMP_TEST_GC=n (make gc): a full collection every n instructions, in every
-- coroutine, so that whatever may be collected at a moment is.
local every = tonumber(os.getenv("STOMP_TEST_GC"))
if every then
  local function collect() collectgarbage() end
  local create = coroutine.create
  coroutine.create = function(f) -- luacheck: ignore 122 142 143 (that is the point)
    local thread = create(f)
    debug.sethook(thread, collect, "", every)
    return thread
  end
  debug.sethook(collect, "", every)
end
