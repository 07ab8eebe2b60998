-- SPDX-License-Identifier: MIT
-- A worker: takes jobs from a queue, acknowledges what is done, gives back what it
-- could not do, and puts aside what nobody can do.
--
--     lua5.4 examples/worker.lua                              (on an embedded broker)
--     BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua5.4 examples/worker.lua
--
-- It sends itself seven jobs and exits 0 when each went the way it should.
local stomp = require "stomp"

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local broker = not url and assert(require "stomp.broker".listen "ws://127.0.0.1:0/ws")
local client = assert(stomp.connect(url or broker.url, { login = option("LOGIN"), passcode = option("PASSCODE") }))

-- A name of its own: on a real broker others may use theirs at the same time.
local run = ("%d-%d"):format(os.time(), math.floor(stomp.now() * 1000) % 1000000)
local JOBS = "/queue/examples.jobs." .. run
local ASIDE = "/queue/examples.aside." .. run

-- ---- The work ----

local done, tries = {}, {}

-- What a job is about. It may fail for the moment (raise), or for good (nil, why).
local function work(job)
  if job.kind == "impossible" then return nil, "nobody can do this" end
  tries[job.n] = (tries[job.n] or 0) + 1
  if job.kind == "flaky" and tries[job.n] == 1 then error("the database is away", 0) end
  done[#done + 1] = ("%d"):format(job.n)
  return true
end

-- ---- The worker ----

-- A message that is no job, or one that nobody can do, would come back for ever:
-- it goes to another queue, for people to look at, and is acknowledged here. First
-- the confirmed send, then the ACK: should we die between the two, it comes again
-- and is put aside twice, but never lost.
local function put_aside(message, why)
  print(("aside:  %s (%s)"):format(message.body, why))
  assert(client:send(ASIDE, message.body, { reason = why }, { confirm = true }))
  assert(message:ack())
end

local function on_job(message)
  local job, problem = message:json()
  if not job then return put_aside(message, problem) end
  -- pcall is fine as long as nothing in it waits for the broker (on Lua 5.1 such a
  -- wait cannot cross it)
  local ok, result, why = pcall(work, job)
  if not ok then
    -- for the moment: NACK, and the broker gives it out again (redelivered)
    print(("again:  job %d (%s)%s"):format(job.n, result, message.redelivered and ", redelivered" or ""))
    assert(message:nack())
  elseif not result then
    put_aside(message, why)
  else
    print(("done:   job %d%s"):format(job.n, message.redelivered and ", redelivered" or ""))
    assert(message:ack())
  end
end

-- `client-individual`: each message by itself. `prefetch`: so many at most are given
-- to this worker and not acknowledged; without it RabbitMQ sends all that the queue
-- holds, and other workers would have nothing to do.
assert(client:subscribe(JOBS, { ack = "client-individual", prefetch = 2 }, on_job))

-- An error in a handler ends neither the worker nor its connection: it is told here,
-- and the message, not acknowledged, comes again when the connection ends.
client:on("error", function(message) io.stderr:write("worker: ", message, "\n") end)

-- How many are off the queue, for good.
local acknowledged = 0
client:on("acked", function(_, how) if how == "ack" then acknowledged = acknowledged + 1 end end)

-- ---- Jobs ----

for n = 1, 5 do
  assert(client:send(JOBS, { n = n, kind = n % 2 == 0 and "flaky" or "plain" }, nil, { confirm = true }))
end
assert(client:send(JOBS, { n = 6, kind = "impossible" }, nil, { confirm = true }))
assert(client:send(JOBS, "this is no JSON", nil, { confirm = true }))

-- A worker of your own ends here with `client:run()`, which works until the
-- connection ends. This one looks at what was put aside, and leaves.
local aside = assert(client:subscribe(ASIDE))
local first, second = aside:receive(10), aside:receive(10)
local deadline = stomp.now() + 10
while acknowledged < 7 and stomp.now() < deadline do client:run(0.05) end
-- drain: begins nothing new, lets what is being worked on be finished and
-- acknowledged, and disconnects. What was not begun goes to another worker.
assert(client:drain())

table.sort(done)
local complete = table.concat(done, " ") == "1 2 3 4 5" and tries[2] == 2 and tries[4] == 2
  and first and second and first.headers.reason == "nobody can do this"
print(complete and "All jobs went their way." or "Something is missing.")
os.exit(complete and 0 or 1, true)
