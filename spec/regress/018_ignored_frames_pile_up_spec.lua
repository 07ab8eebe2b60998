-- SPDX-License-Identifier: MIT
-- With on_invalid_frame = "ignore" each frame that could not be read was an error for
-- on_error: where that did not return, a peer could fill memory with them.
local fixture = require "spec.support.fixture"

describe("invalid frames that are ignored", function()
  it("do not pile up before a slow on_error", function()
    local told, lines = 0, 0
    local client, loop, net
    client, loop, net = fixture.connect {
      on_invalid_frame = "ignore",
      on_error = function()
        told = told + 1
        if told == 1 then loop.sleep(100) end
      end,
      trace = function(_, text)
        if text:find("not told to on_error", 1, true) then lines = lines + 1 end
      end,
    }
    local n = 0
    net.link.warning = function()
      if n == 1000 then return nil end
      n = n + 1
      return "protocol: no frame", { kind = "protocol", message = "protocol: no frame" }
    end
    loop.run(function()
      while n < 1000 do
        client:receive(0.01)
        assert.is_true(client.events:waiting() <= 256)
      end
      loop.sleep(100)
    end)
    assert.equal(1000, told + lines)
    assert.is_true(told > 200 and told < 300, told)
  end)
end)
