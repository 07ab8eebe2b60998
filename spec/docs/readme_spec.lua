-- SPDX-License-Identifier: MIT
-- README.md: each of its programs runs, on the embedded broker in a world of
-- stomp.testing, and each of its lists is whole.
local stomp = require "stomp"
local testing = require "stomp.testing"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local readme = read "README.md"

local function blocks()
  local list = {}
  for block in readme:gmatch("```lua\n(.-)```") do list[#list + 1] = block end
  return list
end

-- Run a block as README's reader would, but for the address and the clock.
local function run(world, block, given)
  local broker = world.broker_url
  local printed = {}
  local env = { assert = assert, print = function(value) printed[#printed + 1] = tostring(value) end }
  env.stomp = {
    connect = function(url, options)
      assert(url)
      return stomp.connect(broker, world:options(options))
    end,
    run = function(f) f() end, -- the world runs already
    spawn = function(f) world:spawn(f) end,
  }
  env.require = function(name) return name == "stomp" and env.stomp or require(name) end
  for name, value in pairs(given or {}) do env[name] = value end
  local chunk, problem = load(block, "README.md", "t", env) -- luacheck: ignore 113 (5.2 and later)
  if not chunk then error(problem .. "\n" .. block, 0) end
  chunk()
  return printed
end

describe("README.md", function()
  it("has programs that run", function()
    if not rawget(_G, "utf8") or _VERSION < "Lua 5.4" then return pending("one of them needs Lua 5.4") end
    local list = blocks()
    local world = testing.world { seed = 1 }
    world.broker_url = world:broker { logins = { guest = "guest" } }.url
    local function connect()
      return assert(stomp.connect(world.broker_url, world:options { login = "guest", passcode = "guest" }))
    end
    local client, service = connect(), connect()
    world:spawn(function() service:run() end)
    local done = 0
    world:run(function()
      for _, block in ipairs(list) do
        local given = { client = client, service = service, url = world.broker_url }
        block = block:gsub("stomp%.connect%(url%)", 'stomp.connect(url, { login = "guest", passcode = "guest" })')
          :gsub("{ reconnect = true }", '{ reconnect = true, login = "guest", passcode = "guest" }')
        if block:find("transaction:ack(message)", 1, true) then
          local work = assert(client:subscribe("/queue/readme", { ack = "client-individual", confirm = true }))
          assert(client:send("/queue/readme", "x"))
          given.message = assert(work:receive(5))
        elseif block:find("client:run()", 1, true) then -- it ends with its client
          given.client = connect()
          world:spawn(function()
            world:sleep(1)
            given.client:close()
          end)
        end
        local printed = run(world, block, given)
        if block:find("print", 1, true) then assert.same({ "5.4" }, printed) end
        done = done + 1
      end
    end)
    assert.is_true(done >= 8)
    client:close()
    service:close()
    world:close()
  end)

  it("names every page and every example, and none that is not there", function()
    local pipe = assert(io.popen("ls docs/*.md examples/*.lua examples/*.c"))
    for path in pipe:lines() do
      assert.truthy(readme:find("(" .. path .. ")", 1, true), path .. " is not in README.md")
    end
    pipe:close()
    for path in readme:gmatch("%]%(([%w_/.-]+)%)") do
      local there = io.open(path)
      assert.truthy(there, path .. " is not there")
      there:close()
    end
  end)
end)
