-- SPDX-License-Identifier: MIT
-- The methods of a client that the project's own modules call: what went and came,
-- and the turns of its life, from one connection to the next and to the end.
-- Knows proof, sending, statistics and subscribing; the client's parts through it.
local proof = require "stomp.proof"
local sending = require "stomp.sending"
local statistics = require "stomp.statistics"
local subscribing = require "stomp.subscribing"

local methods = {}

--- A frame was queued.
-- @local
function methods:sent(command, headers, body)
  if self.trace then self.trace:frame("send", command, headers, body) end
  self.events:notify("sent", command, headers, body)
end

--- A frame came, and somebody watches.
-- @local
function methods:received(frame)
  if self.trace then
    self.trace:frame("receive", frame.command, frame.headers, frame.body)
  end
  self.events:notify("received", frame)
end

--- Something worth a line of the trace.
-- @local
function methods:inform(text)
  if self.trace then self.trace:inform(text) end
end

--- A link was opened: it takes the place of the last one.
-- @local
function methods:attach(link)
  local pump = self.pump
  if pump.link then statistics.keep(self.past, pump.link) end
  pump:attach(link)
  self.router:adopt_held(link)
end

--- Make the first connection.
-- @treturn[1] true
-- @treturn[2] nil, message, err
-- @local
function methods:open()
  local reconnector = self.reconnector
  local frame, message, err = reconnector:connect_first()
  if not frame then
    self:close()
    return nil, message, err
  end
  reconnector:up()
  self.state = "connected"
  self.pump:rise()
  return true
end

--- CONNECTED came.
-- @local
function methods:introduce(frame)
  local info, headers = self.pump.link:info(), frame.headers
  self.version, self.heartbeat = info.version, info.heartbeat
  self.compression = info.compression
  self.server, self.session = headers.server, headers.session
  proof.begin_anew(self, self.reconnector.last ~= nil)
  self.events:fire("connected", self, self.url)
end

--- Where nobody waited meanwhile, an end of the connection was not noticed.
-- @local
function methods:look()
  local pump = self.pump
  if not pump.down and pump.link:info().state == "closed" then pump:notice_end() end
end

--- The connection was lost, and another one will be made.
-- @local
function methods:link_lost(ended)
  if self.trace then self.trace:ended(ended) end
  self.transactions:lost(ended.message, ended.err) -- these know better why
  self.requests:lost(ended.message, ended.err)
  self.receipts:lost(ended)
  self.router:lost()
  self:fewer_in_hand()
end

--- Messages were acknowledged, or no longer can be: a drain that waits for that looks
-- again.
-- @local
function methods:fewer_in_hand()
  if self.drainer then self.pump:deliver(self.drainer) end
end

--- It is over.
-- @local
function methods:ended(ended)
  self.state = "closed"
  if self.trace then self.trace:ended(ended) end
  self.transactions:lost(ended.message, ended.err)
  self.requests:lost(ended.message, ended.err)
  self.reconnector:ended()
  if not ended.clean and not self.pump.down then
    self.events:fire("disconnect", ended.message, ended.err)
  end
  self.events:fire("close", ended.clean, ended.message, ended.err)
end

--- The answer of message:reply.
-- @local
function methods:answer(destination, body, headers, correlation)
  local more = { ["correlation-id"] = correlation }
  local ok, message, err =
    sending.send(self, destination, body, headers, nil, 3, more)
  return ok, message, err -- no tail call: levels count, as in all of these
end

--- For the project's own modules.
-- @local
function methods:unsubscribe(subscription, options, level)
  local ok, message, err =
    subscribing.unsubscribe(self, subscription, options, level + 1)
  return ok, message, err
end

return methods
