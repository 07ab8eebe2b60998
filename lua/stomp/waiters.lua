-- SPDX-License-Identifier: MIT
-- What waits in a pump: one wait of one coroutine, and the list of those who wait.
-- Knows nothing.

--- Something to wait for. `control`: it comes as a control frame, or is room in
-- the outbox, so reading must go on for it beyond limits.inbox.
local function new(_, what, control)
  return {
    what = what,
    control = control or false,
    condition = nil,       -- of the coroutine that rests on it, once one does
    done = false,
    rested = false,
    pumping = nil,         -- the link that it waits for, not on its condition
    making = false,        -- it belongs to the maker of the link
    holder = nil,          -- abandon(waiter): its coroutine will not come for it
    value = nil,           -- what came
    message = nil, err = nil, -- or why it does not come
    at = nil,              -- its place in `waiting`
    id = nil, serial = nil, sent_at = nil, connection = nil, -- of receipts
  }
end

-- It waits.
local function enlist(self, waiter)
  local n = #self.waiting + 1
  self.waiting[n], waiter.at, waiter.rested = waiter, n, false
  if waiter.control then
    self.control = self.control + 1
    if self.control == 1 and self.link then self.link:awaiting(true) end
  end
end

-- It waits no longer.
local function delist(self, waiter)
  local at, n = waiter.at, #self.waiting
  if not at then return end
  local last = self.waiting[n]
  self.waiting[at], last.at = last, at
  self.waiting[n], waiter.at = nil, nil
  if waiter.control then
    self.control = self.control - 1
    if self.control == 0 and self.link then self.link:awaiting(false) end
  end
end

-- An owner does not rest on its condition: it waits for the link, so that is
-- what wakes it.
local function wake(waiter)
  if waiter.pumping then
    waiter.pumping:nudge()
  elseif waiter.condition then
    waiter.condition:signal()
  end
end

return { new = new, enlist = enlist, delist = delist, wake = wake }
