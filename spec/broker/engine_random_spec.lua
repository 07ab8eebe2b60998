-- SPDX-License-Identifier: MIT
-- Random conversations with the embedded broker's engine: whatever clients do,
-- each message is acknowledged once, none is lost, order is kept and nothing
-- stays. A seed that fails replays alone: the generator is our own.
local engine = require "stomp.broker.engine"

local modes = { "client", "client-individual" }

local function generator(seed)
  local state = seed
  return function(n) -- 1 .. n
    state = (state * 16807) % 2147483647
    return state % n + 1
  end
end

local methods = {}

function methods:send(command, headers, body) -- as a peer
  if not self.room then return false end
  if command == "ERROR" then self.errors = self.errors + 1 end
  if command ~= "MESSAGE" then return true end
  local frame = { body = body }
  for _, pair in ipairs(headers) do frame[pair[1]] = pair[2] end
  self.open[#self.open + 1] = frame
  return true
end

function methods:frame(command, headers, body)
  self.broker:frame(self.session, { command = command, headers = headers, body = body or "" })
end

-- An ACK or NACK of one that is open; in client mode of all before it, too.
function methods:settle(command, i, acked)
  local one = self.open[i]
  local upto = self.mode == "client"
  local rest = {}
  for k, frame in ipairs(self.open) do
    if k == i or (upto and k < i) then
      if command == "ACK" then acked[#acked + 1] = frame.body end
    else
      rest[#rest + 1] = frame
    end
  end
  self.open = rest
  self:frame(command, { id = one.ack })
end

local function client_of(broker)
  local self = setmetatable({ broker = broker, open = {}, room = true, errors = 0 },
    { __index = methods })
  self.session = broker:open(self)
  return self
end

local actions = {}

function actions.publish(client, state)
  state.n = state.n + 1
  client:frame("SEND", { destination = "/queue/x" }, tostring(state.n))
end

function actions.subscribe(client, state)
  if client.mode then return end
  client.mode = modes[state.random(2)]
  client:frame("SUBSCRIBE", {
    id = "s", destination = "/queue/x", ack = client.mode,
    ["prefetch-count"] = ({ "1", "3", "10", "0" })[state.random(4)],
  })
end

function actions.unsubscribe(client)
  if not client.mode or not client.room then return end
  client.mode, client.open = nil, {}
  client:frame("UNSUBSCRIBE", { id = "s" })
end

function actions.ack(client, state)
  if #client.open == 0 then return end
  client:settle("ACK", state.random(#client.open), state.acked)
end

function actions.nack(client, state)
  if #client.open == 0 then return end
  client:settle("NACK", state.random(#client.open), state.acked)
end

function actions.leave(client, state, i)
  client.broker:close(client.session)
  assert.equal(0, client.errors)
  state.clients[i] = client_of(client.broker)
end

function actions.stop_reading(client) client.room = false end

function actions.read_on(client)
  client.room = true
  client.broker:flush(client.session)
end

local often = {
  "publish", "publish", "publish", "publish", "subscribe", "subscribe", "ack", "ack", "ack", "nack",
  "unsubscribe", "leave", "stop_reading", "read_on", "read_on",
}

local function converse(seed)
  local broker = engine.new()
  local state = { n = 0, acked = {}, random = generator(seed), clients = {} }
  for i = 1, 4 do state.clients[i] = client_of(broker) end
  for _ = 1, 400 do
    local i = state.random(4)
    actions[often[state.random(#often)]](state.clients[i], state, i)
  end
  for i, client in ipairs(state.clients) do actions.leave(client, state, i) end
  return broker, state
end

describe("the broker engine, whatever its clients do,", function()
  it("loses nothing, gives nothing twice, keeps order and keeps nothing", function()
    local most_left = 0
    for seed = 1, 200 do
      local broker, state = converse(seed)
      local last = client_of(broker)
      last:frame("SUBSCRIBE", { id = "s", destination = "/queue/x" })
      local seen, before = {}, 0
      for _, frame in ipairs(last.open) do
        assert.is_true(tonumber(frame.body) > before, "order, seed " .. seed)
        before = tonumber(frame.body)
        seen[before] = true
      end
      most_left = math.max(most_left, #last.open)
      for _, body in ipairs(state.acked) do
        assert.is_nil(seen[tonumber(body)], "twice, seed " .. seed)
        seen[tonumber(body)] = true
      end
      for i = 1, state.n do assert.is_true(seen[i], i .. " is lost, seed " .. seed) end
      local stats = broker:stats()
      assert.equal(0, stats.queued + stats.unacknowledged + stats.held_bytes, "seed " .. seed)
    end
    assert.is_true(most_left > 10)
  end)
end)
