-- SPDX-License-Identifier: MIT
-- SUBSCRIBE and UNSUBSCRIBE of a client.
-- Knows check, errors, headers, sending and subscription.
local check = require "stomp.check"
local errors = require "stomp.errors"
local headers_of = require "stomp.headers"
local sending = require "stomp.sending"
local subscription_module = require "stomp.subscription"

local subscribe_options = {
  id = "string", ack = "string", headers = "table function", confirm = "boolean",
  prefetch = "number", acknowledge = "table", timeout = "number",
  concurrency = "number", order_by = "string",
}
local acknowledge_options = {
  destination = "string", header = "string", automatic = "boolean",
}
local unsubscribe_options = {
  headers = "table", confirm = "boolean", timeout = "number",
}
local ack_modes = { auto = true, client = true, ["client-individual"] = true }

-- The header that limits unacknowledged messages, by CONNECTED's server header.
-- A broker that does not say who it is gets both: each ignores the other's.
local function add_prefetch(headers, server, n)
  if not server or not server:find("^RabbitMQ/") then
    headers["activemq.prefetchSize"] = n
  end
  if not server or not server:find("^ActiveMQ/") then
    headers["prefetch-count"] = n
  end
end

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
  options.acknowledge = check_acknowledge(given.acknowledge, level + 1)
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

local function headers_for(client, subscription, options, level)
  local headers, given = {}, options.headers
  if type(given) == "function" then given = given() end
  if options.prefetch then
    add_prefetch(headers, client.server, options.prefetch)
  end
  headers.id, headers.destination = subscription.id, subscription.destination
  headers.ack = subscription.ack
  return headers_of.join(given, headers, level + 1)
end

-- The broker did not say in time that it is subscribed: it may be, so undo it.
local function undo(client, subscription)
  client.router:remove(subscription)
  subscription:close_here()
  if not client.pump.ended then
    local headers = { id = subscription.id }
    if client.pump.link:send("UNSUBSCRIBE", headers) and client.watched then
      client:sent("UNSUBSCRIBE", headers)
    end
  end
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
  local id = options.id or next_id(client)
  if client.router.subscriptions[id] then
    return errors.failure("invalid", ("already in use: subscription %s"):format(id))
  end
  local subscription =
    subscription_module.new(client, id, destination, options, handler)
  local headers
  headers, message, err = headers_for(client, subscription, options, level)
  if not headers then return nil, message, err end
  client.router:add(subscription) -- its first message may overtake the RECEIPT
  local put = options.confirm and sending.transmit_confirmed or sending.transmit
  ok, message, err = put(client,
    options.timeout or client.settings.confirm_timeout, "SUBSCRIBE", destination,
    headers)
  if ok then return subscription end
  undo(client, subscription)
  return nil, message, err
end

--- subscription:unsubscribe; misuse raises at `level`.
local function unsubscribe(client, subscription, options, level)
  options = check.options(options, unsubscribe_options, level + 1)
  if subscription.closed then return true end
  local headers, message, err =
    headers_of.join(options.headers, { id = subscription.id }, level + 1)
  if not headers then return nil, message, err end
  local timeout = options.timeout or client.settings.confirm_timeout
  subscription:close_here()
  -- An ACK after UNSUBSCRIBE is an ERROR on RabbitMQ: handlers come first.
  if subscription.worker and subscription.ack ~= "auto" then
    subscription.worker:settle(client.pump.loop.now() + timeout)
  end
  client.router:remove(subscription)
  local ended = client.pump.ended
  if ended and ended.clean then return true end
  local put = options.confirm and sending.transmit_confirmed or sending.transmit
  return put(client, timeout, "UNSUBSCRIBE", subscription.destination, headers)
end

return { subscribe = subscribe, unsubscribe = unsubscribe }
