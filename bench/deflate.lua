-- SPDX-License-Identifier: MIT
-- What permessage-deflate costs and saves: MESSAGEs of JSON from one
-- core.connection to another in memory, with and without it, in the same minute.
--   lua5.4 bench/deflate.lua      (LUA_CPATH: see `make env`)
local core = require "stomp.core"

local function connect(compression)
  local client = core.connection { url = "ws://a/", compression = compression }
  local server = core.connection { role = "server", compression = compression }
  assert(client:connect(0))
  for _ = 1, 2 do
    assert(server:feed(client:output(), 0))
    assert(client:feed(server:output(), 0))
  end
  assert(server:next())
  assert(server:accept(0))
  assert(client:feed(server:output(), 0))
  assert(client:next())
  assert(client:send("SUBSCRIBE", { id = "s", destination = "/topic/a" }))
  assert(server:feed(client:output(), 0))
  assert(server:next())
  return client, server
end

-- Rows of quotes, as a market sends them.
local function quotes(size, seed)
  local rows, n = {}, 1
  math.randomseed(seed)
  while n < size do
    local row = ('{"symbol":"LUA-%02d","bid":%.2f,"ask":%.2f,"volume":%d,"time":%d}'):format(
      math.random(40), math.random() * 100, math.random() * 100, math.random(1000000), 1764000000 + math.random(100000))
    rows[#rows + 1] = row
    n = n + #row + 1
  end
  return "[" .. table.concat(rows, ",") .. "]"
end

-- CPU in µs and bytes on the wire of a message.
local function measure(compression, bodies, count)
  local client, server = connect(compression)
  local headers = { subscription = "s", destination = "/topic/a", ["content-type"] = "application/json" }
  local wire, from = 0, os.clock()
  for i = 1, count do
    headers["message-id"] = tostring(i)
    assert(server:send("MESSAGE", headers, bodies[i % #bodies + 1]))
    local bytes = server:output()
    wire = wire + #bytes
    assert(client:feed(bytes, 0))
    assert(client:next())
  end
  return (os.clock() - from) / count * 1e6, wire / count
end

for _, size in ipairs { 100, 1000, 10000, 65000 } do
  local bodies, count = {}, math.floor(3e7 / (size + 500))
  for i = 1, 3 + math.ceil(200000 / size) do bodies[i] = quotes(size, i) end -- none comes again within a window
  local plain_us, plain = measure(false, bodies, count)
  local us, wire = measure(true, bodies, count)
  print(("deflate-%-8d %8.0f B/message %8.2f us | plain %8.0f B %8.2f us | 1/%.1f bytes, %.1f x CPU, %.0f MB/s")
    :format(size, wire, us, plain, plain_us, plain / wire, us / plain_us, plain / us))
end
