-- SPDX-License-Identifier: MIT
-- core.parser and core.encode: how many frames a second.
local core = require "stomp.core"
local measure = require "bench.codec.measure"

local chunk, n = measure.chunk, measure.n
local parser = core.parser()

measure.rate("lazy", n, function()
  assert(parser:feed(chunk))
  for _ = 1, n do assert(parser:next()) end
  assert(parser:next() == nil)
end)

measure.rate("whole", n, function()
  assert(parser:feed(chunk))
  local bytes = 0
  for _ = 1, n do
    local frame = assert(parser:next())
    bytes = bytes + #frame.command + #frame.body
    for name, value in pairs(frame.headers) do bytes = bytes + #name + #value end
  end
  assert(bytes == n * (#measure.frame - 15)) -- 6 colons, 8 line feeds, the NUL
end)

local headers, body = measure.headers, measure.body
measure.rate("encode", n, function()
  for _ = 1, n do core.encode("SEND", headers, body) end
end)
