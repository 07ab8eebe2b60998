-- SPDX-License-Identifier: MIT
-- Errors of the Lua side look as those of the C side do.
local core = require "stomp.core"
local errors = require "stomp.errors"

describe("stomp.errors", function()
  it("makes an error of a kind, whose tostring is its message", function()
    local err = errors.new("timeout", "nothing came", { after = { "SEND" } })
    assert.equal("timeout", err.kind)
    assert.equal("timeout: nothing came", err.message)
    assert.equal(err.message, tostring(err))
    assert.same({ "SEND" }, err.after)
  end)

  it("fails with nil, message, err", function()
    local value, message, err = errors.failure("closed", "it is over", { code = 1000 })
    assert.is_nil(value)
    assert.equal("closed: it is over", message)
    assert.equal(message, err.message)
    assert.equal(1000, err.code)
  end)

  it("lets no field take the place of kind and message", function()
    local err = errors.new("limit", "too much", { kind = "x", message = "y" })
    assert.equal("limit", err.kind)
    assert.equal("limit: too much", err.message)
  end)

  it("leaves the fields that it was given alone", function()
    local fields = { code = 1 }
    errors.new("limit", "too much", fields)
    assert.same({ code = 1 }, fields)
  end)

  it("knows the kinds of the C side, and no others", function()
    assert.is_false(pcall(errors.new, "misuse", "no such kind"))
    local names = {}
    for kind in pairs(errors.kinds) do names[#names + 1] = kind end
    table.sort(names)
    assert.equal("broker closed connect handler heartbeat invalid limit protocol "
      .. "timeout tls upgrade", table.concat(names, " "))
  end)

  it("has the metatable of the C side's errors", function()
    local _, _, err = core.encode("SEND", { destination = "\0" }, "")
    assert.equal("invalid", err.kind)
    assert.equal(getmetatable(err), getmetatable(errors.new("limit", "x")))
  end)
end)
