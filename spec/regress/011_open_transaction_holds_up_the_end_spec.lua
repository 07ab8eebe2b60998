-- SPDX-License-Identifier: MIT
-- The RECEIPT of a SEND in a transaction comes after the COMMIT. flush, disconnect
-- and drain waited for those of open transactions, too, so for nothing: disconnect
-- its 5 s, drain failed.
local fixture = require "spec.support.fixture"

describe("a confirmed send in an open transaction", function()
  for _, call in ipairs { "flush", "disconnect", "drain" } do
    it("does not hold up " .. call, function()
      local client, loop, net = fixture.connect({}, { SEND = function(server, frame)
        if not frame.headers.transaction then server:receipt(frame) end
      end })
      loop.run(function()
        local t = assert(client:begin())
        assert(t:send("/queue/a", "1", nil, { confirm = true }))
        assert(client:send("/queue/a", "2", nil, { confirm = "later" }))
        local start = loop.now()
        assert.is_true(client[call](client))
        assert.equal(0, loop.now() - start)
        if call == "flush" then -- what it waits for then is COMMIT's matter
          net.script.COMMIT = function(server, frame)
            for _, send in ipairs(server:got("SEND")) do
              if send.headers.transaction then server:receipt(send) end
            end
            server:receipt(frame)
          end
          assert.is_true(t:commit())
        end
      end)
    end)
  end

  it("is waited for by flush once COMMIT is out", function()
    local client, loop, net = fixture.connect({}, { SEND = false })
    loop.run(function()
      local t = assert(client:begin())
      assert(t:send("/queue/a", "1", nil, { confirm = true }))
      assert(t:commit { confirm = false })
      fixture.failure("timeout", client:flush(1))
      net.server:receipt(net.server:got("SEND")[1])
      assert.is_true(client:flush(1))
    end)
  end)
end)
