-- SPDX-License-Identifier: MIT
-- A map whose keys come and go: the same as a plain table, and as cheap with many
-- keys as with few.
local register = require "stomp.register"

describe("a register", function()
  it("holds what was put in and not taken out", function()
    local r = register.new()
    for i = 1, 500 do
      register.put(r, "k" .. i, i)
      if i > 3 then assert.equal(i - 3, register.take(r, "k" .. (i - 3))) end
    end
    assert.equal(3, r.n)
    local values = register.values(r)
    table.sort(values)
    assert.same({ 498, 499, 500 }, values)
    assert.equal(499, r.of.k499)
    assert.is_nil(register.take(r, "k1"))
    assert.is_nil(register.take(r, "never"))
    assert.equal(3, r.n)
    register.put(r, "k1", "again")
    assert.equal("again", register.take(r, "k1"))
  end)

  it("does not grow by keys that are gone", function()
    local r = register.new()
    for i = 1, 1000 do register.put(r, i, true) end
    for i = 1, 100000 do
      register.put(r, 1000 + i, true)
      register.take(r, i)
    end
    local places = 0
    for _ in pairs(r.of) do places = places + 1 end
    assert.is_true(places <= 2100, places .. " places for 1000 keys")
    assert.equal(1000, r.n)
  end)
end)
