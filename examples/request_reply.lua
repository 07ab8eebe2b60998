-- SPDX-License-Identifier: MIT
-- Request and reply: a service that answers, and clients that ask, many at a time.
--
--     lua5.4 examples/request_reply.lua                       (on an embedded broker)
--     BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua5.4 examples/request_reply.lua
--
-- Exits 0 when every question got its own answer.
local stomp = require "stomp"

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local broker = not url and assert(require "stomp.broker".listen "ws://127.0.0.1:0/ws")
url = url or broker.url
local account = { login = option("LOGIN"), passcode = option("PASSCODE") }

-- A name of its own: on a real broker others may use theirs at the same time.
local SERVICE = ("/queue/examples.price.%d-%d"):format(os.time(), math.floor(stomp.now() * 1000) % 1000000)

-- ---- The service ----

local prices = { apple = 0.5, pear = 0.7, plum = 0.2 }

-- `message:reply` sends to the request's reply-to, with its correlation-id. A
-- service answers every request, failures too: who asked would wait in vain.
local function on_request(message)
  local question, problem = message:json()
  if not question then
    assert(message:reply({ problem = problem }))
  elseif not prices[question.fruit] then
    assert(message:reply({ problem = "no price for " .. tostring(question.fruit) }))
  else
    stomp.sleep(question.patience or 0) -- only this subscription waits meanwhile
    assert(message:reply({ price = prices[question.fruit] * question.n }))
  end
end

local function serve()
  local client = assert(stomp.connect(url, account))
  -- four requests at a time, so a slow one does not hold up the others
  assert(client:subscribe(SERVICE, { concurrency = 4, confirm = true }, on_request))
  -- handlers run while a task waits in a call of their client: this one does so
  -- until its connection ends
  stomp.spawn(function() client:run() end)
  return client
end

-- ---- Who asks ----

-- `client:request` makes the reply queue by the rules of the broker (a temporary
-- one, which ends with the connection), and waits for the reply with its id.
local function ask(client, question, timeout)
  local reply, message, err = client:request(SERVICE, question, { timeout = timeout or 10 })
  if not reply then return nil, message, err end
  return reply:json()
end

local answers = {}

stomp.run(function()
  local service = serve()
  local client = assert(stomp.connect(url, account))

  -- All in flight at once over one connection; each task gets the reply to its own.
  local left = 0
  for _, question in ipairs {
    { fruit = "apple", n = 4, patience = 0.05 }, { fruit = "pear", n = 10 },
    { fruit = "plum", n = 5 }, { fruit = "melon", n = 1 },
  } do
    left = left + 1
    stomp.spawn(function()
      local answer = assert(ask(client, question))
      answers[question.fruit] = answer.price or answer.problem
      print(("%d x %s: %s"):format(question.n, question.fruit, tostring(answer.price or answer.problem)))
      left = left - 1
    end)
  end
  local deadline = stomp.now() + 20
  while left > 0 and stomp.now() < deadline do stomp.sleep(0.01) end

  -- Nobody answers in time: an error like any other. The request may have been
  -- taken all the same, hence the outcome.
  local _, message, err = ask(client, { fruit = "apple", n = 1, patience = 1 }, 0.1)
  print(message)
  answers.late = err and err.kind == "timeout" and err.outcome

  -- the service finishes what it has in hand; late replies are dropped
  assert(service:drain())
  assert(client:disconnect())
end)

local complete = answers.apple == 2 and answers.pear == 7 and answers.plum == 1
  and answers.melon == "no price for melon" and answers.late == "unknown"
print(complete and "Every question got its answer." or "Something is missing.")
os.exit(complete and 0 or 1, true)
