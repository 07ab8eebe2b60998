-- SPDX-License-Identifier: MIT
-- examples/quickstart.lua: the main job, on the embedded broker and on RabbitMQ.
local rabbitmq = require "spec.support.rabbitmq"

-- The interpreter that runs this.
local function interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

local function quote(text) return "'" .. text:gsub("'", [['\'']]) .. "'" end

-- Output and exit status.
local function run(environment)
  local pipe = assert(io.popen(("LUA_PATH=%s LUA_CPATH=%s %s %s examples/quickstart.lua 2>&1; echo status=$?")
    :format(quote(package.path), quote(package.cpath), environment, quote(interpreter()))))
  local text = pipe:read("*a")
  pipe:close()
  return text, text:match("status=(%d+)%s*$")
end

local function check(environment)
  local text, status = run(environment)
  assert.equal("0", status, text)
  assert.truthy(text:find("All of it happened.", 1, true), text)
  assert.is_nil(text:find("FAILED", 1, true), text)
  assert.is_nil(text:find("passcode:guest", 1, true), text)
end

describe("examples/quickstart.lua #process", function()
  it("does the main job on the embedded broker", function()
    check("BROKER=")
  end)

  it("does the main job on RabbitMQ #broker", function()
    check("BROKER=" .. quote(rabbitmq.url()) .. " LOGIN=guest PASSCODE=guest")
  end)

  it("fails where there is no broker", function()
    local text, status = run("BROKER=ws://127.0.0.1:1/ws")
    assert.equal("1", status)
    assert.truthy(text:find("connect: ", 1, true))
  end)
end)
