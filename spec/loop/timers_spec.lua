-- SPDX-License-Identifier: MIT
-- Timers come due in the order of their times, those of the same time in that in
-- which they were set, whatever was done with meanwhile.
local timers_module = require "stomp.loop.timers"

-- The numbers of all timers that are left, in the order in which they come.
local function take_all(timers)
  local list = {}
  local time = timers:next_time()
  while time do
    local timer = timers:pop()
    assert.equal(time, timer.time)
    list[#list + 1] = timer.number
    time = timers:next_time()
  end
  return list
end

-- Timers with these times, numbered.
local function set(timers, times)
  local list = {}
  for i, time in ipairs(times) do
    list[i] = { number = i, done = false }
    timers:set(list[i], time)
  end
  return list
end

describe("timers", function()
  it("come in the order of their times", function()
    local timers = timers_module.new()
    assert.is_nil(timers:next_time())
    set(timers, { 5, 7, 3, 7, 5, 9, 1 })
    assert.same({ 7, 3, 1, 5, 2, 4, 6 }, take_all(timers))
    set(timers, { 2, 1 })
    assert.same({ 2, 1 }, take_all(timers))
  end)

  it("that are done do not come", function()
    local timers = timers_module.new()
    local list = set(timers, { 5, 7, 3, 7 })
    for _, i in ipairs { 1, 3 } do
      list[i].done = true
      timers:drop()
    end
    assert.equal(7, timers:next_time())
    assert.same({ 2, 4 }, take_all(timers))
  end)

  it("agree with a sorted list, by 20,000 random moves", function()
    local timers, model, seed, n = timers_module.new(), {}, 1, 0
    local function random(most)
      seed = (seed * 16807) % 2147483647
      return seed % most + 1
    end
    local function before(a, b)
      return a.time < b.time or (a.time == b.time and a.number < b.number)
    end
    local now = 0
    for _ = 1, 20000 do
      local move = random(10)
      if move <= 5 then
        n = n + 1
        -- mostly of one length, as time-outs are
        local timer = { number = n, done = false }
        timers:set(timer, now + (random(3) == 1 and random(40) or 30))
        model[#model + 1] = timer
      elseif move <= 8 and #model > 0 then
        local timer = table.remove(model, random(#model))
        timer.done = true
        timers:drop()
      else
        table.sort(model, before)
        assert.equal(model[1] and model[1].time, timers:next_time())
        if model[1] then
          now = model[1].time
          assert.equal(model[1].number, timers:pop().number)
          table.remove(model, 1)
        end
      end
    end
    assert.is_true(n > 9000)
  end)

  it("that are done are forgotten though their time is far", function()
    local timers = timers_module.new()
    local kept = setmetatable({}, { __mode = "k" })
    for i = 1, 1000 do
      local timer = { done = false }
      timers:set(timer, i % 2 == 0 and 1000 or 2000 - i)
      kept[timer] = true
      timer.done = true
      timers:drop()
    end
    collectgarbage()
    local n = 0
    for _ in pairs(kept) do n = n + 1 end
    assert.is_true(n < 200, n .. " are kept")
  end)
end)
