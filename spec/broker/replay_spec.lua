-- SPDX-License-Identifier: MIT
-- What a program did on RabbitMQ is a spec afterwards: replayed without a broker.
local rabbitmq = require "spec.support.rabbitmq"
local stomp = require "stomp"

local function connect(url, options, more)
  local all = { login = rabbitmq.login, passcode = rabbitmq.passcode, proxy = false }
  for name, value in pairs(options) do all[name] = value end
  for name, value in pairs(more or {}) do all[name] = value end
  return assert(stomp.connect(url, all))
end

describe("A trace of RabbitMQ #broker", function()
  -- Record, check the trace, replay; ids of requests differ each time.
  local function check(program)
    local path = os.tmpname()
    local tracer = assert(stomp.tracer(path, { bodies = true }))
    program(rabbitmq.url(), { trace = tracer })
    tracer:close()
    assert(stomp.replay(path))
    assert(stomp.replay(path, program, { ignore = { "correlation-id" } }))
    os.remove(path)
  end

  it("is replayed: acknowledgement, transaction, request and reply", function()
    local queue = "/queue/lua-stomp-replay-" .. os.time()
    check(function(url, options)
      local client = connect(url, options)
      local work = assert(client:subscribe(queue, { ack = "client-individual", confirm = true }))
      assert(client:send(queue, "one: \0\255", nil, { confirm = true }))
      local message = assert(work:receive(10))
      assert.equal("one: \0\255", message.body)
      local transaction = assert(client:begin())
      assert(transaction:ack(message))
      assert(transaction:send(queue, { two = 2 }, nil, { confirm = true }))
      assert(transaction:commit())
      message = assert(work:receive(10))
      assert.equal(2, message:json().two)
      assert(message:ack())
      assert(client:subscribe(queue .. ".service", { confirm = true }, function(asked)
        assert(asked:reply(asked.body:upper()))
      end))
      assert.equal("HELLO", assert(client:request(queue .. ".service", "hello", { timeout = 10 })).body)
      assert(client:disconnect())
    end)
  end)

  it("is replayed: an end without an ERROR", function()
    check(function(url, options)
      local client = connect(url, options)
      assert(client:send("/exchange/lua-stomp-none/k", ""))
      local _, message, err = client:run(10)
      assert.is_true(err.kind == "closed" or err.kind == "broker", message)
      assert.same({ command = "SEND", destination = "/exchange/lua-stomp-none/k" }, err.after[1])
    end)
  end)
end)
