-- SPDX-License-Identifier: MIT
-- The simulation itself: a seed is the same run each time and in each process, and
-- nothing of it stays. (`make simulate` runs the seeds, mutants_spec shows that it
-- can fail.)
local simulation = require "spec.simulation.simulation"
local wire = require "spec.support.wire"

describe("the simulation", function()
  it("runs a seed the same way each time", function()
    for seed = 1, 15 do
      local _, first = simulation.simulate(seed, { log = true })
      local _, again = simulation.simulate(seed, { log = true })
      assert.equal(table.concat(first.lines, "\n"), table.concat(again.lines, "\n"))
      assert.is_true(#first.lines > 0)
    end
  end)

  it("runs a seed the same way in another process, and another seed in another", function()
    local program = 'arg[1] = "%d" dofile "spec/simulation/run.lua"'
    local function output(seed) return (wire.script(program:format(seed))) end
    for _, seed in ipairs { 3, 21, 48 } do
      local _, here = simulation.simulate(seed, { log = true })
      assert.equal(table.concat(here.lines, "\n") .. "\n", output(seed))
    end
    assert.not_equal(output(3), output(21))
  end)

  it("leaves nothing behind", function()
    local kept = setmetatable({}, { __mode = "k" })
    local function run(seed)
      simulation.simulate(seed, { on_client = function(client)
        kept[client], kept[client.pump], kept[client.pump.link] = true, true, true
      end, on_world = function(world)
        kept[world], kept[world.network] = true, true
        world.network.on_line = (function(before)
          return function(line)
            kept[line], kept[line.up.to], kept[line.down.to] = true, true, true
            before(line)
          end
        end)(world.network.on_line)
      end })
    end
    for seed = 1, 40 do run(seed) end
    assert.truthy(next(kept))
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(kept))
  end)

  it("takes no more memory for more seeds", function()
    local function used()
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local function run(first, last)
      for seed = first, last do simulation.simulate(seed) end
    end
    run(1, 20)
    local before = used()
    run(21, 60)
    assert.is_true(used() < before + 50, "it grows")
  end)
end)
