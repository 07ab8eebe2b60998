-- SPDX-License-Identifier: MIT
-- lua5.4 spec/simulation/run.lua SEED               simulates it, prints what happened
-- lua5.4 spec/simulation/run.lua FIRST LAST [STEP]  these seeds, and their sums
local simulation = require "spec.simulation.simulation"

local first, last, step = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3]) or 1

local function show(seed, numbers)
  for _, text in ipairs(numbers.complaints) do print(("seed %d: %s"):format(seed, text)) end
  print(("make simulate SEED=%d"):format(seed))
  io.stdout:flush()
end

if not last then
  local well, numbers = simulation.simulate(first, { log = true })
  for _, line in ipairs(numbers.lines) do print(line) end
  if not well then show(first, numbers) end
  os.exit(well and 0 or 1)
end

local total = { seeds = 0, failed = 0 }
for seed = first, last, step do
  local well, numbers = simulation.simulate(seed)
  total.seeds = total.seeds + 1
  for name, n in pairs(numbers) do
    if type(n) == "number" then total[name] = (total[name] or 0) + n end
  end
  if not well then
    total.failed = total.failed + 1
    show(seed, numbers)
  end
end
local names = {}
for name in pairs(total) do names[#names + 1] = name end
table.sort(names)
for i, name in ipairs(names) do names[i] = ("%s %.0f"):format(name, total[name]) end
print("total " .. table.concat(names, " "))
os.exit(total.failed == 0 and 0 or 1)
