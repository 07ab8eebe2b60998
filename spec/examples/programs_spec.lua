-- SPDX-License-Identifier: MIT
-- The examples that check themselves: each exits 0 only when what it shows happened.
local example = require "spec.support.example"

-- name -> its last words
local programs = {
  worker = "All jobs went their way.",
  request_reply = "Every question got its answer.",
  transactions = "All or nothing, each time.",
  tracing = "One trace, four spans.",
  progress = "300 of 300 confirmed",
}

for name, words in pairs(programs) do
  describe(("examples/%s.lua #process"):format(name), function()
    it("does what it shows on the embedded broker", function()
      example.succeeds(name, "BROKER= COUNT=300", words)
    end)

    it("does the same on RabbitMQ #broker", function()
      example.succeeds(name, example.on_rabbitmq "COUNT=300", words)
    end)

    it("fails where there is no broker", function()
      local text, status = example.run(name, "BROKER=ws://127.0.0.1:1/ws")
      assert.equal("1", status)
      assert.truthy(text:find("connect: ", 1, true), text)
    end)
  end)
end

describe("examples/reconnect.lua #process", function()
  it("loses nothing while its broker is away", function()
    local text = example.succeeds("reconnect", "BROKER=", "Nothing was lost.")
    assert.truthy(text:find("lost: closed", 1, true), text)
    assert.truthy(text:find("attempt 2: ws", 1, true), text)
    assert.truthy(text:find("back: ws", 1, true), text)
    assert.truthy(text:find("closed: in order", 1, true), text)
  end)

  it("runs on RabbitMQ #broker", function()
    example.succeeds("reconnect", example.on_rabbitmq "COUNT=3 PAUSE=0", "3 is with the broker")
  end)
end)

describe("examples/progress.lua #process", function()
  it("shows how far it is", function()
    local text = example.succeeds("progress", "BROKER= COUNT=300", "300 of 300 confirmed")
    assert.truthy(text:find("\r  0%  0 of 300 confirmed, 0/s, 0 s left", 1, true), text)
    assert.truthy(text:find("\r100%  300 of 300 confirmed, ", 1, true), text)
  end)
end)
