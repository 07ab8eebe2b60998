-- SPDX-License-Identifier: MIT
-- What a new connection is told before anything else: SUBSCRIBEs, what was sent
-- meanwhile, confirmed sends that never got their RECEIPT, each in order.
--
-- What ends each new connection must not do so for ever: a SUBSCRIBE or a
-- confirmed SEND that went out less than a second before an end is a suspect.
-- Suspects go last and one by one, each until its RECEIPT (or a second): what
-- ends the connection then is found out, set aside and reported; the others live.
-- Ends without a word (no ERROR, no close code) may be the network's fault: one
-- more of them is needed.
--
-- Knows errors, headers, making, proof and subscribing; pump, receipts, router and backlog through
-- the client and the reconnector, as whose maker it waits.
local errors = require "stomp.errors"
local headers_of = require "stomp.headers"
local making = require "stomp.making"
local proof = require "stomp.proof"
local subscribing = require "stomp.subscribing"

local push, SOON = making.push, making.SOON

-- Nothing else goes out until this confirmed frame, which just did, has shown that
-- RECEIPTs for its destination are true; false when the link ended.
local function prove(self, frame, entry)
  local client = self.client
  if frame.command ~= "SEND"
    or not proof.is_needed(client, headers_of.get(frame.headers, "destination")) then
    return not self.pump.link_ended
  end
  self:prove(true)
  local alive = proof.run(client, frame, entry,
    function(seconds) return making.await(self, entry, seconds) end,
    function(headers)
      local ok, message, err =
        push(self, headers, frame.command, frame.body, frame.options, entry)
      return ok and message ~= "unwanted" and ok, message, err
    end)
  self:prove(false)
  return alive
end

-- Close codes by which a server says that it goes, not that it was wronged
-- (RFC 6455, 7.4; IANA's registry for the last two).
local going = { [1001] = true, [1012] = true, [1013] = true }

-- ---- Suspects ----

-- Whether the peer meant to end it, and not somebody on the way.
local function is_deliberate(ended)
  local err = ended.err or {}
  if err.kind == "broker" then return err.frame.headers["receipt-id"] == nil end
  return err.code ~= nil and not going[err.code]
end

--- What went out last may have ended the connection, unless it is known what did.
local function suspect(self, ended)
  if self.is_known then
    self.is_known = false
    return
  end
  local now = self.pump.loop.now()
  for _, subscription in pairs(self.client.router.subscriptions) do
    if subscription:is_current() then
      subscription.suspect = now - subscription.sent_at < SOON
      if not subscription.suspect then subscription.strikes = 0 end
    end
  end
  if is_deliberate(ended) then self.client.receipts:suspect(now - SOON) end
end

local function name_of(subscription)
  return ("SUBSCRIBE %s (%s)"):format(subscription.destination, subscription.id)
end

-- It takes no further part: its waiters and `error` are told why.
local function set_aside(self, subscription, err)
  self.client.router:remove(subscription)
  subscription:fail(err.message, err)
  self.client.events:fire("error", err.message, err)
end

-- It cannot be sent.
local function set_aside_unsent(self, subscription, err)
  set_aside(self, subscription, errors.about(name_of(subscription), err))
end

-- The link ended while this subscription was on trial.
local function condemn_subscription(self, subscription)
  local ended = self.pump.link_ended
  self.is_known = true
  subscription.strikes = subscription.strikes + (is_deliberate(ended) and 2 or 1)
  if subscription.strikes < 2 then return end
  local err = ended.err
  local text = name_of(subscription) .. " ends each connection: " .. ended.message
  set_aside(self, subscription, errors.new(err.kind, text, err)) -- with its hint, code …
end

-- ---- Resuming ----

-- SUBSCRIBE again; false when the link ended meanwhile.
local function resubscribe(self, subscription, on_trial)
  local client = self.client
  if subscription.stopped then return true end -- while others were sent
  local headers, _, err = subscribing.headers_again(client, subscription)
  if not headers then
    set_aside_unsent(self, subscription, err)
    return true
  end
  local entry, trial = subscription.confirming, nil
  if on_trial and not entry then
    trial = client.receipts:expect("SUBSCRIBE", subscription.destination)
    entry = trial
  end
  if entry then headers.receipt = entry.id end
  local ok, alive
  ok, _, err = push(self, headers, "SUBSCRIBE")
  if ok and subscription.stopped then -- while it waited for room
    if trial then client.receipts:forget(trial) end
    return push(self, { id = subscription.id }, "UNSUBSCRIBE") ~= false
  elseif ok then
    subscription:renew()
    alive = not on_trial or making.await(self, entry, SOON)
  end
  if trial then client.receipts:forget(trial) end
  if ok == nil then
    set_aside_unsent(self, subscription, err)
    return true
  end
  if not ok then return false end -- nothing was sent: it is not to blame
  if not on_trial then return true end
  if not alive then
    if not self.pump.ended then condemn_subscription(self, subscription) end
    return false
  end
  subscription.suspect, subscription.strikes = false, 0
  return true
end

local function resubscribe_all(self)
  local suspects = {}
  for _, subscription in ipairs(self.client.router:in_order()) do
    if subscription.suspect then
      suspects[#suspects + 1] = subscription
    elseif not resubscribe(self, subscription) then
      return false
    end
  end
  for _, subscription in ipairs(suspects) do
    if not resubscribe(self, subscription, true) then
      return false
    end
  end
  return true
end

-- What cannot be sent on the new connection (another version, say) is told. `frame`:
-- command and headers.
local function report(self, frame, entry, err)
  err = errors.about(("%s %s"):format(frame.command,
    headers_of.get(frame.headers, "destination")), err)
  if entry then
    self.client.receipts:refuse(entry, err.message, err)
  else
    self.client.events:fire("error", err.message, err)
  end
end

-- Send the first `n` of what waits.
local function flush_backlog(self, n)
  local backlog, receipts = self.backlog, self.client.receipts
  for _ = 1, n do
    local item = backlog:first()
    if not item then return true end
    local entry = item.entry
    if not entry or receipts:is_open(entry) then
      local ok, message, err =
        push(self, item.headers, item.command, item.body, item.options, entry)
      if ok == false or self.pump.link_ended then return false end
      if ok then
        if entry and not message then
          receipts:sent(entry)
          if not prove(self, item, entry) then return false end
        end
      else
        report(self, item, entry, err)
      end
    end
    backlog:remove(item)
  end
  return true
end

local function resend(self, entry)
  local receipts, again = self.client.receipts, entry.again
  if not receipts:is_open(entry) then return true end
  local ok, _, err =
    push(self, again.headers, again.command, again.body, again.options)
  if ok == false or self.pump.link_ended then return false end
  if not ok then
    report(self, again, entry, err)
    return true
  end
  receipts:sent(entry)
  local alive = prove(self, again, entry)
  if not entry.suspect then return alive end
  if alive and making.await(self, entry, SOON) then
    entry.suspect = false
    return true
  end
  local ended = self.pump.link_ended
  if ended and is_deliberate(ended) and receipts:is_open(entry) then
    self.is_known = true
    receipts:refuse(entry, ended.message, ended.err)
  end
  return false
end

local function resend_all(self)
  local suspects = {}
  for _, entry in ipairs(self.client.receipts:unanswered()) do
    if entry.suspect then
      suspects[#suspects + 1] = entry
    elseif not resend(self, entry) then
      return false
    end
  end
  for _, entry in ipairs(suspects) do
    if not resend(self, entry) then return false end
  end
  return true
end

--- Bring everything back to life; false when the link ended meanwhile.
local function run(self)
  local pump, backlog = self.pump, self.backlog
  local queued = backlog:size()
  if not (resubscribe_all(self) and flush_backlog(self, queued)
    and resend_all(self)) then return false end
  while backlog:size() > 0 do
    if not flush_backlog(self, backlog:size()) then return false end
  end
  return not pump.link_ended and not pump.ended
end

return { run = run, suspect = suspect }
