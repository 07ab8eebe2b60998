-- SPDX-License-Identifier: MIT
-- A client and a server connection joined in memory: bytes of one become bytes
-- of the other, in pieces of a size to choose. No socket, no clock.
local core = require "stomp.core"

local methods = {}
local mt = { __index = methods }

local function options_of(given, defaults)
  local options = {}
  for k, v in pairs(defaults) do options[k] = v end
  for k, v in pairs(given or {}) do options[k] = v end
  return options
end

--- A pair. `piece`: bytes per feed (nil: all at once).
local function new(client_options, server_options, piece)
  return setmetatable({
    now = 0,
    piece = piece,
    client = assert(core.connection(options_of(client_options, { url = "ws://broker.test/ws" }))),
    server = assert(core.connection(options_of(server_options, { role = "server" }))),
  }, mt)
end

local function feed(self, to, bytes)
  local step = self.piece or math.max(#bytes, 1)
  for i = 1, #bytes, step do
    local ok, message, err = to:feed(bytes:sub(i, i + step - 1), self.now)
    if not ok then return nil, message, err end
  end
  return true
end

--- Carry bytes both ways until both are silent.
-- Returns true, or nil, message, err of the first side that failed.
function methods:pump()
  while true do
    local up, down = self.client:output(), self.server:output()
    if up == "" and down == "" then return true end
    local ok, message, err = feed(self, self.server, up)
    if not ok then return nil, message, err end
    ok, message, err = feed(self, self.client, down)
    if not ok then return nil, message, err end
  end
end

--- Upgrade, CONNECT, CONNECTED; returns the CONNECT and CONNECTED frames.
function methods:connect(headers)
  assert(self.client:connect(self.now))
  assert(self:pump())
  local connect = assert(self.server:next())
  assert(self.server:accept(self.now, headers))
  assert(self:pump())
  return connect, assert(self.client:next())
end

--- Every frame that waits at `side`.
function methods:frames(side)
  local list = {}
  for frame in function() return self[side]:next() end do
    list[#list + 1] = frame
  end
  return list
end

return { new = new }
