-- SPDX-License-Identifier: MIT
-- Receive COUNT messages of SIZE bytes, end to end: one line of figures.
--   lua5.4 bench/receive.lua URL SIZE COUNT
local stomp = require "stomp"

local url, size, count = arg[1], tonumber(arg[2]), tonumber(arg[3])
local client = assert(stomp.connect(url, { heartbeat = { send = 0, receive = 0 } }))
local cpu, start = os.clock(), stomp.now()
local subscription = assert(client:subscribe(("/flood/%d/%d"):format(size, count)))
local n, bytes = 0, 0
for message in subscription:messages() do
  n, bytes = n + 1, bytes + #message.body
  if n == count then break end
end
local seconds, used = stomp.now() - start, os.clock() - cpu
assert(bytes == size * count)
client:close()
local high = io.open("/proc/self/status"):read("*a"):match("VmHWM:%s*(%d+)")
print(("%.0f %.3f %.1f"):format(count / seconds, used / count * 1e6, high / 1024))
