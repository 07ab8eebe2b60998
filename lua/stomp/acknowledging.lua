-- SPDX-License-Identifier: MIT
-- ACK and NACK of a subscription's messages, or the SEND that some servers want
-- instead. A message is acknowledged on the connection that it came on, or not at
-- all: on a later one the same id may mean another message (RabbitMQ: seen).
-- Knows dialect, errors, failures, guard, headers and sending; the subscription and its client.
local dialect = require "stomp.dialect"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local guard = require "stomp.guard"
local headers_of = require "stomp.headers"
local room = require "stomp.room"
local sending = require "stomp.sending"

-- Whether the connection that the message came on is over.
local function is_gone(pump, message)
  return pump.ended or pump.link_ended
    or message.owner.connection ~= pump.connection
end

local function gone(how)
  return errors.failure("closed", ("%s: the connection that the message came"
    .. " on is closed"):format(how))
end

-- A new connection brings messages before all that comes first is on its way
-- (see resume): their acknowledgements line up behind it, but not while the broker lets
-- that wait (see proof).
local function await_turn(client, message, how, by_frame)
  local pump = client.pump
  if is_gone(pump, message) then return gone(how) end
  if not pump.down then return true end
  local ok, text, err =
    client.reconnector:await_up(how, client.settings.confirm_timeout, by_frame)
  if is_gone(pump, message) then return gone(how) end
  return ok, text, err
end

-- It was queued: tell those who count. In a transaction the message is in hand until
-- COMMIT (which may have been sent while this waited for room), and after ABORT again.
local function count(client, message, how, transaction)
  local noted = message.owner.unacked
  if noted and transaction and transaction.state ~= "committed" then
    transaction:settles(noted, message.sequence)
  elseif noted then
    noted:settled(message.sequence)
    client:fewer_in_hand()
  end
  client.events:notify("acked", message, how)
end

-- Mark a message that this end alone knows to be settled: a function that takes it
-- back; or nil, message, err.
local function mark(self, message)
  local settled = self.settled or setmetatable({}, { __mode = "k" })
  self.settled = settled
  if settled[message] then
    return errors.failure("invalid", "this message is acknowledged already")
  end
  settled[message] = true
  return function() settled[message] = nil end
end

-- The way of option `acknowledge`: a SEND with the MESSAGE's header of that name.
local function settle_by_send(self, message, how, transaction)
  local options = self.acknowledging
  local value = message.headers[options.header]
  if how ~= "ack" then
    return errors.failure("invalid",
      "nack: this subscription acknowledges by SEND, which has no NACK")
  end
  if value == nil then
    return errors.failure("invalid", ("ack: the MESSAGE has no header %s")
      :format(options.header))
  end
  local unsettle, text, err = mark(self, message)
  if not unsettle then return nil, text, err end
  local ok
  -- it names a message of this connection: on another it might mean another
  ok, text, err = guard.run(unsettle, nil, nil, sending.send, self.client, options.destination, "", nil,
    { queue = false }, 1, { [options.header] = value }, transaction)
  if not ok then
    unsettle()
    return nil, text, err
  end
  if transaction then transaction:on_abort(unsettle) end
  count(self.client, message, how, transaction)
  return true
end

-- The same, and those who watch.
local function told(client, message, how, headers, transaction)
  if client.watched then
    client:sent(how:upper(),
      headers_of.of_ack(message, client.version, headers))
  end
  count(client, message, how, transaction)
end

-- ACK or NACK goes out, within `transaction`, or nil.
local function put(client, message, how, timeout, transaction)
  local headers = transaction and { transaction = transaction.id }
  local pump = client.pump
  local ok, text, err =
    room.push(pump, timeout, how, true, nil, how, message, headers)
  if ok then
    told(client, message, how, headers, transaction)
    return true
  end
  if ok == nil then return nil, text, err end
  if pump.ended then return failures.over(pump.ended, how) end
  return failures.late(how .. ": no room in the outbox", timeout)
end

-- The broker would acknowledge at once, and after ABORT, or an end before COMMIT,
-- the message would be lost: so it is told when COMMIT was answered. (If the end
-- comes in between, the message comes again.)
local function hold(self, message, how, transaction)
  if self.ack == "auto" then
    return errors.failure("invalid", how .. ": ack mode is auto: nothing to acknowledge")
  end
  local release, text, err = mark(self, message)
  if not release then return nil, text, err end
  local client = self.client
  transaction:hold(release, function(timeout)
    if is_gone(client.pump, message) then return gone(how) end
    release()
    local ok
    ok, text, err = put(client, message, how, timeout)
    -- a cumulative one meanwhile may have settled it
    if not ok and err.name ~= "IACKTWICE" then return nil, text, err end
    return true
  end)
  return true
end

--- Acknowledge a message of this subscription; `how` is "ack" or "nack". What is
-- no transaction raises at `level`.
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid, closed, timeout (no room in the outbox)
local function settle(self, message, how, transaction, level)
  local client = self.client
  local ok, text, err = await_turn(client, message, how, not self.acknowledging)
  if not ok then return nil, text, err end
  local within
  if transaction ~= nil then
    within, text, err = client.transactions:find(transaction, level + 1)
    if not within then return nil, text, err end
  end
  if self.acknowledging then
    return settle_by_send(self, message, how, within)
  elseif self.stream and how == "nack" then -- RabbitMQ would end the connection
    return errors.failure("invalid", "nack: a stream keeps its messages: subscribe again"
      .. " at this one's offset to read it again")
  elseif within and dialect.of(client.server).acks_at_once then
    return hold(self, message, how, within)
  elseif self.settled and self.settled[message] then
    return errors.failure("invalid",
      how .. ": this message is acknowledged already, in a transaction")
  end
  return put(client, message, how, client.settings.confirm_timeout, within)
end

return { settle = settle }
