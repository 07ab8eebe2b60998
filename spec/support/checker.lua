-- SPDX-License-Identifier: MIT
-- Did anything get lost, stolen or made up? Reads what programs saw of a broker,
-- event by event, and says so at the end. The simulation, the chaos test on a
-- real broker and the soak use it; events may come from a file of several
-- processes, a line each:
--
--   attempt    id stream number destination [body]  a send begins; `stream`
--              numbers the sends whose order must be kept
--   taken      id          the broker has it (where that can be seen)
--   confirmed  id          its RECEIPT came, or its COMMIT's
--   failed     id [outcome]  it was not sent; outcome unknown: perhaps it was
--   aborted    id          its transaction was: it must never come
--   uncertain  id          it was not confirmed when its connection was cut, so
--              it may have been sent again: it may come twice, and late
--   repeated   id          it was sent again without a cut, as no RECEIPT came
--   received   id subscription destination redelivered [body] [unordered]
--              `subscription` is one of one connection, by a name used once;
--              unordered: several tasks read it, one may be told before another
--   acked      id subscription [upto]   upto: and what came before it there
--   undone     id          after `acked`: its COMMIT did not go out, so it may come again
--   returned   id subscription [upto]   given back by NACK
--   over       subscription [ids …]  its connection or itself has ended: what was not
--              acknowledged may come again, but these, which a transaction holds, when
--              the next `over` does not name them
--   left       id          it was in the queue at the end
--
-- checker.new { loses = function(destination) … end, exact = true }: whether
-- messages of this destination may be lost (topics, ack auto); whether `over` and
-- `taken` are told when the broker knows it: then no two may ever have the same
-- message, and none is confirmed before the broker has it.
-- A line of a file is its words separated by tabs; body and empty words may be
-- missing. Knows nothing.
local methods = {}
local mt = { __index = methods }

local function new(options)
  options = options or {}
  return setmetatable({
    loses = options.loses or function() return false end,
    exact = options.exact or false,
    sends = {},          -- id -> what is known of it
    subscriptions = {},  -- name -> { open = {id = true}, last = {stream = number} }
    n = { attempted = 0, confirmed = 0, received = 0, acknowledged = 0, left = 0,
      duplicated = 0, redelivered = 0 },
    complaints = {},
  }, mt)
end

-- Complaints beyond so many are only counted.
local MOST = 20

--- Something is wrong.
function methods:complain(what, ...)
  local list = self.complaints
  list.n = (list.n or 0) + 1
  if list.n <= MOST then list[#list + 1] = what:format(...) end
end

local function send_of(self, id)
  local send = self.sends[id]
  if send then return send end
  -- one whose attempt comes later in a file of several processes, or never
  send = { id = id, received = 0 }
  self.sends[id] = send
  return send
end

local function subscription_of(self, name)
  local s = self.subscriptions[name]
  if not s then
    s = { open = {}, order = {}, last = {}, acked = {}, ended = false }
    self.subscriptions[name] = s
  end
  return s
end

local events = {}

function events.attempt(self, id, stream, number, destination, body)
  local send = send_of(self, id)
  if send.stream then return self:complain("%s was attempted twice", id) end
  send.stream, send.number = stream, tonumber(number)
  send.destination, send.body = destination, body
  self.n.attempted = self.n.attempted + 1
end

function events.taken(self, id)
  local send = send_of(self, id)
  if send.taken and not send.uncertain then self:complain("%s came to the broker twice", id) end
  send.taken = true
end

function events.confirmed(self, id)
  local send = send_of(self, id)
  if self.exact and not send.taken then
    self:complain("%s is confirmed, and the broker does not have it", id)
  end
  if send.failed then self:complain("%s is confirmed, and had failed", id) end
  send.confirmed = true
  self.n.confirmed = self.n.confirmed + 1
end

function events.failed(self, id, outcome)
  local send = send_of(self, id)
  send.failed = true
  send.unsent = outcome ~= "unknown"
end

function events.aborted(self, id) send_of(self, id).aborted = true end

function events.repeated(self, id)
  send_of(self, id).uncertain = true
end

function events.uncertain(self, id)
  local send = send_of(self, id)
  if not send.confirmed then send.uncertain = true end
end

-- The first of its stream that is not behind one before it.
local function check_order(self, s, send, name)
  local last = s.last[send.stream]
  if last and send.number <= last then
    self:complain("%s came to %s after number %d of its stream", send.id, name, last)
  else
    s.last[send.stream] = send.number
  end
end

-- It came before.
local function check_again(self, send, name, redelivered)
  if send.acked and not send.uncertain then
    -- its ACK may have been lost with the connection
    if not send.ack_lost then
      self:complain("%s came to %s after it was acknowledged", send.id, name)
    end
  elseif not redelivered and not send.uncertain then
    self:complain("%s came to %s again, not as redelivered", send.id, name)
  elseif self.exact and send.open_in and not send.uncertain then
    self:complain("%s came to %s while %s has it", send.id, name, send.open_in)
  end
  if not redelivered then self.n.duplicated = self.n.duplicated + 1 end
end

local function is_topic(destination) return destination:find("^/topic/") ~= nil end

function events.received(self, id, name, destination, redelivered, body, unordered)
  local send, s = send_of(self, id), subscription_of(self, name)
  redelivered = redelivered == true or redelivered == "true"
  self.n.received = self.n.received + 1
  if s.ended then -- it was in the client's hands: others have it by now
    send.received = send.received + 1
    return
  end
  send.came_from = destination
  if body and send.body and body ~= send.body then
    self:complain("%s came to %s with another body", id, name)
  end
  if is_topic(destination) then
    if s.open[id] and not send.uncertain then
      return self:complain("%s came twice to %s", id, name)
    end
  elseif send.received > 0 then
    check_again(self, send, name, redelivered)
  end
  if send.stream and not (redelivered or unordered or send.uncertain) then
    check_order(self, s, send, name)
  end
  if redelivered then self.n.redelivered = self.n.redelivered + 1 end
  send.received = send.received + 1
  send.open_in = name
  s.open[id] = true
  s.order[#s.order + 1] = id
end

local function give_back(self, s, id)
  s.open[id] = nil
  send_of(self, id).open_in = nil
end

local function settle(self, s, id)
  local send = send_of(self, id)
  if not s.open[id] then return end
  give_back(self, s, id)
  s.acked[id] = true
  if not send.acked then self.n.acknowledged = self.n.acknowledged + 1 end
  send.acked, send.ack_lost = true, false
end

-- Do f(self, s, id) for id, and with `upto` for all that came before it.
local function each(self, s, id, upto, f)
  if not upto then return f(self, s, id) end
  local order, rest = s.order, {}
  local last = #order
  while last > 0 and order[last] ~= id do last = last - 1 end -- it may have come twice
  for i, other in ipairs(order) do
    if i > last then
      rest[#rest + 1] = other
    elseif s.open[other] then
      f(self, s, other)
    end
  end
  s.order = rest
end

function events.acked(self, id, name, upto)
  local s = subscription_of(self, name)
  if s.ended and not s.open[id] then return end -- the broker does not hear it
  if not s.open[id] then
    if send_of(self, id).uncertain then return end -- the other one was before
    return self:complain("%s was acknowledged on %s, which does not have it", id, name)
  end
  local settled = {}
  each(self, s, id, upto, function(_, _, other)
    settled[#settled + 1] = other
    settle(self, s, other)
  end)
  send_of(self, id).settled = settled
end

function events.undone(self, id)
  for _, other in ipairs(send_of(self, id).settled or {}) do
    send_of(self, other).uncertain = true
  end
end

function events.returned(self, id, name, upto)
  each(self, subscription_of(self, name), id, upto, give_back)
end

function events.over(self, name, ...)
  local s, held = subscription_of(self, name), {}
  for i = 1, select("#", ...) do
    local id = select(i, ...)
    if id then held[id] = true end -- a line's empty words are nil
  end
  local open, order = {}, {}
  for id in pairs(s.open) do
    local send = send_of(self, id)
    if held[id] then open[id] = true elseif send.open_in == name then send.open_in = nil end
  end
  for _, id in ipairs(s.order) do
    if open[id] then order[#order + 1] = id end
  end
  -- an ACK that was on its way may not have arrived
  for id in pairs(s.acked) do send_of(self, id).ack_lost = true end
  s.open, s.order, s.acked, s.ended = open, order, {}, true
end

function events.left(self, id, body)
  local send = send_of(self, id)
  if body and send.body and body ~= send.body then
    self:complain("%s was left with another body", id)
  end
  if send.acked and not send.ack_lost and not send.uncertain then
    self:complain("%s is left, and was acknowledged", id)
  end
  if send.left and not send.uncertain then self:complain("%s is left twice", id) end
  send.left, send.came_from = true, send.came_from or send.destination
  self.n.left = self.n.left + 1
end

--- Take an event: its name and words.
function methods:event(name, ...)
  local take = events[name]
  if not take then error("no such event: " .. tostring(name), 2) end
  take(self, ...)
end

--- Take a line of a file.
function methods:line(text)
  local words = {}
  for word in (text .. "\t"):gmatch("(.-)\t") do
    words[#words + 1] = word ~= "" and word or false
  end
  for i = 1, #words do words[i] = words[i] or nil end
  local unpack = table.unpack or unpack -- luacheck: ignore 113 143 (5.1 and later)
  self:event(unpack(words, 1, 7))
end

local function check_send(self, id, send)
  local came = send.received > 0 or send.left
  if not send.stream then
    return self:complain("%s came, and nobody sent it", id)
  elseif send.came_from and send.came_from ~= send.destination then
    self:complain("%s was sent to %s and came from %s", id, send.destination, send.came_from)
  end
  if send.unsent and came then
    self:complain("%s came, and was not sent", id)
  elseif send.aborted and came then
    self:complain("%s came, and its transaction was aborted", id)
  elseif send.confirmed and not send.acked and not send.left
    and not self.loses(send.destination) then
    self:complain("%s is lost: confirmed, and neither acknowledged nor left", id)
    self.n.lost = (self.n.lost or 0) + 1
  end
end

--- The verdict: whether all is well, and a table of numbers (attempted confirmed
-- received acknowledged left duplicated redelivered lost unexpected) with a list
-- `complaints`.
function methods:verdict()
  local ids = {}
  for id in pairs(self.sends) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(ids) do check_send(self, id, self.sends[id]) end
  local n = self.n
  n.lost = n.lost or 0
  n.unexpected = (self.complaints.n or 0) - n.lost
  n.complaints = self.complaints
  return (self.complaints.n or 0) == 0, n
end

return { new = new }
