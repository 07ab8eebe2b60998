-- SPDX-License-Identifier: MIT
-- examples/prometheus.lua: its text is what Prometheus reads (text format 0.0.4).
local example = require "spec.support.example"

-- name{labels} -> value; raises where a line is none of the format's.
local function parse(text)
  local values, types = {}, {}
  for line in text:gmatch("[^\n]+") do
    local name, kind = line:match("^# TYPE ([%a_:][%w_:]*) (%l+)$")
    if name then
      assert(not types[name], "two types: " .. line)
      types[name] = kind
    elseif not line:find("^# HELP [%a_:][%w_:]* .+") then
      local series, value = line:match("^([%a_:][%w_:]*{.*}) ([%d.e+-]+)$")
      assert(series, line)
      local of = series:match("^[^{]*")
      assert(types[of], "no type: " .. line)
      assert(not values[series], "twice: " .. line)
      assert((types[of] == "counter") == (of:find("_total$") ~= nil), line)
      for label in series:match("{(.*)}"):gmatch("[^,]+") do
        assert(label:find('^[%a_][%w_]*="[^"]*"$'), line)
      end
      values[series] = assert(tonumber(value))
    end
  end
  return values
end

local function check(environment)
  local text, status = example.run("prometheus", environment)
  assert.equal("0", status, text)
  local values = parse((text:gsub("status=%d+%s*$", "")))
  assert.equal(5, values['stomp_messages_total{client="stock"}'])
  assert.equal(0, values['stomp_messages_total{client="shop"}'])
  assert.equal(2, values['stomp_unacked{client="stock"}'])
  assert.is_true(values['stomp_oldest_unacked_seconds{client="stock"}'] > 0)
  assert.equal(6, values['stomp_frames_sent_total{client="shop"}'])
  return values
end

describe("examples/prometheus.lua #process", function()
  it("prints every figure of every client", function()
    local values, n = check("BROKER="), 0
    for _ in pairs(values) do n = n + 1 end
    assert.equal(38, n) -- 18 figures and one more, of two clients
  end)

  it("does so on RabbitMQ #broker", function()
    check(example.on_rabbitmq())
  end)
end)
