-- SPDX-License-Identifier: MIT
-- What the Lua programs of this folder share: the frame that is parsed, and a
-- stopwatch. Figures are the best of many short slices, since machines are noisy.
local measure = {}

--- A MESSAGE as RabbitMQ sends it: six headers, 264 bytes.
local HEAD = "MESSAGE\nsubscription:17\ndestination:/topic/prices.europe\n"
  .. "message-id:T_17@@session-q0Gm7C8cBx1Qx@@1024\nredelivered:false\n"
  .. "content-type:application/json\ncontent-length:%d\n\n"
local BODY = 264 - #HEAD:format(10) - 1
measure.frame = HEAD:format(BODY) .. ("{\"price\":1.0625}"):rep(BODY):sub(1, BODY) .. "\0"
assert(#measure.frame == 264)

--- What a read of 64 KiB brings: whole frames, `n` of them.
measure.n = math.floor(65536 / #measure.frame)
measure.chunk = measure.frame:rep(measure.n)

--- The same content to be sent.
measure.headers = {
  destination = "/topic/prices.europe", receipt = "17", ["content-type"] = "application/json",
  ["correlation-id"] = "T_17@@session-q0Gm7C8cBx1Qx@@1024", persistent = "false",
}
measure.body = measure.frame:sub(-BODY - 1, -2)

--- Print `name` and how often a second: f() does it `n` times. In seconds of CPU,
-- which other programs on the machine disturb least. With arguments NAME ROUNDS
-- only f() of that name is run, so often, for callgrind to count.
function measure.rate(name, n, f)
  if arg[1] then
    for _ = 1, arg[1] == name and tonumber(arg[2]) or 0 do f() end
    return
  end
  local best, stop = math.huge, os.clock() + 1
  repeat
    local start = os.clock()
    for _ = 1, 20 do f() end
    best = math.min(best, os.clock() - start)
  until os.clock() > stop
  print(("%s %.0f"):format(name, 20 * n / best))
end

return measure
