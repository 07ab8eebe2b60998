-- SPDX-License-Identifier: MIT
-- A link (docs/transport.md) of the virtual network, as a program holds it. Its
-- end of the line lives on without it: a link that is left to the collector is
-- closed, as a real one is. Knows endpoint by its methods.
local methods = {}
local mt = { __name = "stomp.testing.link", __index = methods }

-- A finaliser must do next to nothing: the network ends the line when it looks.
local function collected(link)
  local endpoint = link.endpoint
  if not endpoint.gone then endpoint.network:lost(endpoint) end
end

mt.__gc = collected -- from Lua 5.2 on

--- A link at this end.
local function new(endpoint)
  local link = setmetatable({ endpoint = endpoint }, mt)
  local newproxy = newproxy -- luacheck: ignore 113 (5.1)
  if newproxy then
    link.proxy = newproxy(true)
    getmetatable(link.proxy).__gc = function() collected { endpoint = endpoint } end
  end
  return link
end

function methods:next() return self.endpoint:next() end

function methods:send(command, headers, body, options)
  return self.endpoint:put("send", command, headers, body, options)
end

function methods:ack(frame, headers)
  return self.endpoint:put("ack", frame, headers)
end

function methods:nack(frame, headers)
  return self.endpoint:put("nack", frame, headers)
end

function methods:accept(headers)
  local endpoint = self.endpoint
  return endpoint:put("accept", endpoint.clock.time, headers)
end

function methods:refuse(message, body)
  return self.endpoint:put("refuse", message, body)
end

function methods:disconnect()
  local endpoint = self.endpoint
  local id, message, err = endpoint.connection:disconnect(endpoint.clock.time)
  endpoint:publish()
  endpoint:touch()
  return id, message, err
end

function methods:close() self.endpoint:close() end

function methods:cut() self.endpoint:cut() end

function methods:mute(yes) self.endpoint:mute(yes and true or false) end

function methods:hold(frame) self.endpoint:hold(frame) end
function methods:adopt(frame) self.endpoint:adopt(frame) end

function methods:release(frame) self.endpoint:release(frame) end

function methods:awaiting(yes) self.endpoint:awaiting(yes and true or false) end

function methods:stalled() return self.endpoint.is_stalled end

function methods:warning()
  local endpoint = self.endpoint
  local warning = endpoint.warning
  if not warning then return nil end
  endpoint.warning = nil
  return warning[1], warning[2]
end

function methods:wants_room()
  return self.endpoint.want_room and not self.endpoint.final
end

function methods:nudge() self.endpoint:raise() end

function methods:info()
  local c = self.endpoint.connection
  return { state = c.state, version = c.version, heartbeat = c.heartbeat,
    receipts = c.receipts,
    compression = c.compression }
end

function methods:stats() return self.endpoint:stats() end

function methods:pollfd() return self.endpoint.descriptor end

function methods.events() return "r" end

function methods.timeout() return nil end

return { new = new }
