-- SPDX-License-Identifier: MIT
-- Publish COUNT messages of SIZE bytes; over when the server has them all.
--   lua5.4 bench/publish.lua URL SIZE COUNT
local stomp = require "stomp"

local url, size, count = arg[1], tonumber(arg[2]), tonumber(arg[3])
local client = assert(stomp.connect(url, { heartbeat = { send = 0, receive = 0 } }))
local body = ("x"):rep(size)
local cpu, start = os.clock(), stomp.now()
for _ = 1, count - 1 do assert(client:send("/topic/benchmark", body)) end
assert(client:send("/topic/benchmark", body, nil, { confirm = true }))
local seconds, used = stomp.now() - start, os.clock() - cpu
client:close()
local high = io.open("/proc/self/status"):read("*a"):match("VmHWM:%s*(%d+)")
print(("%.0f %.3f %.1f"):format(count / seconds, used / count * 1e6, high / 1024))
