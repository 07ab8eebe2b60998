-- SPDX-License-Identifier: MIT
-- Sends with confirm = "later" that waited because too much was in flight were
-- overtaken by later ones of other tasks. Found by the simulation (seed 51441).
local fixture = require "spec.support.fixture"

describe("sends with confirm = \"later\" that wait for room", function()
  it("go out in the order of the calls", function()
    local held = {}
    local client, loop, net = fixture.reconnecting({ limits = { outbox = 1000 } }, {
      SEND = function(_, frame) held[#held + 1] = frame end,
    })
    local late
    local function send(name, size, timeout)
      return function()
        local ok, _, err = client:send("/queue/a", ("x"):rep(size), { name = name },
          { confirm = "later", timeout = timeout or 60 })
        if not ok then late = err end
      end
    end
    loop.run(send("a", 400), send("b", 400), send("c", 900), send("d", 10, 0.5),
      send("e", 10), function()
        loop.sleep(1)
        for _ = 1, 20 do -- the server answers one after the other
          local frame = table.remove(held, 1)
          if frame then net.server:receipt(frame) end
          loop.sleep(0.1)
          if frame and frame.headers.name == "a" then loop.spawn(send("f", 10)) end
        end
      end)
    assert.equal("timeout", late.kind)
    assert.is_nil(late.outcome)
    local names = {}
    for i, frame in ipairs(net.server:got("SEND")) do names[i] = frame.headers.name end
    assert.equal("abcef", table.concat(names))
    assert.is_true(client:flush())
  end)
end)
