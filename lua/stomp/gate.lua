-- SPDX-License-Identifier: MIT
-- What keeps a connection from publishing for a while (see proof): SEND and COMMIT wait
-- in its line, in order, and DISCONNECT behind them; whatever else is to go out goes on.
-- When it opens they stand in the line for room in the outbox, as if nothing had been.
-- Knows queue; the pump it is handed, whose `gate` it is.
local queue = require "stomp.queue"

local published = { SEND = true, COMMIT = true }

--- Whether a call of this method of the link (with this command, if it is `send`)
-- waits at a gate.
local function stops(method, command)
  return method == "disconnect" or (method == "send" and published[command] or false)
end

--- This waiter (its `stopped`: it is one that a gate stops) stands in line.
local function line_up(pump, waiter)
  local gate = pump.gate
  if gate and waiter.stopped then
    waiter.moved = gate.line
    queue.push(gate.line, waiter)
  else
    waiter.moved = nil
    queue.push(pump.room, waiter)
  end
end

--- Shut it. `what`: what everybody waits for then.
-- @treturn table the gate
local function shut(pump, what)
  local waiting = pump.room
  pump.room, pump.gate = queue.new(), { what = what, line = queue.new() }
  for i = waiting.first, waiting.last do line_up(pump, waiting[i]) end
  pump:offer_room()
  return pump.gate
end

-- Who stands in its line does so in the one for room.
local function take_away(pump, gate)
  pump.gate = nil
  for i = gate.line.first, gate.line.last do line_up(pump, gate.line[i]) end
end

--- Open it, unless that was done already.
local function open(pump, gate)
  if pump.gate ~= gate then return end
  take_away(pump, gate)
  pump:offer_room()
end

--- The connection is lost.
local function lost(pump)
  local gate = pump.gate
  if not gate then return end
  take_away(pump, gate)
  if gate.waiter then pump:deliver(gate.waiter) end
end

return { stops = stops, line_up = line_up, shut = shut, open = open, lost = lost }
