-- SPDX-License-Identifier: MIT
-- Frames that go out wait for room in the outbox, in order. The first of those who
-- wait tries when there may be room (pump:offer_room), and stays the first until
-- its frame has gone: who comes meanwhile stands behind. Where the connection is lost
-- meanwhile, a SEND that may go out on the next one waits for that with the others.
-- Knows errors, gate and queue; the pump it is handed.
local errors = require "stomp.errors"
local gates = require "stomp.gate"
local queue = require "stomp.queue"

-- Who waited for room goes, with or without having sent: it is the next one's
-- turn.
local function leave(pump, waiter)
  local room = pump.room
  if room[room.first] == waiter then
    queue.pop(room)
    pump:offer_room()
  else
    queue.remove(waiter.moved or room, waiter)
  end
end

-- What became of a waiter that was moved, see `move`: true, it is kept to be sent;
-- false: there is a connection again, and it stands in line for that.
local function is_kept(pump, waiter)
  if waiter.value then return true end
  waiter.value = nil
  gates.line_up(pump, waiter)
  return false
end

-- Wait for room, and try; again until it is taken. Results as push.
local function push_in_turn(pump, waiter, deadline, is_bound, call)
  local connection = pump.connection
  repeat
    waiter.done = false
    if not pump:wait(waiter, deadline) then return false end
    if waiter.err then return nil, waiter.message, waiter.err end
    if is_bound and pump.connection ~= connection then
      return errors.failure("closed", waiter.what .. ": the connection was lost")
    end
    if waiter.value ~= nil and is_kept(pump, waiter) then return true, "kept" end
    if pump.room[pump.room.first] == waiter then
      local ok, message, err = call(pump.link)
      if ok ~= false then return ok, message, err end
    end
  until false
end

-- While the connection is being closed nothing can be sent, which is nobody's
-- mistake.
local function result(what, ok, message, err)
  if ok == nil and err.name == "ISTATE" then
    return errors.failure("closed", what .. ": the connection is being closed")
  end
  return ok, message, err
end

--- Call link[method](link, a, b, c, d), and again when the outbox has room,
-- for at most `timeout` seconds. Those who wait for room get it in order.
-- `is_bound`: the call belongs to the present connection; `entry`: the RECEIPT of a
-- frame, or nil.
-- @treturn[1] what the link said, which is true; "kept" where it goes out on the next
-- connection
-- @treturn[2] nil, message, err of the link, or that of a limit
-- @treturn[3] false no room in time, or the end came; nothing was sent
local function push(pump, timeout, what, is_bound, entry, method, a, b, c, d)
  local stopped = gates.stops(method, a)
  if queue.size(pump.room) == 0 and not (stopped and pump.gate) then
    local link = pump.link
    local ok, message, err = link[method](link, a, b, c, d)
    if ok then return ok end
    if ok == nil then return result(what, ok, message, err) end
  end
  local waiter = pump:waiter(what, true)
  if not is_bound and a == "SEND" then
    waiter.item = { command = a, what = a .. " " .. what, headers = b, body = c,
      options = d, entry = entry }
  end
  waiter.stopped = stopped
  gates.line_up(pump, waiter)
  local ok, message, err = push_in_turn(pump, waiter, pump.loop.now() + timeout,
    is_bound, function(link) return link[method](link, a, b, c, d) end)
  leave(pump, waiter)
  return result(what, ok, message, err)
end

--- What is missing while such a call waits.
local function why(pump, method, command)
  local gate = pump.gate
  return gate and gates.stops(method, command) and gate.what or "no room in the outbox"
end

--- The connection is lost: SENDs that wait for its room are handed to the backlog, in
-- order, before anything that is sent from now on.
local function move(pump, backlog, version)
  local room, rest = pump.room, {}
  local waiter = queue.pop(room)
  while waiter do
    local is_taken = waiter.item and not waiter.err
      and backlog:take_over(waiter, version)
    if not is_taken then rest[#rest + 1] = waiter end
    waiter = queue.pop(room)
  end
  for _, other in ipairs(rest) do queue.push(room, other) end
end

return { push = push, why = why, move = move }
