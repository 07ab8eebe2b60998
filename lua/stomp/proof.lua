-- SPDX-License-Identifier: MIT
-- Whether the RECEIPTs of a connection can be believed. While a queue has no leader,
-- because its node is lost, RabbitMQ refuses what is published to it through a new
-- connection, and sends the RECEIPT all the same as soon as it has taken whatever comes
-- later (docs/brokers.md). So the first confirmed SEND to each destination goes alone,
-- again and again, until its RECEIPT comes: nothing later can have brought that but a
-- copy of it. What else is to be published waits: where there is a connection, at a
-- gate; where there is none yet, because whoever resumes (see resume) does not go on.
--
-- A frame here: command, headers, body, options of link:send; `entry`: its RECEIPT.
-- Knows failures, gate, headers and receipts; its client, whose `proven` has the
-- destinations that are known on this connection.
local failures = require "stomp.failures"
local gates = require "stomp.gate"
local headers_of = require "stomp.headers"

-- Seconds until the next copy: at first, and at most.
local FIRST, MOST = 1, 30

-- Destinations that are remembered.
local REMEMBER = 4096

--- Nothing is known about the destinations of a new connection.
local function forget_all(client)
  client.proven, client.n_proven = {}, 0
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
  return client.answers_refused and not client.proven[destination]
    and not is_own(destination)
end

-- `proven`: the client's when the frame went out.
local function remember(client, proven, destination)
  if client.proven ~= proven then return end -- there was another connection meanwhile
  if client.n_proven >= REMEMBER then forget_all(client) end
  client.proven[destination], client.n_proven = true, client.n_proven + 1
end

-- ---- Copies

-- One more, with a RECEIPT of its own: an id is in use until it is answered.
local function send_copy(client, frame, entry, copies, push)
  local receipts, n = client.receipts, #copies + 1
  local copy = receipts:expect(frame.command, destination_of(frame),
    ("%s-%d"):format(entry.id, n + 1))
  copy.original = entry
  local ok, message, err = push(headers_of.with(frame.headers, "receipt", copy.id))
  if ok then
    copies[n] = copy
    receipts:sent(copy)
    receipts:sent(entry)
    return
  end
  receipts:forget(copy)
  if ok == nil then receipts:refuse(entry, message, err) end
end

-- No RECEIPT of a send that nobody waits for (`confirm = "later"`): it is given up, and
-- with it what else there is like it for this destination on its way to this connection.
local function give_up(client, frame, entry, seconds)
  local _, message, err = failures.late(entry.what, seconds)
  local destination = destination_of(frame)
  for _, other in ipairs(client.receipts:held()) do
    if other.keeper and destination_of(other.again) == destination then
      client.receipts:refuse(other, message, err)
    end
  end
  client.receipts:refuse(entry, message, err)
end

--- This first one went out: wait until it is answered or given up, and send it again
-- meanwhile, where it may be (it has `again`). `await(seconds)` waits for that: whether
-- the connection lives, and whether the RECEIPT may lie behind what nobody reads;
-- `push(headers)` sends it again, as link:send does.
-- @treturn boolean whether the connection lives
local function run(client, frame, entry, await, push)
  local receipts, proven, limit = client.receipts, client.proven, math.huge
  if entry.keeper then limit = client.settings.confirm_timeout end
  local copies, seconds, waited = {}, FIRST, 0
  repeat
    local step = math.min(seconds, limit - waited)
    local alive, stalled = await(step)
    waited, seconds = waited + step, math.min(2 * seconds, MOST)
    local is_over = not alive or not receipts:is_open(entry)
    if not is_over and waited >= limit then
      give_up(client, frame, entry, waited)
      is_over = true
    elseif not is_over and entry.again and not stalled then
      send_copy(client, frame, entry, copies, push)
    end
  until is_over
  for _, copy in ipairs(copies) do receipts:forget(copy) end
  if entry.value then remember(client, proven, destination_of(frame)) end
  return not client.pump.link_ended and not client.pump.ended
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
  entry.answered = function() -- at once, though `prove` may have its turn later
    remember(client, proven, destination)
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

return { forget_all = forget_all, is_needed = is_needed, run = run, begin = begin }
