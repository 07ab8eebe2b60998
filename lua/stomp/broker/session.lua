-- SPDX-License-Identifier: MIT
-- One session of the embedded broker, and what is on its way out. The peer takes
-- frames as long as it has room; what it cannot take, or what is delayed on
-- purpose, waits here, up to a limit, beyond which the session is refused: a slow
-- consumer costs its own session.
-- Knows queue.
local queues = require "stomp.queue"

local methods = {}
local mt = { __index = methods }

-- Bytes that may wait for one session, and that it may leave unacknowledged of
-- topics.
local pending_most = 8388608
-- Bytes that may wait before it gets nothing more from queues.
local window = 1048576

--- A session whose frames go to `peer`. `shared`: what all of a broker's sessions
-- share: `now`, `delay` (seconds), `counts`.
local function new(serial, peer, shared)
  return setmetatable({
    id = "session-" .. serial,
    serial = serial,
    peer = peer,
    shared = shared,
    login = nil,          -- of CONNECT
    version = nil,        -- once CONNECTED is out
    connected = false,    -- CONNECT was taken
    end_by = nil,         -- when it is closed: CONNECT must have come until then,
                          -- after DISCONNECT its end
    n_frames = 0,         -- since its beginning, or the last misbehave
    subscriptions = {},   -- key -> subscription
    n_subscriptions = 0,
    parted = {},          -- subscriptions that are over, of which open transactions hold
                          -- messages
    deliveries = {},      -- what an ACK names -> {subscription, message, key}
    transactions = {},    -- id -> list of {action, message, frame}
    n_transactions = 0,
    owed = {},            -- SENDs that were lost on purpose, with a receipt
    replies = {},         -- list of the reply destinations that reach it
    pending = queues.new(), -- of {command, headers, body, size, due}
    pending_bytes = 0,
    full = false,         -- the peer had no room
    kept_bytes = 0,       -- of topics' messages that it has not acknowledged
    refused = false,      -- nothing is written any more
    ending = false,       -- it takes no more messages
    closed = false,       -- its connection is over
  }, mt)
end

--- What a frame costs in memory, about.
local function size_of(headers, body)
  local size = 256 + #body
  for _, pair in ipairs(headers) do size = size + #pair[1] + #pair[2] end
  return size
end

local counted = { RECEIPT = "receipts_sent", ERROR = "errors_sent", MESSAGE = "messages_out" }

-- Whether the peer took it.
local function put(self, command, headers, body)
  self.full = not self.peer:send(command, headers, body)
  if self.full then return false end
  if command == "CONNECTED" then self.version = self.peer:version() end
  local counts, name = self.shared.counts, counted[command]
  counts.frames_sent = counts.frames_sent + 1
  if name then counts[name] = counts[name] + 1 end
  return true
end

local function wait(self, command, headers, body)
  local size = size_of(headers, body)
  local due = self.shared.now + self.shared.delay
  queues.push(self.pending, { command, headers, body, size, due })
  self.pending_bytes = self.pending_bytes + size
  if queues.size(self.pending) == 1 then self.peer:wake() end
end

-- What waited is dropped, so that it costs nothing more; ERROR waits instead.
local function give_up(self, why)
  local headers = { { "message", "Slow consumer" }, { "content-type", "text/plain" } }
  local body, waited = self.id .. " " .. why, queues.size(self.pending) > 0
  self.pending, self.pending_bytes = queues.new(), 0
  self.refused, self.ending = true, true
  if waited or not put(self, "ERROR", headers, body) then
    wait(self, "ERROR", headers, body)
  end
end

function methods:write(command, headers, body)
  if self.refused then return end
  if self.shared.delay == 0 and queues.size(self.pending) == 0
    and put(self, command, headers, body) then
    return
  end
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
  if not self.connected then headers[3] = { "version", "1.0,1.1,1.2" } end
  if receipt then headers[#headers + 1] = { "receipt-id", receipt } end
  self:write("ERROR", headers, body or "")
  self.refused, self.ending = true, true
end

--- Write what waited, as far as it is due and there is room.
function methods:flush()
  local pending, now = self.pending, self.shared.now
  local entry = pending[pending.first]
  while entry and entry[5] <= now and put(self, entry[1], entry[2], entry[3]) do
    queues.pop(pending)
    self.pending_bytes = self.pending_bytes - entry[4]
    entry = pending[pending.first]
  end
end

--- When the first of what waits is due; nil: nothing waits for a time.
function methods:next_due()
  local entry = self.pending[self.pending.first]
  return entry and not self.full and entry[5] or nil
end

--- What waits is due by this time at the latest.
function methods:hurry(time)
  local pending = self.pending
  for i = pending.first, pending.last do
    pending[i][5] = math.min(pending[i][5], time)
  end
end

--- It is over: nothing is written or waits any more.
function methods:finish()
  self.pending, self.pending_bytes = queues.new(), 0
  self.refused, self.ending = true, true
end

--- Whether it can take one more message of a queue.
function methods:has_room()
  return not self.ending and not self.full and self.pending_bytes < window
end

--- Its subscriptions in the order in which they were made.
function methods:in_order()
  local list = {}
  for _, subscription in pairs(self.subscriptions) do list[#list + 1] = subscription end
  table.sort(list, function(a, b) return a.serial < b.serial end)
  return list
end

return { new = new, size_of = size_of }
