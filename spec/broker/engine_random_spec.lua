-- SPDX-License-Identifier: MIT
-- Random conversations with the embedded broker's engine: acknowledgements and
-- sends, in transactions and out of them, prefetch, NACK, connections that are
-- lost or cut, peers that do not read, delay. Whatever clients do, each message is
-- acknowledged once or still there, in order, what comes again says so, and nothing
-- stays. A seed that fails replays alone: the generator is our own.
local clients = require "spec.support.engine_client"

local modes = { "client", "client-individual" }
local prefetches = { 1, 3, 10, 0 }
local seeds = 200

local function generator(seed)
  local state = seed
  return function(n) -- 1 .. n
    state = (state * 16807) % 2147483647
    return state % n + 1
  end
end

-- ---- What a client knows

-- Takes an ACK or NACK of one message into account, in client mode of all before
-- it, too; nothing where it was settled otherwise meanwhile.
local function note_settled(client, command, message, state)
  local rest, covered, upto = {}, false, client.mode == "client"
  for _, one in ipairs(client.open) do covered = covered or one == message end
  if not covered then return end
  for _, one in ipairs(client.open) do
    if one == message or upto then
      if command == "ACK" then state.acked[#state.acked + 1] = one.body end
    else
      rest[#rest + 1] = one
    end
    if one == message then upto = false end
  end
  client.open = rest
end

-- Messages that came; those of an ended subscription are the broker's again, and
-- may have come to somebody else before (delay).
local function collect(client, state)
  for _, message in ipairs(client:take("MESSAGE")) do
    local again = message.headers.redelivered == "true"
    if message.headers.subscription == client.subscription then
      assert(again or not state.seen[message.body], message.body .. " again, and does not say so")
      client.open[#client.open + 1] = message
    end
    state.seen[message.body] = true
    state.n_again = state.n_again + (again and 1 or 0)
  end
  assert(client.prefetch == 0 or #client.open <= client.prefetch, "more than the prefetch")
  assert(#client:take("ERROR") == 0, "an ERROR")
end

-- A client that is connected, which may take its time (delay).
local function fresh(broker)
  local client = clients.new(broker)
  while not client.session.version do clients.pass(broker, 0.5) end
  client:take("CONNECTED")
  client.open, client.prefetch, client.n = {}, 0, 0
  client.parted = {} -- what its open transaction holds of subscriptions that are over
  return client
end

-- ---- What it does

local actions = {}

local function in_transaction(client, state, deferred, headers)
  if not client.transaction or state.random(2) == 1 then return false end
  headers.transaction = "t"
  table.insert(client.transaction, deferred)
  return true
end

function actions.publish(client, state)
  state.n = state.n + 1
  local body, headers = tostring(state.n), { receipt = "r" .. state.n }
  if not in_transaction(client, state, { "SEND", body }, headers) then
    state.sent[#state.sent + 1] = body
  end
  client:publish("/queue/x", body, headers)
end

function actions.subscribe(client, state)
  if client.mode then return end
  client.mode, client.prefetch = modes[state.random(2)], prefetches[state.random(4)]
  client.n = client.n + 1
  client.subscription = "s" .. client.n
  client:subscribe(client.subscription, "/queue/x", client.mode,
    { ["prefetch-count"] = client.prefetch })
end

-- What its open transaction holds when its subscription ends.
local function held(client)
  local kept, covered = {}, false
  for i = #client.open, 1, -1 do
    local message = client.open[i]
    covered = message.promised or client.mode == "client" and covered
    if covered then table.insert(kept, 1, message) end
  end
  return kept
end

function actions.unsubscribe(client)
  if not client.mode then return end
  client:frame("UNSUBSCRIBE", { id = client.subscription })
  table.insert(client.parted, { mode = client.mode, open = held(client) })
  client.mode, client.subscription, client.open, client.prefetch = nil, nil, {}, 0
end

local function settle(command)
  return function(client, state)
    local message = client.open[state.random(math.max(#client.open, 1))]
    if not message or message.promised then return end
    local headers = {}
    if in_transaction(client, state, { command, message }, headers) then
      message.promised = true
    else
      note_settled(client, command, message, state)
    end
    client:settle(command, message, headers)
  end
end

actions.ack, actions.nack = settle "ACK", settle "NACK"

function actions.begin(client)
  if client.transaction then return end
  client.transaction = {}
  client:frame("BEGIN", { transaction = "t" })
end

function actions.commit(client, state)
  if not client.transaction then return end
  for _, deferred in ipairs(client.transaction) do
    if deferred[1] == "SEND" then
      state.sent[#state.sent + 1] = deferred[2]
    else
      note_settled(client, deferred[1], deferred[2], state)
      for _, one in ipairs(client.parted) do note_settled(one, deferred[1], deferred[2], state) end
    end
  end
  client.transaction, client.parted = nil, {}
  client:frame("COMMIT", { transaction = "t" })
end

function actions.abort(client)
  for _, deferred in ipairs(client.transaction or {}) do
    if deferred[1] ~= "SEND" then deferred[2].promised = nil end
  end
  if client.transaction then client:frame("ABORT", { transaction = "t" }) end
  client.transaction, client.parted = nil, {}
end

function actions.leave(client, state, i)
  client:leave()
  state.clients[i] = fresh(client.broker)
end

function actions.be_cut(client, state, i)
  local n = client.broker:cut(function(session) return session == client.session end,
    clients.now(client.broker))
  assert(n == 1 and client.ended == "cut")
  state.clients[i] = fresh(client.broker)
end

function actions.stop_reading(client) client.room = false end

function actions.read_on(client) client:read_on() end

function actions.delay(client, state)
  clients.misbehave(client.broker, { delay = state.random(3) - 1 })
end

function actions.pass(client, state) clients.pass(client.broker, state.random(20) / 10) end

local often = {
  "publish", "publish", "publish", "publish", "publish", "subscribe", "subscribe", "ack", "ack",
  "ack", "nack", "nack", "unsubscribe", "begin", "begin", "commit", "abort", "leave", "be_cut",
  "stop_reading", "read_on", "read_on", "delay", "pass", "pass",
}

local function collect_all(state)
  for _, client in ipairs(state.clients) do collect(client, state) end
end

local function converse(seed)
  local broker = clients.engine()
  local state = { n = 0, sent = {}, acked = {}, seen = {}, n_again = 0,
    random = generator(seed), clients = {} }
  for i = 1, 4 do state.clients[i] = fresh(broker) end
  for _ = 1, 500 do
    local i = state.random(4)
    actions[often[state.random(#often)]](state.clients[i], state, i)
    collect_all(state)
  end
  clients.misbehave(broker, {})
  for _, client in ipairs(state.clients) do client:leave() end
  return broker, state
end

-- ---- What must hold

-- Everything that was sent is acknowledged once, or comes to `last`, in order of
-- its arrival in the queue.
local function check(state, last)
  local place, where = {}, {}
  for i, body in ipairs(state.sent) do place[body] = i end
  local before = 0
  for _, message in ipairs(last:take("MESSAGE")) do
    assert(place[message.body], message.body .. " was never sent")
    assert(place[message.body] > before, message.body .. " is out of order")
    before = place[message.body]
    where[message.body] = "left"
  end
  for _, body in ipairs(state.acked) do
    assert(not where[body], body .. " twice")
    where[body] = "acked"
  end
  for _, body in ipairs(state.sent) do assert(where[body], body .. " is lost") end
  for body in pairs(where) do assert(place[body], body .. " was never sent") end
end

describe("the broker engine, whatever its clients do,", function()
  it("loses nothing, gives nothing twice, keeps order and keeps nothing", function()
    local total = { acked = 0, left = 0, again = 0 }
    for seed = 1, seeds do
      local ok, problem = pcall(function()
        local broker, state = converse(seed)
        local last = clients.new(broker)
        last:subscribe("s", "/queue/x")
        total.acked = total.acked + #state.acked
        total.left = total.left + #last.got
        total.again = total.again + state.n_again
        check(state, last)
        local stats = broker:stats()
        assert.equal(0, stats.queued + stats.unacknowledged + stats.held_bytes + stats.transactions)
        assert.equal(1, stats.sessions)
        assert.equal(#state.sent, stats.destinations["/queue/x"].published)
        assert.equal(#state.acked, stats.destinations["/queue/x"].acknowledged)
        last:leave()
        assert.is_nil(next(broker.destinations.queues))
      end)
      assert(ok, "seed " .. seed .. ": " .. tostring(problem))
    end
    for what, n in pairs(total) do assert(n > 10 * seeds, what .. " " .. n) end
  end)
end)
