-- SPDX-License-Identifier: MIT
-- The figures of client:stats(). What a link counts goes on over all the links of
-- a client. Knows nothing; asks the client's parts.

local counts = { "frames_sent", "frames_received", "messages", "bytes_sent",
  "bytes_received", "heartbeats_sent", "heartbeats_received", "paused_seconds",
  "unknown_receipts" }

--- Add the counts of a link that is over to `past`.
local function keep(past, link)
  local stats = link:stats()
  for _, name in ipairs(counts) do
    past[name] = (past[name] or 0) + (stats[name] or 0)
  end
end

-- Messages that the program has not acknowledged: how many, and since when the
-- oldest one waits for it (seconds, 0 where there is none).
local function add_unacked(stats, client)
  local n, oldest = 0, nil
  for _, subscription in pairs(client.router.subscriptions) do
    local open = subscription.tie and subscription.tie.unacked
    if open and subscription:is_current() then
      local first = open:oldest()
      n = n + open.n
      if first and (not oldest or first < oldest) then oldest = first end
    end
  end
  stats.unacked = n
  stats.oldest_unacked = oldest and client.pump.loop.now() - oldest or 0
end

--- All figures of a client.
local function of(client)
  local stats = client.pump.link:stats()
  for name, count in pairs(client.past) do
    stats[name] = (stats[name] or 0) + count
  end
  stats.receipts_outstanding = client.receipts:outstanding()
  stats.late_replies = client.requests.late
  stats.reconnects = client.n_reconnects
  stats.queued = client.reconnector.backlog:size()
  add_unacked(stats, client)
  return stats
end

return { keep = keep, of = of }
