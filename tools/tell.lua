-- SPDX-License-Identifier: MIT
-- Tell whoever listens on a port of this machine one word, such as the exit status
-- of the command before: who waits for it needs no polling.
--   lua tools/tell.lua PORT WORD
local peer = assert(require "socket".connect("127.0.0.1", assert(tonumber(arg[1]))))
assert(peer:send(arg[2] .. "\n"))
peer:close()
