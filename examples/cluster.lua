-- SPDX-License-Identifier: MIT
-- Work that survives the loss of a machine: several brokers as one cluster, a
-- quorum queue that each of them has a copy of, and any number of these programs:
--
--     lua5.4 examples/cluster.lua work URL URL URL ...
--     lua5.4 examples/cluster.lua publish COUNT PER_SECOND URL URL URL ...
--
-- (RabbitMQ 3.10 or later; LOGIN and PASSCODE from the environment. To try it on one
-- machine: `tools/rabbitmq.sh cluster FOLDER` starts three nodes, `tools/rabbitmq.sh
-- kill FOLDER/1` takes one away, `restart` brings it back.)
--
-- Each program is connected to one node; where that is lost, to the next of the
-- list. Workers compete: a message goes to one of them, at most PREFETCH to each at
-- a time; what a lost worker had not acknowledged goes to the others. A message is
-- published when most nodes have it (its RECEIPT); until then it is sent again. So
-- each is worked on at least once, and twice where an ACK or a RECEIPT was lost with
-- a connection: the number tells which.
local stomp = require "stomp"

local QUEUE = "/queue/examples.cluster"
local PREFETCH = 10

-- What makes it a quorum queue. The first who names it declares it, so everybody
-- must say the same.
local function quorum(more)
  local headers = {
    ["x-queue-type"] = "quorum", durable = true, ["auto-delete"] = false,
    exclusive = false,
  }
  for name, value in pairs(more or {}) do headers[name] = value end
  return headers
end

local function connect(urls)
  return assert(stomp.connect(urls, {
    login = os.getenv("LOGIN") or "guest", passcode = os.getenv("PASSCODE") or "guest",
    reconnect = { min = 0.2, max = 5, initial = true },
    heartbeat = { send = 5, receive = 5 },
    confirm_timeout = 120,
    on_reconnect = function(_, url) io.stderr:write("now at ", url, "\n") end,
  }))
end

-- Prints a line for each message that it has acknowledged.
local function work(urls)
  local client = connect(urls)
  assert(client:subscribe(QUEUE, {
    ack = "client-individual", prefetch = PREFETCH, headers = quorum(),
  }, function(message)
    local number = message.headers.number -- here the work would be done
    local ok, text, err = message:ack()
    if ok then
      print("done", number)
    elseif err.kind ~= "closed" then
      error(text)
    end -- else somebody gets it again
  end))
  print "ready"
  assert(client:run())
end

-- Prints a line for each message that is safe.
local function publish(count, per_second, urls)
  local client = connect(urls)
  local left, start = count, stomp.now()
  for i = 1, count do
    local wait = start + (i - 1) / per_second - stomp.now()
    if wait > 0 then stomp.sleep(wait) end
    stomp.spawn(function()
      assert(client:send(QUEUE, "message " .. i, quorum { number = i },
        { confirm = true }))
      print("safe", i)
      left = left - 1
      if left == 0 then
        io.stderr:write(("%d in %.1f s\n"):format(count, stomp.now() - start))
        client:disconnect()
      end
    end)
  end
end

io.stdout:setvbuf "line" -- whoever reads it through a pipe sees each line at once
local arguments = { ... }
local command = table.remove(arguments, 1)
stomp.run(function()
  if command == "work" and #arguments > 0 then
    work(arguments)
  elseif command == "publish" and #arguments > 2 then
    local count = assert(tonumber(table.remove(arguments, 1)), "COUNT: a number")
    local per_second = assert(tonumber(table.remove(arguments, 1)), "PER_SECOND: a number")
    publish(count, per_second, arguments)
  else
    io.stderr:write "usage: cluster.lua work URL... | publish COUNT PER_SECOND URL...\n"
    os.exit(2)
  end
end)
