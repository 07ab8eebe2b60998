-- SPDX-License-Identifier: MIT
-- Runs a program of examples/ as its user would, in a process of its own.
local rabbitmq = require "spec.support.rabbitmq"

local example = {}

-- The interpreter that runs this.
local function interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

local function quote(text) return "'" .. text:gsub("'", [['\'']]) .. "'" end
example.quote = quote

--- The shell command that runs a Lua file with this interpreter and these modules.
function example.shell(path, arguments)
  return ("LUA_PATH=%s LUA_CPATH=%s %s %s %s"):format(quote(package.path), quote(package.cpath),
    quote(interpreter()), path, arguments or "")
end

--- The shell command that runs it. `environment`: "NAME=value …", quoted.
function example.command(name, environment, arguments)
  return (environment or "BROKER=") .. " " .. example.shell(("examples/%s.lua"):format(name), arguments)
end

--- Output (both streams) and exit status.
function example.run(name, environment)
  local pipe = assert(io.popen(example.command(name, environment, "2>&1; echo status=$?")))
  local text = pipe:read("*a")
  pipe:close()
  return text, text:match("status=(%d+)%s*$")
end

--- It must exit 0 and say these words; its output.
function example.succeeds(name, environment, words)
  local text, status = example.run(name, environment)
  assert(status == "0", text)
  assert(text:find(words, 1, true), text)
  return text
end

--- The environment in which it uses RabbitMQ.
function example.on_rabbitmq(more)
  return ("BROKER=%s LOGIN=%s PASSCODE=%s %s"):format(quote(rabbitmq.url()), rabbitmq.login, rabbitmq.passcode,
    more or "")
end

return example
