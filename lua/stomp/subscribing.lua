-- SPDX-License-Identifier: MIT
-- SUBSCRIBE and UNSUBSCRIBE of a client.
-- Knows check, dialect, errors, failures, guard, headers, sending, show,
-- streams and subscription.
local check = require "stomp.check"
local dialect = require "stomp.dialect"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local guard = require "stomp.guard"
local headers_of = require "stomp.headers"
local sending = require "stomp.sending"
local show = require "stomp.show"
local streams = require "stomp.streams"
local subscription_module = require "stomp.subscription"

local subscribe_options = {
  id = "string", ack = "string", headers = "table function", confirm = "boolean",
  prefetch = "number", acknowledge = "table", timeout = "number",
  concurrency = "number", order_by = "string", stream = "string number",
}
local acknowledge_options = {
  destination = "string", header = "string", automatic = "boolean",
}
local unsubscribe_options = {
  headers = "table", confirm = "boolean", timeout = "number",
}
local ack_modes = { auto = true, client = true, ["client-individual"] = true }

local function check_acknowledge(given, level)
  if given == nil then return nil end
  check.options(given, acknowledge_options, level + 1)
  if not given.destination then
    error("option 'acknowledge' needs a destination", level + 1)
  end
  return {
    destination = given.destination,
    header = given.header or "messageId",
    automatic = given.automatic or false,
  }
end

-- Several handlers at a time: not where one ACK speaks for messages that others
-- still work on.
local function check_concurrency(given, handler, level)
  local n = given.concurrency
  if n and not (n >= 1 and n < 2 ^ 31 and n % 1 == 0) then
    error("option 'concurrency': a whole number from 1 expected", level + 1)
  end
  for _, name in ipairs { "concurrency", "order_by" } do
    if given[name] and not handler then
      error(("option '%s' needs a handler"):format(name), level + 1)
    end
  end
  if n and n > 1 and given.ack == "client" then
    error("option 'concurrency' with ack = \"client\", which acknowledges all"
      .. " before: take \"client-individual\"", level + 1)
  end
end

local function check_options(given, handler, level)
  given = check.options(given, subscribe_options, level + 1)
  if given.ack and not ack_modes[given.ack] then
    error(("option 'ack': \"auto\", \"client\" or \"client-individual\" expected,"
      .. " got \"%s\""):format(given.ack), level + 1)
  end
  local n = given.prefetch
  if n and not (n >= 0 and n < 2 ^ 31 and n % 1 == 0) then
    error("option 'prefetch': a whole number expected", level + 1)
  end
  check_concurrency(given, handler, level + 1)
  local options = {}
  for name, value in pairs(given) do options[name] = value end
  options.headers = headers_of.copy(given.headers) -- they go out on each connection
  options.acknowledge = check_acknowledge(given.acknowledge, level + 1)
  streams.prepare(options, level + 1)
  return options
end

-- The first "sub-n" that is free.
local function next_id(client)
  local taken = client.router.subscriptions
  repeat
    client.n_subscriptions = client.n_subscriptions + 1
  until not taken["sub-" .. client.n_subscriptions]
  return "sub-" .. client.n_subscriptions
end

-- `given`: the program's headers.
local function headers_for(client, subscription, options, given, level)
  local headers = {}
  if options.prefetch then
    dialect.of(client.server).limit(headers, options.prefetch, subscription.id,
      subscription.ack)
  end
  if options.stream then streams.add_headers(headers, subscription) end
  headers.id, headers.destination = subscription.id, subscription.destination
  headers.ack = subscription.ack
  local message, err
  headers, message, err = headers_of.join(given, headers, level + 1)
  return headers, message, err -- no tail call: levels count
end

-- What the program gives for one more connection: true and that, or false, err.
local function given_again(given)
  local ok, traceback = true, nil
  if type(given) == "function" then
    ok, given = xpcall(given, function(value)
      traceback = debug.traceback(show.value(value), 2)
      return value
    end)
  end
  if not ok then
    return false, errors.about("headers", failures.raised(given, traceback or ""))
  elseif given == nil then
    return true
  end
  local text = type(given) == "table" and headers_of.fault(given)
    or type(given) ~= "table" and "table expected, got " .. type(given)
  if text then return false, errors.new("handler", "headers: " .. text) end
  return true, given
end

--- The headers of SUBSCRIBE for one more connection. Its function of headers is
-- called again; it may not wait.
-- @treturn[1] table
-- @treturn[2] nil, message, err: invalid; handler (the function raised, or gave what
-- are no headers)
local function headers_again(client, subscription)
  local ok, given = given_again(subscription.options.headers)
  if not ok then return nil, given.message, given end
  local headers, message, err =
    headers_for(client, subscription, subscription.options, given, 2)
  return headers, message, err
end

-- The broker did not say in time that it is subscribed: it may be, so undo it.
-- Or nobody waits any more until it is, or until it no longer is.
local function undo(client, subscription)
  local pump = client.pump
  if subscription.parted then return end
  client.router:remove(subscription)
  subscription:close_here()
  if not pump.ended and not pump.link_ended and subscription:is_current() then
    local headers = { id = subscription.id }
    subscription.parted = true
    if pump.link:send("UNSUBSCRIBE", headers) and client.watched then
      client:sent("UNSUBSCRIBE", headers)
    end
  end
end

-- SUBSCRIBE goes out; with `confirm` its RECEIPT is waited for, whatever
-- connection it comes on.
local function put(client, subscription, timeout, headers)
  local destination = subscription.destination
  local function on_sent() subscription:renew() end
  if not subscription.options.confirm then
    return sending.transmit(client, timeout, "SUBSCRIBE", destination, headers,
      nil, nil, nil, on_sent)
  end
  local ok, message, err = sending.transmit_confirmed(client, timeout, "SUBSCRIBE",
    destination, headers, nil, nil, function(entry)
      entry.kept, subscription.confirming = true, entry
    end, on_sent)
  subscription.confirming = nil
  return ok, message, err
end

--- client:subscribe; misuse raises at `level`.
local function subscribe(client, destination, options, handler, level)
  level = level + 1
  if type(options) == "function" and handler == nil then
    options, handler = nil, options
  end
  if handler ~= nil then check.argument("handler", handler, "function", level) end
  local ok, message, err = sending.check_destination(destination, level)
  if not ok then return nil, message, err end
  options = check_options(options, handler, level)
  if client.draining then
    return errors.failure("closed", "subscribe: the client drains")
  end
  local id = options.id or next_id(client)
  if id == "" then return errors.failure("invalid", "the subscription id is empty") end
  if options.acknowledge and options.acknowledge.destination == "" then
    return errors.failure("invalid", "the destination of option acknowledge is empty")
  end
  if client.router.subscriptions[id] then
    return errors.failure("invalid", ("already in use: subscription %s"):format(id))
  end
  local subscription =
    subscription_module.new(client, id, destination, options, handler)
  local headers
  local given = options.headers
  if type(given) == "function" then given = given() end
  headers, message, err = headers_for(client, subscription, options, given, level)
  if not headers then return nil, message, err end
  client.router:add(subscription) -- its first message may overtake the RECEIPT
  ok, message, err = guard.run(undo, client, subscription, put, client, subscription,
    options.timeout or client.settings.confirm_timeout, headers)
  if ok then return subscription end
  undo(client, subscription)
  return nil, message, err
end

-- A connection that is being resumed may have been told SUBSCRIBE: UNSUBSCRIBE
-- follows when it is there.
-- @treturn[1] true it is subscribed on the present connection
-- @treturn[2] false it is on none: it ended with its connection
-- @treturn[3] nil, message, err: timeout
local function await_own_connection(client, subscription, timeout)
  local pump = client.pump
  local function is_resumed()
    return pump.down and subscription:is_current()
      and not (pump.ended or pump.link_ended)
  end
  if is_resumed() then
    local ok, message, err = client.reconnector:await_up(
      "UNSUBSCRIBE " .. subscription.destination, timeout)
    if not ok and is_resumed() then return nil, message, err end
  end
  return not pump.down and subscription:is_current()
end

-- Who waits in unsubscribe until the handlers of a subscription have ended: coroutine ->
-- the worker of that subscription.
local waits_for = setmetatable({}, { __mode = "k" })

-- Whether this task waits there for the calling one to end, itself or by way of others:
-- that one need not wait for it.
local function is_stuck(thread, seen)
  local worker = waits_for[thread]
  if not worker or seen[thread] then return false end
  seen[thread] = true
  if worker:is_current() then return true end
  for _, other in ipairs(worker:threads()) do
    if is_stuck(other, seen) then return true end
  end
  return false
end

local function spares(thread) return is_stuck(thread, {}) end

-- Wait until its handlers have ended.
local function settle(worker, deadline)
  local me = coroutine.running()
  if me then waits_for[me] = worker end
  worker:settle(deadline, spares)
  if me then waits_for[me] = nil end
end

local function part(client, subscription, headers, confirm, timeout)
  local now = client.pump.loop.now
  local deadline = now() + timeout
  -- An ACK after UNSUBSCRIBE is an ERROR on RabbitMQ: handlers come first.
  if subscription.worker and subscription.ack ~= "auto" then
    settle(subscription.worker, deadline)
    timeout = math.max(deadline - now(), 0) -- what is left for the rest
  end
  client.router:remove(subscription)
  local pump = client.pump
  local ready, message, err = await_own_connection(client, subscription, timeout)
  if not ready then return ready == false or nil, message, err end
  timeout = math.max(deadline - now(), 0)
  local ended, connection = pump.ended, pump.connection
  if ended and ended.clean then return true end
  local transmit = confirm and sending.transmit_confirmed or sending.transmit
  local ok
  ok, message, err = transmit(client, timeout, "UNSUBSCRIBE", subscription.destination, headers,
    nil, nil, confirm and "once" or nil, function() subscription.parted = true end)
  if ok or pump.down or pump.connection ~= connection then
    return true -- it ended with its connection
  end
  return nil, message, err
end

--- subscription:unsubscribe; misuse raises at `level`.
local function unsubscribe(client, subscription, options, level)
  options = check.options(options, unsubscribe_options, level + 1)
  if subscription.closed then return true end
  local headers, message, err =
    headers_of.join(options.headers, { id = subscription.id }, level + 1)
  if not headers then return nil, message, err end
  subscription:close_here()
  return guard.run(undo, client, subscription, part, client, subscription, headers,
    options.confirm, options.timeout or client.settings.confirm_timeout)
end

return {
  subscribe = subscribe, unsubscribe = unsubscribe, headers_again = headers_again,
}
