-- SPDX-License-Identifier: MIT
-- What each frame of a client does: by_name[command](engine, session, frame). It
-- returns nothing, then a RECEIPT that was asked for goes out now; or the frames whose
-- RECEIPTs go out after that one; or false: this one's RECEIPT comes later, or
-- never.
-- Knows destinations of this folder; the engine through its fields.
local destinations = require "stomp.broker.destinations"

local kind_of = destinations.kind_of

local commands = {}

-- Subscriptions of one session, and its open transactions.
local each_most = 65536

-- ---- CONNECT

-- Whether the login is right.
local function admits(logins, headers)
  if not logins then return true end
  local passcode = headers.login and logins[headers.login]
  return passcode ~= nil and passcode == headers.passcode
end

function commands.CONNECT(engine, session, frame)
  local headers = frame.headers
  if not admits(engine.logins, headers)
    or engine.wrong:strikes("refuse_logins", frame, session) then
    engine.counts.refused_logins = engine.counts.refused_logins + 1
    session:refuse("Bad CONNECT", ("Access refused for user '%s'\n"):format(
      tostring(headers.login)))
  else
    session.login, session.connected, session.end_by = headers.login, true, nil
    session:write("CONNECTED",
      { { "server", engine.server }, { "session", session.id } }, "")
  end
  return false -- CONNECT has no RECEIPT
end

commands.STOMP = commands.CONNECT

-- ---- Transactions

local nothing = { size = 256 } -- what an ACK in a transaction holds

-- At COMMIT; the message is held until then.
local function defer(engine, session, frame, message, deferred)
  local id = frame.headers.transaction
  local list = session.transactions[id]
  if not list then
    session:refuse("Bad transaction", "no transaction " .. id, frame)
  elseif not engine.destinations:has_room(message) then
    session:refuse("Broker is full", "transaction " .. id, frame)
  else
    engine.destinations:hold(message)
    deferred.message = message
    list[#list + 1] = deferred
  end
end

--- A transaction ends; what was to be done in it.
local function take_transaction(engine, session, id)
  local list = session.transactions[id]
  session.transactions[id] = nil
  session.n_transactions = session.n_transactions - 1
  for _, deferred in ipairs(list) do engine.destinations:let_go(deferred.message) end
  return list
end

local function ends_transaction(commit)
  return function(engine, session, frame)
    local id = frame.headers.transaction
    if not session.transactions[id] then
      return session:refuse("Bad transaction", "no transaction " .. id, frame)
    end
    local answered = {}
    for _, deferred in ipairs(take_transaction(engine, session, id)) do
      local f = commit and deferred.action or deferred.undo
      if f then f() end
      if commit then answered[#answered + 1] = deferred.frame end
    end
    engine.destinations:release(session)
    return answered
  end
end

commands.COMMIT = ends_transaction(true)
commands.ABORT = ends_transaction(false)

function commands.BEGIN(_, session, frame)
  local id = frame.headers.transaction
  if session.transactions[id] then
    return session:refuse("Bad transaction", id .. " is open already", frame)
  elseif session.n_transactions == each_most then
    return session:refuse("Too many transactions", id, frame)
  end
  session.transactions[id] = {}
  session.n_transactions = session.n_transactions + 1
end

-- ---- Messages

-- It is not published, and its RECEIPT is owed until one is: as on RabbitMQ, whose
-- confirms name the last of many.
local function lose(session, frame)
  if frame.headers.receipt then session.owed[#session.owed + 1] = frame end
  return false
end

-- With the RECEIPTs that are owed.
local function publish(engine, session, message)
  engine.destinations:publish(message)
  local owed = session.owed
  if #owed == 0 then return nil end
  session.owed = {}
  return owed
end

-- In a transaction its RECEIPT comes after COMMIT's, or never, as on RabbitMQ.
function commands.SEND(engine, session, frame)
  local all, destination = engine.destinations, frame.headers.destination
  local kind = kind_of(destination)
  if not kind then
    return session:refuse("Unknown destination", destination, frame)
  end
  local message = destinations.new_message(frame.headers, frame.body, kind)
  if kind == "temporary" then
    message.destination = all:reply_queue(session, destination)
  end
  if kind ~= "topic" and not all:has_room(message) then
    return session:refuse("Broker is full", destination, frame)
  elseif not message.destination or not all:rewrite_reply(session, message) then
    return session:refuse("Too many reply queues", destination, frame)
  end
  if not frame.headers.transaction then
    if engine.wrong:strikes("refuse_sends", frame, session) then
      return lose(session, frame)
    end
    return publish(engine, session, message)
  end
  defer(engine, session, frame, message, {
    action = function() all:publish(message) end,
    frame = frame,
  })
  return false
end

-- ---- Subscriptions

-- At 1.0 a subscription may have no id: its destination names it.
local function key_of(headers)
  return headers.id and "id " .. headers.id or "destination " .. tostring(headers.destination)
end

local modes = { auto = true, client = true, ["client-individual"] = true }

-- Prefetch; nil: no limit; false: it is no number.
local function prefetch_of(headers)
  local text = headers["prefetch-count"] or headers["activemq.prefetchSize"]
  if not text then return nil end
  local n = tonumber(text)
  if not n or n < 0 or n % 1 ~= 0 then return false end
  return n >= 1 and n or nil
end

-- Why not, and what: two texts.
local function refusal(session, headers)
  local kind = kind_of(headers.destination)
  if not kind or kind == "reply" then
    return "Invalid destination", headers.destination
  elseif session.subscriptions[key_of(headers)] then
    return "Duplicated subscription identifier", headers.id or headers.destination
  elseif headers.ack and not modes[headers.ack] then
    return "Processing error", "ack " .. headers.ack
  elseif prefetch_of(headers) == false then
    return "Processing error", "prefetch is no number"
  elseif headers.selector then
    return "Not supported", "selector"
  elseif session.n_subscriptions == each_most then
    return "Too many subscriptions", headers.id or headers.destination
  end
end

function commands.SUBSCRIBE(engine, session, frame)
  local headers = frame.headers
  local text, what = refusal(session, headers)
  if text then return session:refuse(text, what, frame) end
  local destination, shown = headers.destination, nil
  if kind_of(destination) == "temporary" then
    destination, shown = engine.destinations:reply_queue(session, destination), destination
    if not destination then return session:refuse("Too many reply queues", shown, frame) end
  end
  engine.last_subscription = engine.last_subscription + 1
  local s = {
    id = headers.id, key = key_of(headers), session = session,
    destination = destination, shown = shown, ack = headers.ack or "auto",
    serial = engine.last_subscription, prefetch = prefetch_of(headers),
  }
  session.subscriptions[s.key] = s
  session.n_subscriptions = session.n_subscriptions + 1
  engine.destinations:join(s)
  session.to_serve = s.queue -- after its RECEIPT
end

function commands.UNSUBSCRIBE(engine, session, frame)
  local key = key_of(frame.headers)
  local s = session.subscriptions[key]
  if not s then
    return session:refuse("No subscription found",
      tostring(frame.headers.id or frame.headers.destination), frame)
  end
  session.subscriptions[key] = nil
  session.n_subscriptions = session.n_subscriptions - 1
  engine.destinations:leave(session, { s })
end

-- ---- Acknowledgement

-- The delivery that it names; nil and why not.
local function named(session, headers)
  local key = session.version == "1.2" and headers.id or headers["message-id"]
  local delivery = key and session.deliveries[key]
  if not delivery then
    return nil, "no message " .. tostring(key)
  elseif session.version == "1.1" and headers.subscription ~= delivery.subscription.id then
    return nil, ("no message %s of subscription %s"):format(key, tostring(headers.subscription))
  elseif delivery.promised then
    return nil, ("message %s is acknowledged in transaction %s already"):format(key,
      delivery.promised)
  end
  return delivery
end

local function acknowledge(engine, session, frame)
  local headers, nack = frame.headers, frame.command == "NACK"
  local delivery, why = named(session, headers)
  if not delivery then
    return session:refuse("Unexpected " .. frame.command, why, frame)
  end
  local function settle()
    if session.deliveries[delivery.key] ~= delivery then return end -- settled otherwise
    engine.destinations:settle(session, delivery, nack, headers.requeue == "false")
  end
  if not headers.transaction then return settle() end
  delivery.promised = headers.transaction
  defer(engine, session, frame, nothing,
    { action = settle, undo = function() delivery.promised = nil end })
end

commands.ACK = acknowledge
commands.NACK = acknowledge

function commands.DISCONNECT(engine, session)
  session.ending = true
  engine:limit(session)
end

return { by_name = commands, take_transaction = take_transaction }
