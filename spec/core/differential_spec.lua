-- SPDX-License-Identifier: MIT
-- The parser against a second one that is simple enough to be believed. `make
-- differential N=1000000 SEED=7` runs more of it.
local differential = require "spec.support.differential"

local n = tonumber(os.getenv "STOMP_DIFFERENTIAL") or 10000
local seed = tonumber(os.getenv "STOMP_DIFFERENTIAL_SEED") or 1

describe("core.parser and a simple parser", function()
  it(("say the same of %d inputs from seed %d"):format(n, seed), function()
    local frames, found = differential.run(n, seed)
    assert.is_nil(found)
    -- most inputs are right enough to have frames
    assert.is_true(frames > n / 2)
  end)
end)
