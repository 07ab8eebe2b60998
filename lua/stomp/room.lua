-- SPDX-License-Identifier: MIT
-- Frames that go out wait for room in the outbox, in order. The first of those who
-- wait tries when there may be room (pump:offer_room), and stays the first until
-- its frame has gone: who comes meanwhile stands behind.
-- Knows errors and queue; the pump it is handed.
local errors = require "stomp.errors"
local queue = require "stomp.queue"

-- Who waited for room goes, with or without having sent: it is the next one's
-- turn.
local function leave(pump, waiter)
  local room = pump.room
  if room[room.first] == waiter then
    queue.pop(room)
    pump:offer_room()
  else
    queue.remove(room, waiter)
  end
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
    local ok, message, err = call(pump.link)
    if ok ~= false then return ok, message, err end
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
-- `is_bound`: the call belongs to the present connection.
-- @treturn[1] true
-- @treturn[2] nil, message, err of the link, or that of a limit
-- @treturn[3] false no room in time, or the end came; nothing was sent
local function push(pump, timeout, what, is_bound, method, a, b, c, d)
  if queue.size(pump.room) == 0 then
    local link = pump.link
    local ok, message, err = link[method](link, a, b, c, d)
    if ok then return true end
    if ok == nil then return result(what, ok, message, err) end
  end
  local waiter = pump:waiter(what, true)
  queue.push(pump.room, waiter)
  local ok, message, err = push_in_turn(pump, waiter, pump.loop.now() + timeout,
    is_bound, function(link) return link[method](link, a, b, c, d) end)
  leave(pump, waiter)
  return result(what, ok, message, err)
end

return { push = push }
