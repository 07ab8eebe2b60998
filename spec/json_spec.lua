-- SPDX-License-Identifier: MIT
-- JSON bodies: values or failures, nothing raised.
local json = require "stomp.json"
local fixture = require "spec.support.fixture"

describe("stomp.json", function()
  it("gives back what it took", function()
    for _, value in ipairs { 5, "a\0b\"\\ä", true, { 1, 2, { x = "y" } }, { price = 5.4 } } do
      assert.same(value, json.decode(assert(json.encode(value))))
    end
    assert.is_false(json.decode("false"))
    assert.equal(json.null, json.decode("null"))
    assert.equal(json.null, json.decode('{"a":null}').a)
  end)

  it("fails with invalid for what cannot be JSON", function()
    local round = {}
    round.round = round
    for _, value in ipairs { print, { f = print }, round, 0 / 0, 1 / 0, { [{}] = 1 },
      coroutine.create(function() end), { [1000000] = 1 } } do
      fixture.failure("invalid", json.encode(value))
    end
  end)

  it("fails with invalid, and the reason, for what is none", function()
    for _, text in ipairs { "", " ", "{", "[1,]", "{'a':1}", "nul", "NaN", "[Infinity]", "1 2",
      "\"a", "{\"a\"}", ("["):rep(100000), "\0" } do
      local err = fixture.failure("invalid", json.decode(text))
      assert.truthy(err.message:find("not JSON: .", 1))
    end
  end)

  it("shares no settings with the program's cjson", function()
    local cjson = require "cjson"
    cjson.encode_invalid_numbers(true)
    local value, message, err = json.encode(0 / 0)
    cjson.encode_invalid_numbers(false)
    fixture.failure("invalid", value, message, err)
  end)
end)
