-- SPDX-License-Identifier: MIT
-- A broker that calls itself RabbitMQ and refuses SENDs as that one does while a queue
-- has no leader, and a client that reconnects, for the specs of lua/stomp/proof.lua.
local stomp = require "stomp"
local testing = require "stomp.testing"

local QUEUE = "/queue/a"

--- Call body(it) in a world: it.world, it.broker, which calls itself so, it.client, which
-- reconnects after 1 s and has done so a moment ago, so its connection is doubted;
-- it.refuse(seconds, destination): the broker refuses SENDs from now on (to this one;
-- nil: to any); it.lose_leader: the same, and cuts the connection; it.came(): the SENDs
-- that came since, { body, time since, receipt }. `server`: another name; `options` of
-- connect, added to these.
local function setup(body, server, options)
  local world = testing.world()
  local broker = world:broker { server = server or "RabbitMQ/3.10.8" }
  local came, cut_at = {}, 0
  local handle = broker.engine.frame
  broker.engine.frame = function(self, session, frame, now)
    if frame.command == "SEND" then
      came[#came + 1] = { frame.body, world:now() - cut_at, frame.headers.receipt }
    end
    handle(self, session, frame, now)
  end
  world:run(function()
    local all = { reconnect = { min = 1, max = 1, jitter = 0 }, confirm_timeout = 100 }
    for name, value in pairs(options or {}) do all[name] = value end
    local client = assert(stomp.connect(broker.url, world:options(all)))
    local function refuse(seconds, destination)
      cut_at, came = world:now(), {}
      broker:misbehave { refuse_sends = function(frame)
        return world:now() - cut_at < seconds
          and (not destination or frame.headers.destination == destination)
      end }
    end
    local function lose_leader(...)
      refuse(...)
      world.network:cut()
      client:run(0.5)
      assert(client.state == "reconnecting", client.state)
    end
    if all.reconnect then
      world.network:cut()
      client:run(1.1)
      assert(client.state == "connected", client.state)
    end
    body {
      world = world, broker = broker, client = client, refuse = refuse,
      lose_leader = lose_leader,
      came = function() return came end,
    }
    client:close()
  end)
  world:close()
end

--- What the broker holds in that queue, in order.
local function queued(it)
  local reader = assert(stomp.connect(it.broker.url, it.world:options()))
  local bodies, subscription = {}, assert(reader:subscribe(QUEUE))
  local message = subscription:receive(1)
  while message do
    bodies[#bodies + 1] = message.body
    message = subscription:receive(1)
  end
  reader:close()
  return bodies
end

--- The bodies of what it.came() told.
local function bodies_of(came)
  local list = {}
  for i, one in ipairs(came) do list[i] = one[1] end
  return list
end

--- Send each of them in a task of its own; a table that says which got their RECEIPT.
local function send_all(it, bodies, options)
  local safe = { n = 0 }
  for _, body in ipairs(bodies) do
    it.world:spawn(function()
      local ok = it.client:send(QUEUE, body, nil, options or { confirm = true })
      if ok then safe[body], safe.n = true, safe.n + 1 end
    end)
  end
  return safe
end

return {
  QUEUE = QUEUE, setup = setup, queued = queued, bodies_of = bodies_of, send_all = send_all,
}
