-- SPDX-License-Identifier: MIT
-- Ports that nobody listens on, on one line.
--   lua5.4 tools/freeports.lua COUNT
local socket = require "socket"

local open, ports = {}, {}
for i = 1, tonumber(arg[1]) do
  open[i] = assert(socket.bind("127.0.0.1", 0))
  ports[i] = select(2, open[i]:getsockname())
end
print(table.concat(ports, " "))
