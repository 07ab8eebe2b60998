-- SPDX-License-Identifier: MIT
-- What holds in every client after each step of the world, and at its end:
--
--   memory      what waits for the next connection, and what is kept to be sent again,
--               keep to limits.outbox; their sums are those of what they hold, and so is
--               the inbox: bytes that were counted and never taken off close it for good
--   waiters     when nobody can go on but the clock, and somebody waits, somebody waits
--               for the link; those who need reading to go on are counted right
--   the end     a closed client expects nothing, and nobody waits in it
local queue = require "stomp.queue"

-- Sends that confirm = "later" lets be in flight.
local IN_FLIGHT = 4096

local function sum(items)
  local bytes = 0
  for i = items.first, items.last do
    local item = items[i]
    if item then bytes = bytes + (item.size or 0) end
  end
  return bytes
end

local function check_outbox(client, complain)
  local limit = (client.settings.limits or {}).outbox or 8388608
  local backlog, pipeline = client.reconnector.backlog, client.pipeline
  if backlog.bytes > limit then
    complain("%d bytes wait for the next connection, and may be %d", backlog.bytes, limit)
  elseif backlog.bytes ~= sum(backlog.items) then
    complain("%d bytes are counted that wait for the next connection, and there are %d",
      backlog.bytes, sum(backlog.items))
  end
  local n = queue.size(pipeline.entries)
  if n > IN_FLIGHT or n > 1 and pipeline.bytes > limit then
    complain("%d sends of %d bytes are to be confirmed later", n, pipeline.bytes)
  elseif pipeline.bytes ~= sum(pipeline.entries) then
    complain("%d bytes are counted to be confirmed later, and there are %d",
      pipeline.bytes, sum(pipeline.entries))
  end
end

local function check_waiters(client, complain)
  local pump, control = client.pump, 0
  for _, waiter in ipairs(pump.waiting) do
    if waiter.control then control = control + 1 end
  end
  if control ~= pump.control then
    complain("%d of those who wait need reading, %d are counted", control, pump.control)
  end
end

-- What came and was not given back, by the link's count, is what is held here.
local function check_inbox(client, complain)
  local endpoint = client.pump.link.endpoint
  local bytes = endpoint.handed
  local function add(frame) bytes = bytes + frame:size() end
  for i = endpoint.n_taken + 1, endpoint.n_came do add(endpoint.came[i]) end
  for _, subscription in pairs(client.router.subscriptions) do
    local items = subscription.items
    for i = items.first, items.last do
      if items[i] then add(items[i]) end
    end
    if subscription.worker then subscription.worker:each(add) end
  end
  if bytes ~= endpoint.inbox then
    complain("%d bytes are counted in the inbox, and there are %d", endpoint.inbox, bytes)
  end
end

--- After a step.
local function step(client, complain)
  check_outbox(client, complain)
  check_waiters(client, complain)
end

--- Nobody can go on: time is about to pass.
local function idle(client, complain)
  local pump = client.pump
  if pump.ended or pump.down or #pump.waiting == 0 then return end
  if not pump.owner then
    complain("%d wait (%s), and nobody for the link", #pump.waiting, pump.waiting[1].what)
  end
  check_inbox(client, complain)
end

-- Those to be confirmed later that were not: nobody waits for one of them alone.
local function kept_by_pipeline(client)
  local entries, n = client.pipeline.entries, 0
  for i = entries.first, entries.last do
    if client.receipts:is_open(entries[i]) then n = n + 1 + #(entries[i].copies or {}) end
  end
  return n
end

--- All is over.
local function over(client, complain)
  local pump = client.pump
  if client.state ~= "closed" then return complain("%s at the end", tostring(client)) end
  local left = {
    waiters = #pump.waiting, receipts = client.receipts:outstanding() - kept_by_pipeline(client),
    ["waiters for room"] = queue.size(pump.room) + queue.size(client.reconnector.backlog.room),
    ["waiters for their turn"] = queue.size(client.pipeline.line),
  }
  for what, n in pairs(left) do
    if n ~= 0 then complain("%d %s are left in a closed client", n, what) end
  end
end

return { step = step, idle = idle, over = over }
