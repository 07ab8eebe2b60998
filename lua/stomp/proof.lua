-- SPDX-License-Identifier: MIT
-- Whether the RECEIPTs of a connection can be believed. While a queue has no leader,
-- because its node is lost, RabbitMQ refuses what is published to it through a new
-- connection, and sends the RECEIPT all the same as soon as it has taken whatever comes
-- later (docs/brokers.md). So the first confirmed SEND to each destination goes alone,
-- again and again, until its RECEIPT comes: nothing later can have brought that but a
-- copy of it. What else is to be sent waits behind it: where there is a connection, in
-- the line for room in the outbox, at whose head a gate stands; where there is none
-- yet, because whoever resumes (see resume) does not go on.
--
-- A frame here: command, headers, body, options of link:send; `entry`: its RECEIPT.
-- Knows failures, headers, queue and receipts; its client, whose `proven` has the
-- destinations that are known on this connection.
local failures = require "stomp.failures"
local headers_of = require "stomp.headers"
local queue = require "stomp.queue"
local receipts_module = require "stomp.receipts"

-- Seconds until the next copy: at first, and at most. (A publisher that is blocked by
-- an alarm of its broker gets no RECEIPT for as long as that lasts.)
local FIRST, MOST = 1, 30

-- Destinations that are remembered.
local REMEMBER = 4096

--- Nothing is known about the destinations of a new connection.
local function forget_all(client)
  client.proven, client.n_proven = {}, 0
end

-- Queues of one connection have no leader that could be lost.
local function is_own(destination)
  return destination:find("^/temp%-queue/") or destination:find("^/reply%-queue/")
end

--- Whether a confirmed SEND there has to prove first that it is answered truly.
local function is_needed(client, destination)
  return client.answers_refused and not client.proven[destination]
    and not is_own(destination)
end

local function remember(client, proven, destination)
  if client.proven ~= proven then return end -- it was another connection's
  if client.n_proven >= REMEMBER then
    forget_all(client)
    proven = client.proven
  end
  proven[destination], client.n_proven = true, client.n_proven + 1
end

-- One more, with a RECEIPT of its own: an id is in use until it is answered.
local function send_copy(client, frame, entry, copies, push)
  local receipts, n = client.receipts, #copies + 1
  local copy = receipts:expect(frame.command, headers_of.get(frame.headers, "destination"),
    ("%s-%d"):format(entry.id, n + 1))
  copy.original, copies[n] = entry, copy
  local ok, message, err = push(headers_of.with(frame.headers, "receipt", copy.id))
  if ok then
    receipts:sent(copy)
    receipts:sent(entry)
  elseif ok == nil then
    receipts:refuse(entry, message, err)
  end
end

-- It goes out once, and nobody has a time-out for it.
local function give_up(receipts, entry, seconds)
  local _, message, err = failures.late(entry.what, seconds)
  receipts:refuse(entry, message, err)
end

--- This first one went out; again, where it may be (it has `again`), until it is answered or given up.
-- `await(seconds)` waits for that, and says whether the connection lives;
-- `push(headers)` sends it again, as link:send does.
-- @treturn boolean whether the connection lives
local function run(client, frame, entry, await, push)
  local receipts, proven = client.receipts, client.proven
  local copies, seconds, waited = {}, FIRST, FIRST
  local alive = await(seconds)
  while alive and receipts:is_open(entry) do
    if entry.again then
      send_copy(client, frame, entry, copies, push)
    elseif entry.keeper and waited >= client.settings.confirm_timeout then
      give_up(receipts, entry, waited)
    end
    seconds = math.min(2 * seconds, MOST)
    alive, waited = await(seconds), waited + seconds
  end
  for _, copy in ipairs(copies) do receipts:forget(copy) end
  if entry.value then
    remember(client, proven, headers_of.get(frame.headers, "destination"))
  end
  return alive
end

-- ---- The gate

local function take_away(pump, gate)
  local room = pump.room
  pump.gate = nil
  if room[room.first] == gate then queue.pop(room) else queue.remove(room, gate) end
end

local function open(pump, gate)
  if pump.gate ~= gate then return end
  take_away(pump, gate)
  pump:offer_room()
end

--- The connection is lost, and what waits at the gate with it.
local function lost(pump)
  local gate = pump.gate
  if not gate then return end
  take_away(pump, gate)
  pump:deliver(gate.waiter)
end

local function prove(client, gate, frame, entry)
  local pump, link = client.pump, client.pump.link
  run(client, frame, entry, function(seconds)
    pump:wait(gate.waiter, pump.loop.now() + seconds)
    return pump.gate == gate and not pump.ended
  end, function(headers)
    local ok, message, err = link:send(frame.command, headers, frame.body, frame.options)
    if ok and client.watched then client:sent(frame.command, headers, frame.body) end
    if ok == nil and err.kind == "closed" then return false end -- that will be noticed
    return ok, message, err -- false, too, where there is no room: the next time
  end)
  receipts_module.unfollow(entry, gate.waiter)
  open(pump, gate)
end

--- A confirmed SEND for which is_needed just went out: nothing else is published until
-- its RECEIPT has come, or it was given up.
local function begin(client, frame, entry)
  local pump = client.pump
  if pump.gate then return end
  local gate = {
    done = true, -- to pump:offer_room: this is nobody who waits for room
    what = entry.what,
    waiter = pump:waiter(entry.what), -- who waits behind it has reading go on
  }
  client.receipts:follow(entry, gate.waiter)
  pump.gate = gate
  queue.push_front(pump.room, gate)
  pump.loop.spawn(function() prove(client, gate, frame, entry) end,
    function(traceback, value)
      open(pump, gate)
      local err = failures.raised(value, traceback)
      client.events:fire("error", err.message, err)
    end, true)
end

return {
  forget_all = forget_all, is_needed = is_needed, run = run, begin = begin, lost = lost,
}
