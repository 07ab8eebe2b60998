-- SPDX-License-Identifier: MIT
-- Whether the RECEIPTs of a new connection can be believed. While a queue has no leader,
-- because its node is lost, RabbitMQ refuses what is published to it through a new
-- connection, and sends the RECEIPT all the same as soon as it has taken whatever comes
-- later (docs/brokers.md). So after a loss the first confirmed SEND to each destination
-- goes alone, again and again, until its RECEIPT comes: nothing later can have brought
-- that but a copy of it. What else is to be published waits: where there is a
-- connection, at a gate; where there is none yet, because whoever resumes (see resume)
-- does not go on. A new leader is there within seconds. Where there is no RECEIPT by then,
-- what was published may be stuck on its way to the leader that is lost, and with it all
-- that follows, as long as the connection lives (3.10.8: seen): that is given up, once.
-- On the next one a destination that does not answer costs the others as much again, and
-- then RECEIPTs are believed.
--
-- A frame here: command, headers, body, options of link:send; `entry`: its RECEIPT.
-- Knows dialect, errors, failures, gate, headers and receipts; its client, whose `proven` has
-- the destinations that are known on this connection, and `doubted_until` the time.
local dialect = require "stomp.dialect"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local gates = require "stomp.gate"
local headers_of = require "stomp.headers"

-- Seconds: how long a new connection is doubted; how long one SEND is proved, at most;
-- after which time it goes out again, at first and then.
local DOUBT, PATIENCE, FIRST, NEXT = 20, 10, 1, 2

-- Destinations that are remembered.
local REMEMBER = 4096

--- A new connection; `is_doubted`: the one before it, or an attempt, has failed.
local function begin_anew(client, is_doubted)
  client.proven, client.n_proven, client.doubted_until = {}, 0, nil
  if is_doubted and dialect.of(client.server).answers_refused then
    client.doubted_until = client.pump.loop.now() + DOUBT
  end
end

local function destination_of(frame)
  return headers_of.get(frame.headers, "destination")
end

-- Queues of one connection have no leader that could be lost.
local function is_own(destination)
  return destination:find("^/temp%-queue/") or destination:find("^/reply%-queue/")
end

--- Whether a confirmed SEND there has to prove first that it is answered truly.
local function is_needed(client, destination)
  local time = client.doubted_until
  if not time or client.proven[destination] or is_own(destination) then return false end
  if client.pump.loop.now() < time then return true end
  client.doubted_until = nil
  return false
end

-- It is known, or it was tried in vain. `proven`: the client's when the frame went out.
local function remember(client, proven, destination)
  if client.proven ~= proven or client.n_proven >= REMEMBER then return end
  proven[destination], client.n_proven = true, client.n_proven + 1
end

-- Its RECEIPT is here.
local function proved(client, proven, destination)
  client.given_up = false
  remember(client, proven, destination)
end

-- ---- Copies

-- One more, with a RECEIPT of its own: an id is in use until it is answered.
local function send_copy(client, frame, entry, push)
  local receipts = client.receipts
  local copy = receipts:copy(entry)
  local ok, message, err = push(headers_of.with(frame.headers, "receipt", copy.id))
  if ok then
    receipts:sent(copy)
    receipts:sent(entry)
    return
  end
  receipts:forget(copy)
  if ok == nil then receipts:refuse(entry, message, err) end
end

-- It went out once: a RECEIPT that comes now, with those of the others, says nothing.
local function give_up(receipts, entry)
  local _, message, err = failures.late(entry.what, PATIENCE)
  receipts:refuse(entry, message, err)
end

-- Another connection may be better.
local function give_up_connection(client, entry)
  local pump = client.pump
  local _, message, err = errors.failure("closed",
    ("%s within %g s after a reconnect: the connection is given up"):format(entry.what, PATIENCE))
  client.given_up = true
  pump.link:close()
  pump:link_over(false, nil, message, err)
end

--- This first one went out: wait until it is answered or given up, for PATIENCE at most,
-- and send it again meanwhile, where it may be (it has `again`). `await(seconds)` waits
-- for that: whether the connection lives, and whether the RECEIPT may lie behind what
-- nobody reads; `push(headers)` sends it again, as link:send does.
-- @treturn boolean whether the connection lives
local function run(client, frame, entry, await, push)
  local receipts, proven = client.receipts, client.proven
  local seconds, waited = FIRST, 0
  while true do
    local step = math.min(seconds, PATIENCE - waited)
    local alive, stalled = await(step)
    if not alive then return false end
    waited, seconds = waited + step, NEXT
    if not receipts:is_open(entry) then break end
    if waited >= PATIENCE and entry.again and not (stalled or client.given_up) then
      give_up_connection(client, entry)
      return false
    elseif waited >= PATIENCE then
      if not entry.again then give_up(receipts, entry) end
      break
    end
    if entry.again and not stalled then send_copy(client, frame, entry, push) end
  end
  -- where its sender gave it up, the next one is to prove it
  if entry.value then
    proved(client, proven, destination_of(frame))
  elseif waited >= PATIENCE then
    remember(client, proven, destination_of(frame))
  end
  return true
end

-- ---- At a gate

local function prove(client, gate, frame, entry)
  local pump, link = client.pump, client.pump.link
  run(client, frame, entry, function(seconds)
    local stalled = client.receipts:watch(entry, seconds, function(waiter)
      gate.waiter = waiter
    end)
    return pump.gate == gate and not pump.ended, stalled
  end, function(headers)
    local ok, message, err = link:send(frame.command, headers, frame.body, frame.options)
    if ok and client.watched then client:sent(frame.command, headers, frame.body) end
    if ok == nil and err.kind == "closed" then return false end -- that will be noticed
    return ok, message, err -- false, too, where there is no room: the next time
  end)
  gates.open(pump, gate)
end

--- A confirmed SEND just went out. Where it is the first to its destination, nothing
-- else is published until its RECEIPT has come, or it was given up.
local function begin(client, frame, entry)
  local pump, proven, destination = client.pump, client.proven, destination_of(frame)
  if not is_needed(client, destination) then return end -- one before it, in line, was
  local gate = gates.shut(pump, entry.what)
  entry.answered = function() -- now, though `prove` may have its turn later
    proved(client, proven, destination)
    gates.open(pump, gate)
  end
  local ok, text = pcall(pump.loop.spawn,
    function() prove(client, gate, frame, entry) end,
    function(traceback, value)
      gates.open(pump, gate)
      local err = failures.raised(value, traceback)
      client.events:fire("error", err.message, err)
    end, true)
  if not ok then
    gates.open(pump, gate)
    error(text, 0)
  end
end

return { begin_anew = begin_anew, is_needed = is_needed, run = run, begin = begin }
