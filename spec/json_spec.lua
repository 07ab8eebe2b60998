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

  it("writes whole numbers in full", function()
    for text, value in pairs {
      ["9007199254740992"] = 2 ^ 53, ["1000000000000000"] = 1e15, ["-1000000000000000000"] = -1e18,
      ["-9223372036854775808"] = -2 ^ 63, ["99999999999999"] = 1e14 - 1, ["100000000000000"] = 1e14,
      ["[9007199254740992,-4611686018427387904,0.5,10]"] = { 2 ^ 53, -2 ^ 62, 0.5, 10 },
      ['{"18014398509481984":true}'] = { [2 ^ 54] = true },
      ['{"a":{"b":[{"c":1000000000000001}]}}'] = { a = { b = { { c = 1e15 + 1 } } } },
      ["1e+300"] = 1e300, ["0.1"] = 0.1, ["[5.4,1e-09]"] = { 5.4, 1e-9 },
    } do
      assert.equal(text, json.encode(value))
    end
    if _VERSION >= "Lua 5.3" then -- integers of 64 bits
      for _, text in ipairs { "12345678901234567", "9223372036854775807", "-9223372036854775807" } do
        assert.equal(text, json.encode(tonumber(text)))
        assert.equal('{"id":' .. text .. "}", json.encode { id = tonumber(text) })
      end
    end
  end)

  it("mistakes no text for such a number", function()
    local texts = { "1e+15", "#0:17", '"#0:17"', "#1:17", json.null, "2e+1" }
    local all = { texts = texts, n = 2 ^ 53 }
    local text = assert(json.encode(all))
    assert.truthy(text:find('"n":9007199254740992', 1, true))
    assert.same(all, json.decode(text))
    assert.equal('["1e+15"]', json.encode { "1e+15" })
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
