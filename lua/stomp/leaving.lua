-- SPDX-License-Identifier: MIT
-- The two orderly ways down. `disconnect` waits for RECEIPTs that are awaited, then
-- DISCONNECT. `drain` loses nothing: no message is begun any more, those that
-- handlers have are finished and acknowledged, those that coroutines took by receive
-- are acknowledged or refused, what is queued goes out, where there is no connection on
-- the next one, and then the same. What was not begun is neither acknowledged nor
-- refused: the broker gives it to others when the connection ends. (A NACK of it would
-- bring it back here, and after an UNSUBSCRIBE RabbitMQ refuses ACKs.)
-- Knows errors, failures, guard and room; the rest through the client.
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local guard = require "stomp.guard"
local room = require "stomp.room"

-- Seconds that `disconnect` may take; of these the last fifth, or so many, are for
-- DISCONNECT alone, so that other RECEIPTs that are missing are not blamed on it;
-- seconds that handlers get to finish after the end.
local DISCONNECT_TIMEOUT = 5
local GOODBYE = 1
local HANDLER_GRACE = 5

-- The subscriptions that have handlers, in a list of its own: while one is waited
-- for, others may come and go.
local function with_handlers(client)
  local list = {}
  for _, subscription in pairs(client.router.subscriptions) do
    if subscription.worker then list[#list + 1] = subscription end
  end
  return list
end

--- The end has come: let handlers, and functions that were told of it, come to
-- theirs.
local function settle(client)
  local deadline = client.pump.loop.now() + HANDLER_GRACE
  for _, subscription in ipairs(with_handlers(client)) do
    subscription.worker:settle(deadline)
  end
  client.events:settle(deadline)
end

-- ---- DISCONNECT

local function say_goodbye(client, deadline, timeout)
  local pump = client.pump
  -- behind those who wait for room, or at a gate
  local id, message, err = room.push(pump, math.max(deadline - pump.loop.now(), 0),
    "DISCONNECT", true, nil, "disconnect")
  if pump.ended then
    return failures.over(pump.ended, "DISCONNECT")
  elseif id == false then
    return failures.late("DISCONNECT: " .. room.why(pump, "disconnect"), timeout)
  elseif not id then
    return nil, message, err
  end
  client.state = "disconnecting"
  client:sent("DISCONNECT", { receipt = id })
  local entry = client.receipts:expect("DISCONNECT", nil, id)
  local ending = pump:waiter(entry.what, true)
  pump:wait(ending, deadline)
  client.receipts:forget(entry)
  local ended = pump.ended
  if entry.done or (ended and (ended.note or not ended.clean)) then
    return true
  elseif ended then -- another task closed it
    return failures.over(ended, entry.what)
  elseif ending.err then -- the RECEIPT lies behind what nobody reads
    return nil, ending.message, ending.err
  end
  return failures.late(entry.what, timeout)
end

-- Another task leaves: until it has, or the time is over.
local function follow(client, deadline, timeout)
  local pump = client.pump
  local ending = pump:waiter("disconnect: another one is not done", true)
  pump:wait(ending, deadline)
  if pump.ended then return true end
  if ending.err then return nil, ending.message, ending.err end
  return failures.late(ending.what, timeout)
end

-- There is no connection to say goodbye on, whether that was noticed before or not: no
-- RECEIPT says what became of sends without confirm.
local function leave_down(client)
  local lost = client.reconnector.backlog:size()
  local ok, message, err = client.pipeline:last_verdict()
  client:close()
  client.events:settle(client.pump.loop.now() + HANDLER_GRACE)
  if lost == 0 then
    if not ok then return nil, message, err end
    return true, "no receipt"
  end
  return errors.failure("closed",
    ("%d queued sends are lost: there was no connection"):format(lost))
end

local function how_it_ended(pump)
  local ended = pump.ended
  if ended.clean then return true end
  return nil, ended.message, ended.err
end

-- As the one who leaves, or after following him, with this result.
local function depart(client, ok, message, err)
  local pump = client.pump
  local kept, why, reason = client.pipeline:last_verdict()
  local ended = pump.ended
  client:close()
  client.events:settle(pump.loop.now() + HANDLER_GRACE)
  if ended and not ended.clean then return nil, ended.message, ended.err end
  if not ok then return nil, message, err end
  if not kept then return nil, why, reason end
  return true, ended and ended.note
end

local function leave(client, deadline, timeout)
  local pump, share = client.pump, math.min(timeout / 5, GOODBYE)
  -- who waits learns what became of it
  local ok, message, err = client.receipts:flush(deadline - share, timeout - share)
  if not pump.ended and client.state == "connected" then
    local done, why, reason = say_goodbye(client, deadline, timeout)
    if ok then ok, message, err = done, why, reason end -- else that came first
  end
  return depart(client, ok, message, err)
end

--- client:disconnect.
local function disconnect(client, timeout)
  timeout = timeout or DISCONNECT_TIMEOUT
  local pump = client.pump
  local deadline = pump.loop.now() + timeout
  if pump.ended then return true end
  client:look()
  if pump.ended then
    client.events:settle(pump.loop.now() + HANDLER_GRACE)
    return how_it_ended(pump)
  end
  if pump.down then return leave_down(client) end
  if client.leaving then
    return depart(client, follow(client, deadline, timeout))
  end
  client.leaving = true
  return guard.run(client.close, client, nil, leave, client, deadline, timeout)
end

-- ---- Drain

-- Hand out nothing more.
local function stop(client)
  client.draining = true
  for _, subscription in pairs(client.router.subscriptions) do
    subscription:stop("hands out nothing more: the client drains")
  end
  client.router:stop()
end

-- The first subscription whose handlers have not ended by `deadline`; nil: none.
local function finish_handlers(client, deadline)
  local late
  for _, subscription in ipairs(with_handlers(client)) do
    if not subscription.worker:settle(deadline) then late = late or subscription end
  end
  return late
end

-- How many messages coroutines took and have not acknowledged, and one of their
-- subscriptions.
local function in_hand(client)
  local n, found = 0, nil
  for _, subscription in pairs(client.router.subscriptions) do
    local noted = subscription.tie and subscription.tie.unacked
    if noted and subscription:is_current() and not client.pump.link_ended then
      local more = noted:in_hand()
      if more > 0 then n, found = n + more, subscription end
    end
  end
  return n, found
end

-- Wait until they are none; how many are left at `deadline`. (A handler that has
-- returned is done with its message, acknowledged or not: nobody can tell what it
-- left to others from what failed.)
local function finish_readers(client, deadline)
  local pump = client.pump
  local n, found = in_hand(client)
  while n > 0 and not pump.ended and pump.loop.now() < deadline do
    client.drainer = pump:waiter("messages are not acknowledged")
    pump:wait(client.drainer, deadline)
    client.drainer = nil
    n, found = in_hand(client)
  end
  return n, found
end

-- Wait until what was sent is out and what is confirmed answered; how many are still
-- queued at `deadline`.
local function finish_sends(client, deadline, timeout)
  local pump, receipts, reconnector = client.pump, client.receipts, client.reconnector
  repeat
    receipts:flush(deadline, timeout) -- who sent them learns what became of them
    if not pump.ended then client:look() end
    local unsent = not pump.ended and pump.down and reconnector.backlog:size() or 0
    if unsent == 0 or receipts:due() > 0 then return unsent end
    local is_up = reconnector:await_up("drain", math.max(deadline - pump.loop.now(), 0))
  until not is_up
  return reconnector.backlog:size()
end

--- The calling coroutine waits for the end: it acknowledges nothing meanwhile.
local function excuse_messages(client)
  for _, subscription in pairs(client.router.subscriptions) do
    local noted = subscription.tie and subscription.tie.unacked
    if noted then noted:excuse() end
  end
  client:fewer_in_hand()
end

-- Nor does a handler that waits for the end here come to its own.
local function excuse(client)
  for _, subscription in ipairs(with_handlers(client)) do
    subscription.worker:excuse()
  end
  excuse_messages(client)
end

-- It is over as it is.
local function give_up(client, text, timeout)
  client:close()
  return failures.late("drain: " .. text, timeout)
end

-- Somebody else drains already.
local function join(client, deadline, timeout)
  local pump = client.pump
  pump:wait(pump:waiter("the end", true), deadline)
  if not pump.ended then return failures.late("drain: not done", timeout) end
  client.events:settle(pump.loop.now() + HANDLER_GRACE)
  return how_it_ended(pump)
end

local function finish(client, deadline, timeout)
  local pump, receipts = client.pump, client.receipts
  local late = finish_handlers(client, deadline)
  if pump.ended then return join(client, deadline, timeout) end
  if late then
    return give_up(client, ("handlers of %s (%s) still run"):format(late.id,
      late.destination), timeout)
  end
  local n, left = finish_readers(client, deadline)
  if pump.ended then return join(client, deadline, timeout) end
  if n > 0 then
    return give_up(client, ("%d messages not acknowledged (%s, %s)"):format(n, left.id,
      left.destination), timeout)
  end
  local lost = finish_sends(client, deadline, timeout)
  if pump.ended then return join(client, deadline, timeout) end
  if receipts:due() > 0 then
    return give_up(client, ("%d RECEIPTs not here (%s)"):format(receipts:due(),
      receipts:missing()), timeout)
  elseif lost > 0 then
    return give_up(client, lost .. " queued sends are lost: no connection", timeout)
  end
  return disconnect(client, math.max(deadline - pump.loop.now(), 0))
end

--- client:drain.
local function drain(client, timeout)
  local pump = client.pump
  if pump.ended then return true end
  timeout = timeout or client.settings.confirm_timeout
  local deadline = pump.loop.now() + timeout
  excuse(client)
  if client.draining then return join(client, deadline, timeout) end
  stop(client)
  return guard.run(client.close, client, nil, finish, client, deadline, timeout)
end

return {
  settle = settle, excuse_messages = excuse_messages, disconnect = disconnect,
  drain = drain,
}
