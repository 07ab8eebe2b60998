-- SPDX-License-Identifier: MIT
-- First in, first out: against a plain list, by random moves.
local queue = require "stomp.queue"

describe("a queue", function()
  it("agrees with a list, by 20,000 random moves", function()
    local q, model, seed, n = queue.new(), {}, 7, 0
    local function random(most)
      seed = (seed * 16807) % 2147483647
      return seed % most + 1
    end
    local bias = 5
    for i = 1, 20000 do
      if i % 500 == 0 then bias = random(9) end -- it grows, stays or shrinks
      local move = random(20)
      if move == 20 then
        local value = model[random(math.max(#model, 1))] or 0
        local at
        for k, other in ipairs(model) do
          if other == value then at = k break end
        end
        assert.equal(at ~= nil, queue.remove(q, value))
        if at then table.remove(model, at) end
      elseif move == 19 then
        n = n + 1
        queue.push_front(q, n)
        table.insert(model, 1, n)
      elseif move <= 2 * bias then
        n = n + 1
        queue.push(q, n)
        model[#model + 1] = n
      else
        assert.equal(table.remove(model, 1), queue.pop(q))
      end
      assert(#model == queue.size(q))
      assert(model[1] == (q[q.first] or nil))
      assert(not model[1] or model[#model] == q[q.last])
    end
    assert.is_true(n > 5000)
  end)

  it("keeps its places near 1 though it is never empty", function()
    local q = queue.new()
    for i = 1, 1000 do queue.push(q, i) end
    for i = 1, 100000 do
      assert(queue.pop(q) == i)
      queue.push(q, 1000 + i)
    end
    assert.is_true(q.last <= 2100)
    local places = 0
    for _ in pairs(q) do places = places + 1 end
    assert.is_true(places <= 2110)
  end)
end)
