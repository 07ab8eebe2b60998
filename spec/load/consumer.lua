-- SPDX-License-Identifier: MIT
-- Run by load_spec in a process of its own, so that its memory can be measured:
-- receives numbered messages, in order, and says what it saw.
--   lua5.4 consumer.lua URL SIZE COUNT [SLEEP]
-- With SLEEP it lets the server flood for that many seconds before it reads.
local stomp = require "stomp"

local url, size, count, pause = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4] or 0)

local function memory()
  return tonumber(io.open("/proc/self/status"):read("*a"):match("VmHWM:%s*(%d+)")) / 1024
end

local client = assert(stomp.connect(url, { heartbeat = { send = 0, receive = 0 } }))
local subscription = assert(client:subscribe(("/number/%d/%d"):format(size, count)))
if pause > 0 then
  stomp.sleep(pause)
  local stats = client:stats()
  assert(stats.paused_seconds > 0, "reading was not stopped")
  assert(stats.inbox_bytes < 9 * 1024 * 1024, stats.inbox_bytes)
end
local n = 0
for message in subscription:messages() do
  n = n + 1
  assert(tonumber(message.id) == n, ("message %s came as number %d"):format(message.id, n))
  assert(#message.body == size)
  if n == count then break end
end
client:close()
print(("%d messages in order, %.1f MB"):format(n, memory()))
