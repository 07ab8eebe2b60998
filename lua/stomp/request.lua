-- SPDX-License-Identifier: MIT
-- Request and reply: a SEND with `reply-to` and `correlation-id`, and the MESSAGE
-- that comes back with the same correlation id. STOMP does not say how; brokers
-- with temporary queues differ:
--   RabbitMQ, the embedded broker   `reply-to:/temp-queue/x` is enough; replies
--       come with that name as their subscription. SUBSCRIBE to it is an ERROR
--   ActiveMQ Classic                SUBSCRIBE to /temp-queue/x first
--   Artemis                         has none: SUBSCRIBE to a name of our own, as to
--       a topic, so that its queue ends with the connection
-- All requests of a connection share one reply queue, which ends with it: those
-- in flight fail then. A reply that nobody waits for any more is counted.
-- Knows check, core (to encode), dialect, errors, failures, guard, headers, json and
-- sending; its client through `self.client`.
local check = require "stomp.check"
local core = require "stomp.core"
local dialect = require "stomp.dialect"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local guard = require "stomp.guard"
local headers_of = require "stomp.headers"
local json = require "stomp.json"
local register = require "stomp.register"
local sending = require "stomp.sending"

local methods = {}
local mt = { __name = "stomp.requests", __index = methods }

local request_options = {
  headers = "table", timeout = "number", reply = "table",
  content_length = "boolean",
}
local reply_options = {
  to = "string", subscribe = "boolean string", correlation_id = "string",
}

local UNKNOWN = { outcome = "unknown" }

-- A place of replies is one of its connection: on the next one it is made anew.
local BOUND = { queue = false }

-- The reply queue of a connection, by a name that only it sees.
local REPLIES = "/temp-queue/replies"

-- Where names are everybody's, a client's begins so.
local OWN = "lua-stomp.replies."

-- Reply destinations of one connection that a program may name.
local MOST_PLACES = 1024

--- The requests of a client.
local function new(client)
  local self = setmetatable({
    client = client,
    tie = nil,     -- what replies are bound to, as messages to theirs
    waiting = register.new(), -- correlation id -> waiter
    places = {},   -- reply-to -> where its replies come
    by_route = {}, -- subscription header of replies -> the same
    n_places = 0, n_subscriptions = 0,
    address = nil, -- a name of our own for replies, see own_address
    late = 0,      -- replies that nobody waited for
  }, mt)
  self.tie = { subscription = self }
  return self
end

-- ---- Where replies come

-- The same over all connections: Artemis keeps it for good unless it is told to
-- delete addresses.
local function own_address(self)
  self.address = self.address or OWN .. self.client.unique()
  return self.address
end

-- reply-to, the destination to subscribe to (false: none), and headers for that.
local function choose(self, reply)
  local its = dialect.of(self.client.server)
  local to, subscribe = reply.to, reply.subscribe
  if not to then
    if not its.replies then
      return errors.failure("invalid", ("request: it is not known how %s replies:"
        .. " give option reply"):format(self.client.server or "this broker"))
    elseif its.replies == "address" then
      to = own_address(self)
      return to, to, its.reply_headers
    end
    to = REPLIES
  end
  local place = self.places[to]
  if subscribe == nil and place then return to, place.subscribe end
  if subscribe == nil then
    subscribe = not (its.replies == "reply-to" and to:find("^/temp%-queue/"))
  end
  return to, subscribe == true and to or subscribe
end

-- The first "replies-n" that is free.
local function next_subscription(self)
  local taken = self.client.router.subscriptions
  repeat
    self.n_subscriptions = self.n_subscriptions + 1
  until not taken["replies-" .. self.n_subscriptions]
  return "replies-" .. self.n_subscriptions
end

local function forget(self, place)
  if self.places[place.to] ~= place then return end
  self.places[place.to], self.by_route[place.route] = nil, nil
  self.n_places = self.n_places - 1
end

-- SUBSCRIBE failed: so does whoever sent on the strength of it.
local function abandon(self, place, message, err)
  forget(self, place)
  for _, waiter in ipairs(register.values(self.waiting)) do
    if waiter.place == place then
      self.client.pump:fail(waiter, message, err)
    end
  end
end

-- Whoever was sending SUBSCRIBE will not come to its end, see guard.
local function give_up(self, place)
  local _, message, err = errors.failure("closed",
    "request: who subscribed to " .. place.to .. " was closed meanwhile")
  abandon(self, place, message, err)
end

-- The place of a reply-to that was used before; it cannot be two.
local function same_place(place, subscribe)
  if place.subscribe == subscribe then return place end
  return errors.failure("invalid", ("option reply: to %s has subscribe = %s on this"
    .. " connection, not %s"):format(place.to, tostring(place.subscribe), tostring(subscribe)))
end

-- The place of a reply-to, made on its first use. It is there before SUBSCRIBE
-- has left: who comes meanwhile waits behind it for room in the outbox.
local function place_of(self, to, subscribe, more, timeout)
  local place = self.places[to]
  if place then return same_place(place, subscribe) end
  if self.n_places == MOST_PLACES then
    return errors.failure("limit",
      ("request: more than %d reply destinations"):format(MOST_PLACES))
  end
  place = { to = to, subscribe = subscribe,
    route = subscribe and next_subscription(self) or to }
  self.places[to], self.by_route[place.route] = place, place
  self.n_places = self.n_places + 1
  if not subscribe then return place end
  local headers = { id = place.route, destination = subscribe, ack = "auto" }
  for name, value in pairs(more or {}) do headers[name] = value end
  local ok, message, err = guard.run(give_up, self, place, sending.transmit, self.client,
    timeout, "SUBSCRIBE", subscribe, headers, nil, BOUND)
  if ok then return place end
  abandon(self, place, message, err)
  return nil, message, err
end

-- ---- Replies

--- A MESSAGE came that is of no subscription: whether it is a reply (at 1.0 it
-- need not name its subscription).
function methods:offer(frame)
  local route = frame.subscription
  local place
  if route then
    place = self.by_route[route]
  else
    place = self.places[frame.destination]
  end
  if not place then return false end
  local id = frame.headers["correlation-id"]
  local waiter = id and register.take(self.waiting, id)
  if waiter then
    self.client.pump:deliver(waiter, frame:bind(self.tie))
  else
    self.late = self.late + 1
    self.client:inform(("reply %s, for which nobody waits"):format(tostring(id)))
  end
  return true
end

--- A reply is no message of a subscription.
function methods.settle(_, _, how)
  return errors.failure("invalid", how .. ": a reply is not acknowledged")
end

-- ---- Requests

local function check_reply(reply, level)
  if reply == nil then return {} end
  check.options(reply, reply_options, level + 1)
  if not reply.to and (reply.subscribe ~= nil) then
    error("option 'reply': subscribe without to", level + 1)
  end
  if reply.to == "" or reply.subscribe == "" then
    error("option 'reply': an empty destination", level + 1)
  end
  return reply
end

local function check_headers(headers)
  for _, name in ipairs { "reply-to", "correlation-id" } do
    if headers_of.has(headers, name) then
      return errors.failure("invalid",
        ("header %s is set by option reply"):format(name))
    end
  end
  return true
end

-- What send would refuse is refused here, for SUBSCRIBE may go out before it: the body
-- as it is sent, and the headers.
-- @treturn[1] string, table
-- @treturn[2] nil, message, err: invalid
local function prepare_message(destination, body, given, level)
  check.argument("body", body, "string table", level + 1)
  local ok, message, err = sending.check_destination(destination, level + 1)
  if not ok then return nil, message, err end
  local headers
  headers, message, err = headers_of.join(given, {}, level + 1)
  if not headers then return nil, message, err end
  ok, message, err = check_headers(headers)
  if not ok then return nil, message, err end
  if type(body) == "string" then return body, headers end
  body, message, err = json.encode(body)
  if not body then return nil, message, err end
  if headers_of.has(headers, "content-type") then return body, headers end
  return body, headers_of.join(headers, { ["content-type"] = "application/json" })
end

-- What of it the protocol machine would refuse, as this version wants headers. (Once
-- a reply queue: it costs as much as to send them.)
local function check_frame(self, destination, headers, to, id)
  local all, message, err = headers_of.join(headers, { destination = destination,
    ["reply-to"] = to, ["correlation-id"] = id })
  if not all then return nil, message, err end
  all, message, err = core.encode("SEND", all, "", self.client.version)
  return all, message, err
end

-- What became of a request that was sent.
local function result(self, waiter, timeout)
  local pump = self.client.pump
  if waiter.value then return waiter.value end
  if waiter.err then return failures.over(waiter, waiter.what, UNKNOWN) end
  if pump.ended then return failures.over(pump.ended, waiter.what, UNKNOWN) end
  return failures.late(waiter.what, timeout, UNKNOWN)
end

local function check_id(self, id)
  if not self.waiting.of[id] then return true end
  return errors.failure("invalid", ("already in flight: correlation id %s"):format(id))
end

-- Where its reply will come and under which id.
local function prepare(self, destination, headers, reply, left)
  local ended = self.client.pump.ended
  if ended then return failures.over(ended, "request") end
  local to, subscribe, more = choose(self, reply)
  if not to then return nil, subscribe, more end
  local id = reply.correlation_id or self.client.unique()
  local ok, place, message, err
  ok, message, err = check_id(self, id)
  if ok and subscribe and not self.places[to] then
    ok, message, err = check_frame(self, destination, headers, to, id)
  end
  if not ok then return nil, message, err end
  place, message, err = place_of(self, to, subscribe, more, left)
  if not place then return nil, message, err end
  ok, message, err = check_id(self, id) -- it may be another's since, see place_of
  if not ok then return nil, message, err end
  return place, id
end

-- A request goes out on one connection only, so it must not be one that is lost.
local function await_connection(self, timeout)
  local pump = self.client.pump
  self.client:look()
  if pump.ended or not pump.down then return true end
  return self.client.reconnector:await_up("request", timeout)
end

--- Nobody will come for this reply, see pump.
function methods:abandon(waiter)
  if self.waiting.of[waiter.id] == waiter then register.take(self.waiting, waiter.id) end
end

--- client:request; misuse raises at `level`.
function methods:request(destination, body, options, level)
  options = check.options(options, request_options, level + 1)
  local reply = check_reply(options.reply, level + 1)
  local text, headers, err = prepare_message(destination, body, options.headers, level + 1)
  if not text then return nil, headers, err end
  local client = self.client
  local pump = client.pump
  local timeout = options.timeout or client.settings.confirm_timeout
  local deadline = pump.loop.now() + timeout
  local ok, message
  ok, message, err = await_connection(self, timeout)
  if not ok then return nil, message, err end
  local function left() return math.max(deadline - pump.loop.now(), 0) end
  local place, id
  place, id, err = prepare(self, destination, headers, reply, left())
  if not place then return nil, id, err end
  local waiter = pump:waiter("no reply from " .. tostring(destination), true)
  waiter.place, waiter.id, waiter.holder = place, id, self
  register.put(self.waiting, id, waiter)
  ok, message, err = guard.run(self.abandon, self, waiter, sending.send, client, destination,
    text, headers,
    { timeout = left(), queue = false, content_length = options.content_length },
    level + 2, -- guard.run lies between
    { ["reply-to"] = place.to, ["correlation-id"] = id })
  if ok then pump:wait(waiter, deadline) end
  self:abandon(waiter)
  if not ok then return nil, message, err end
  return result(self, waiter, timeout)
end

--- The connection has ended, and with it its reply queues. `message, err`: why;
-- nil: we closed it.
function methods:lost(message, err)
  local pump, waiting = self.client.pump, self.waiting
  self.waiting, self.places, self.by_route = register.new(), {}, {}
  self.n_places = 0
  if pump.ended then return end -- those who wait see it
  message, err = failures.lost(message, err)
  for _, waiter in ipairs(register.values(waiting)) do pump:fail(waiter, message, err) end
end

return { new = new }
