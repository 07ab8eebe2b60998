-- SPDX-License-Identifier: MIT
-- One session of the embedded broker, and what is on its way out. The peer takes
-- frames as long as it has room; what it cannot take waits here, up to a limit,
-- beyond which the session is refused: a slow consumer costs its own session.
-- Knows nothing.
local methods = {}
local mt = { __index = methods }

-- Bytes that may wait for one session, and that it may leave unacknowledged of
-- topics.
local pending_most = 8388608

--- A session whose frames go to peer:send(command, headers, body).
local function new(id, peer)
  return setmetatable({
    id = id,
    peer = peer,
    subscriptions = {},   -- id -> subscription
    n_subscriptions = 0,
    deliveries = {},      -- delivery id -> {subscription, message, id}
    transactions = {},    -- id -> list of {action, message}
    n_transactions = 0,
    replies = {},         -- list of the reply destinations that reach it
    pending = {},         -- list of {command, headers, body, size}
    pending_bytes = 0,
    kept_bytes = 0,       -- of topics' messages that it has not acknowledged
    refused = false,      -- nothing is written any more
    ending = false,       -- it takes no more messages
  }, mt)
end

--- What a frame costs in memory, about.
local function size_of(headers, body)
  local size = 256 + #body
  for _, pair in ipairs(headers) do size = size + #pair[1] + #pair[2] end
  return size
end

local function wait(self, command, headers, body)
  local size = size_of(headers, body)
  self.pending[#self.pending + 1] = { command, headers, body, size }
  self.pending_bytes = self.pending_bytes + size
end

-- What waited is dropped, so that it costs nothing more; ERROR waits instead.
local function give_up(self, why)
  local headers = { { "message", "Slow consumer" }, { "content-type", "text/plain" } }
  local body, waited = self.id .. " " .. why, #self.pending > 0
  self.pending, self.pending_bytes = {}, 0
  self.refused, self.ending = true, true
  if waited or not self.peer:send("ERROR", headers, body) then
    wait(self, "ERROR", headers, body)
  end
end

function methods:write(command, headers, body)
  if self.refused then return end
  if #self.pending == 0 and self.peer:send(command, headers, body) then return end
  wait(self, command, headers, body)
  if self.pending_bytes > pending_most then give_up(self, "does not read") end
end

--- So many bytes more (or less) of topics' messages are unacknowledged.
function methods:keep(bytes)
  self.kept_bytes = self.kept_bytes + bytes
  if self.kept_bytes > pending_most and not self.refused then
    give_up(self, "does not acknowledge")
  end
end

--- Answer with ERROR, the last frame of a session.
function methods:refuse(text, body, frame)
  local headers = { { "message", text }, { "content-type", "text/plain" } }
  local receipt = frame and frame.headers.receipt
  if receipt then headers[#headers + 1] = { "receipt-id", receipt } end
  self:write("ERROR", headers, body or "")
  self.refused, self.ending = true, true
end

--- Write what waited, as far as there is room; whether nothing waits now.
function methods:flush()
  local pending, done = self.pending, 0
  for i, entry in ipairs(pending) do
    if not self.peer:send(entry[1], entry[2], entry[3]) then break end
    self.pending_bytes = self.pending_bytes - entry[4]
    done = i
  end
  if done == 0 then return #pending == 0 end
  local rest = {}
  for i = done + 1, #pending do rest[#rest + 1] = pending[i] end
  self.pending = rest
  return #rest == 0
end

--- It is over: nothing is written or waits any more.
function methods:finish()
  self.pending, self.pending_bytes = {}, 0
  self.refused, self.ending = true, true
end

--- Whether one more message would go out at once.
function methods:has_room()
  return not self.ending and #self.pending == 0
end

--- Its subscriptions in the order in which they were made.
function methods:in_order()
  local list = {}
  for _, subscription in pairs(self.subscriptions) do list[#list + 1] = subscription end
  table.sort(list, function(a, b) return a.serial < b.serial end)
  return list
end

return { new = new, size_of = size_of }
