-- SPDX-License-Identifier: MIT
-- What one seed is about: each kind of fault, limit and behaviour is switched on
-- or off by the seed (swarm testing), so that rare combinations come up too.
local close = coroutine.close -- luacheck: ignore 143 (from 5.4 on)

local function when(random, p, f)
  if random:chance(p) then return f() end
  return nil
end

--- The scenario of a seed: numbers and switches, read by simulation and program.
local function new(random)
  local function part(most) return function() return random:part() * most end end
  local function on(p) return random:chance(p) end
  local calm = on(0.15) -- nothing goes wrong
  local function fault(p) return not calm and on(p) end
  local seconds = random:one_of { 1, 10, 60, 600 }
  local beat = random:one_of { 0, 1, 10 } * (seconds > 60 and 10 or 1)
  return {
    calm = calm,
    seconds = seconds,
    clients = random:upto(3),
    steps = 4 + random:upto(14),
    queues = random:upto(2),
    heartbeat = beat,
    timeout = random:one_of { 0.5, 5, 30 },
    -- the network
    latency = when(random, 0.6, part(random:one_of { 0.001, 0.1, 1 })),
    jitter = when(random, 0.3, part(random:one_of { 0.01, 1 })),
    piece = when(random, 0.3, function() return random:upto(200) end),
    -- faults, each now and then
    cuts = fault(0.4),
    byte_cuts = fault(0.4),
    one_sided = fault(0.3) and beat > 0,
    silences = fault(0.3),
    drips = fault(0.2),
    refusals = fault(0.2),
    unreachable = fault(0.15),
    crashes = fault(0.2),
    restarts = fault(0.2), strikes = fault(0.25), withholds = fault(0.1), errors = fault(0.15),
    -- the client
    reconnect = when(random, 0.6, function()
      return { min = 0.01 + random:part(), max = 5, jitter = random:part() }
    end) or false,
    prepares = on(0.2), failover = on(0.3), once = on(0.2), drains = on(0.3),
    -- limits
    inbox = when(random, 0.25, function() return 1000 + random:upto(4000) end),
    outbox = when(random, 0.25, function() return 1500 + random:upto(4000) end),
    prefetch = when(random, 0.4, function() return random:upto(5) end),
    body = random:one_of { 1, 50, 1000 },
    -- behaviours
    confirm = on(0.7), plain = on(0.7), bursts = on(0.4), flushes = on(0.2),
    handlers = on(0.7), receivers = on(0.6), anyone = on(0.3), topics = on(0.4),
    automatic = on(0.3), cumulative = on(0.4), nacks = on(0.4), raises = on(0.3),
    slow = on(0.4), nested = on(0.3), unsubscribes = on(0.4), loiters = on(0.3),
    transactions = on(0.3), requests = on(0.3),
    leaves = on(0.3), closes = on(0.3),
    versions = when(random, 0.3, function() return { random:one_of { "1.0", "1.1", "1.2" } } end),
    concurrency = when(random, 0.25, function() return 1 + random:upto(3) end),
    ordered = on(0.5), later = on(0.3), idempotent = on(0.2), looks = on(0.2),
    hangs = on(0.1), quits = on(0.15), iterates = on(0.2), compression = on(0.05),
    floods = fault(0.15), -- bursts are more than limits.outbox, and begin with a cut
    rabbitmq = on(0.4), -- by name, and, where it is leaderless, in what its RECEIPTs say
    leaderless = fault(0.6),
    kills = fault(0.2) and close ~= nil, -- tasks that wait are closed
  }
end

return { new = new }
