-- SPDX-License-Identifier: MIT
-- examples/quickstart.lua: the main job, on the embedded broker and on RabbitMQ.
local example = require "spec.support.example"

local function check(environment)
  local text = example.succeeds("quickstart", environment, "All of it happened.")
  assert.is_nil(text:find("FAILED", 1, true), text)
  assert.is_nil(text:find("passcode:guest", 1, true), text)
end

describe("examples/quickstart.lua #process", function()
  it("does the main job on the embedded broker", function()
    check()
  end)

  it("does the main job on RabbitMQ #broker", function()
    check(example.on_rabbitmq())
  end)

  it("fails where there is no broker", function()
    local text, status = example.run("quickstart", "BROKER=ws://127.0.0.1:1/ws")
    assert.equal("1", status)
    assert.truthy(text:find("connect: ", 1, true))
  end)
end)
