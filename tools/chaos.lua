-- SPDX-License-Identifier: MIT
-- RabbitMQ is killed with -9 and restarted while confirmed sends run to a durable
-- queue and consumers acknowledge; the checker says whether anything was lost,
-- stolen or made up. What `make chaos` runs.
--   lua tools/chaos.lua FOLDER [CYCLES [RATE [CONSUMERS]]]
-- FOLDER has a RabbitMQ of its own, as tools/rabbitmq.sh starts it.
local checker_module = require "spec.support.checker"
local socket = require "socket"
local stomp = require "stomp"

local folder, cycles = arg[1], tonumber(arg[2] or 20)
local rate, n_consumers = tonumber(arg[3] or 100), tonumber(arg[4] or 4)
assert(folder, "usage: chaos.lua FOLDER [CYCLES [RATE [CONSUMERS]]]")

local QUEUE = "/queue/chaos"
local AT_ONCE = 200       -- sends in flight
local BETWEEN = 2         -- seconds of peace between two kills
local PATIENCE = 120      -- seconds for anything

local file = assert(io.open(folder .. "/url"))
local url = file:read("*l")
file:close()

local loop = require "stomp.loop.scheduler"
local checker = checker_module.new()
local in_flight, n_in_flight = {}, 0
local stopped = false
local connections, subscriptions = 0, 0
local changed = loop.condition()

-- Wait until `what()` is true; it is asked when something has changed.
local function await(what, name)
  local deadline = stomp.now() + PATIENCE
  while not what() do
    local left = deadline - stomp.now()
    if left <= 0 then error("not within " .. PATIENCE .. " s: " .. name, 0) end
    changed:wait(left)
  end
end

-- Run a shell command while the other tasks go on: its shell connects when it has
-- ended, and says how.
local function run(command)
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  local log = folder .. "/command.log"
  assert(os.execute(("( %s >%s 2>&1; lua5.4 tools/tell.lua %d $? ) &")
    :format(command, log, port)))
  loop.wait { pollfd = server:getfd(), events = "r" }
  local peer = assert(server:accept())
  server:close()
  local status = peer:receive "*l"
  peer:close()
  if status ~= "0" then
    error(("%s: exit status %s, see %s"):format(command, status, log), 0)
  end
end

local function connect(extra)
  local options = {
    login = "guest", passcode = "guest", proxy = false, confirm_timeout = PATIENCE,
    reconnect = { min = 0.2, max = 2 }, heartbeat = { send = 0, receive = 5 },
    on_error = function(message) io.stderr:write("chaos: ", message, "\n") end,
  }
  for name, value in pairs(extra) do options[name] = value end
  local client = assert(stomp.connect(url, options))
  connections = connections + 1
  client:on("disconnect", function()
    connections = connections - 1
    changed:signal()
  end)
  client:on("reconnect", function()
    connections = connections + 1
    changed:signal()
  end)
  return client
end

-- ---- Consumers

local function consume(i)
  local client = connect {}
  local connection = client.pump.connection
  client:on("disconnect", function()
    checker:event("over", ("%d:%d"):format(i, connection))
  end)
  client:on("reconnect", function() connection = client.pump.connection end)
  assert(client:subscribe(QUEUE, {
    ack = i % 2 == 0 and "client" or "client-individual", prefetch = 20,
    confirm = true,
  }, function(message)
    local name = ("%d:%d"):format(i, message.owner.connection)
    checker:event("received", message.headers.number, name, QUEUE,
      message.redelivered, message.body)
    local ok, text, err = message:ack()
    if ok then
      checker:event("acked", message.headers.number, name, i % 2 == 0)
    elseif err.kind ~= "closed" then
      error(text, 0)
    end
    changed:signal()
  end))
  subscriptions = subscriptions + 1
  changed:signal()
  return client
end

-- ---- Publisher

local function publish_one(client, n)
  local id = tostring(n)
  checker:event("attempt", id, "one", n, QUEUE, "body " .. n)
  in_flight[id], n_in_flight = true, n_in_flight + 1
  local ok, message, err = client:send(QUEUE, "body " .. n, { number = id },
    { confirm = true })
  in_flight[id], n_in_flight = nil, n_in_flight - 1
  if ok then
    checker:event("confirmed", id)
  else
    checker:event("failed", id, err.outcome)
    io.stderr:write("chaos: ", message, "\n")
  end
  changed:signal()
end

local function publish(client)
  local start, n = stomp.now(), 0
  while not stopped do
    while not stopped and n < (stomp.now() - start) * rate do
      n = n + 1
      local number = n
      stomp.spawn(function() publish_one(client, number) end)
      if n_in_flight >= AT_ONCE then
        await(function() return n_in_flight < AT_ONCE end, "room for more sends")
        start = stomp.now() - n / rate -- what was not sent is not made up for
      end
    end
    stomp.sleep(1 / rate)
  end
  await(function() return n_in_flight == 0 end, "the last RECEIPTs")
end

-- ---- All

local function everyone_is_up()
  return connections == n_consumers + 1
end

local function all_came()
  for _, send in pairs(checker.sends) do
    if send.confirmed and not send.acked then return false end
  end
  return true
end

stomp.run(function()
  local clients = {}
  for i = 1, n_consumers do
    stomp.spawn(function() clients[i] = consume(i) end)
  end
  await(function() return subscriptions == n_consumers end, "the subscriptions")
  local publisher = connect {}
  publisher:on("disconnect", function()
    for id in pairs(in_flight) do checker:event("uncertain", id) end
  end)
  for i = 1, n_consumers do
    stomp.spawn(function() clients[i]:run() end)
  end
  local done = false
  stomp.spawn(function()
    publish(publisher)
    done = true
    changed:signal()
  end)
  for i = 1, cycles do
    stomp.sleep(BETWEEN)
    run("tools/rabbitmq.sh kill " .. folder)
    await(function() return connections == 0 end, "the loss of all connections")
    run("tools/rabbitmq.sh restart " .. folder)
    await(everyone_is_up, "all connections")
    print(("cycle %d: %d confirmed, %d acknowledged"):format(i,
      checker.n.confirmed, checker.n.acknowledged))
  end
  stopped = true
  await(function() return done end, "the publisher")
  await(all_came, "the last messages")
  for i = 1, n_consumers do
    assert(clients[i]:stats().reconnects == cycles, "a consumer did not come back")
    clients[i]:disconnect()
  end
  publisher:disconnect()
end)

local ok, n = checker:verdict()
for _, complaint in ipairs(n.complaints) do print("  " .. complaint) end
print(("%d cycles: %d attempted, %d confirmed, %d received, %d redelivered, "
  .. "%d twice; %d lost, %d unexpected"):format(cycles, n.attempted, n.confirmed,
  n.received, n.redelivered, n.duplicated, n.lost, n.unexpected))
print(ok and "1 passed, 0 failed" or "0 passed, 1 failed")
os.exit(ok and 0 or 1, true)
