-- SPDX-License-Identifier: MIT
-- Which lines and branches of src/core do the tests take? Runs the C tests and
-- the core's specs on objects that count (gcov), prints a table for each file, and
-- a block for each place that nothing took:
--   src/core/file.c:LINE function
--   - never: the line            or   - 1 of 4 branches: the line
-- Places that are known and right are such blocks in tools/coverage_known.txt,
-- without :LINE, with "= why". It fails on a place that is not there, on a block
-- that is there for nothing, and below the bounds. What `make coverage` runs.
--   lua5.4 tools/coverage.lua TEST...
local json = require "cjson"

local ROOM = "build/coverage"
local KNOWN = "tools/coverage_known.txt"
local LEAST = { lines = 99, branches = 95 } -- per cent of all

local function run(command, log)
  log = ROOM .. "/" .. log
  if os.execute(command .. " >" .. log .. " 2>&1") then return end
  os.execute("tail -30 " .. log)
  error(command .. " failed", 0)
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

-- ---- Counting

local function measure(tests)
  for _, name in ipairs(tests) do
    run(ROOM .. "/c/" .. name, name .. ".log")
    print("ran  " .. name)
  end
  run("busted --lua=lua5.4 --cpath='" .. ROOM .. "/lua/?.so' spec/core", "specs.log")
  print("ran  spec/core")
  run("gcovr -r . -f 'src/core/' --json -o " .. ROOM .. "/coverage.json " .. ROOM, "gcovr.log")
  return json.decode(read(ROOM .. "/coverage.json")).files
end

-- The function that a line stands in: its name begins a line that ends in "{", or
-- the lines before it do.
local function function_at(lines, at)
  for i = at, 1, -1 do
    local name = lines[i]:match "^%a" and lines[i]:match "^[%w%s_%*]-%f[%w_]([%w_]+)%("
    if name then return name end
  end
  return "-"
end

local function source_lines(path)
  local lines = {}
  for line in (read(path) .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

-- The file's numbers; its places that nothing took go to `places`.
local function count(file, places)
  local source = source_lines(file.file)
  local n = { name = file.file, lines = 0, lines_taken = 0, branches = 0, branches_taken = 0 }
  local function place(number, what)
    places[#places + 1] = {
      number = number,
      block = ("%s %s\n- %s: %s"):format(file.file, function_at(source, number), what,
        source[number]:match "^%s*(.-)%s*$"),
    }
  end
  local function count_line(line, number)
    local missed = 0
    for _, branch in ipairs(line.branches) do
      missed = missed + (branch.count == 0 and 1 or 0)
    end
    n.lines = n.lines + 1
    n.lines_taken = n.lines_taken + (line.count > 0 and 1 or 0)
    n.branches = n.branches + #line.branches
    n.branches_taken = n.branches_taken + #line.branches - missed
    if line.count == 0 then
      place(number, "never")
    elseif missed > 0 then
      place(number, missed .. " of " .. #line.branches .. " branches")
    end
  end
  for _, line in ipairs(file.lines) do
    if not line["gcovr/noncode"] then count_line(line, math.tointeger(line.line_number)) end
  end
  return n
end

-- ---- What is known

local function known_blocks()
  local blocks, list = {}, {}
  for block in (read(KNOWN) .. "\n\n"):gmatch "(src/.-)\n\n" do
    local place, why = block:match "^(.-)\n=%s*(%S.*)$"
    assert(why, KNOWN .. ": no reason for " .. block)
    blocks[place] = { why = why, used = 0 }
    list[#list + 1] = place
  end
  return blocks, list
end

-- ---- Telling

local function share(taken, all)
  return all == 0 and 100 or 100 * taken / all
end

local function row(name, n)
  print(("%-32s %5d lines %6.1f %%  %5d branches %6.1f %%"):format(name, n.lines,
    share(n.lines_taken, n.lines), n.branches, share(n.branches_taken, n.branches)))
end

local function table_of(files, places)
  local sum = { lines = 0, lines_taken = 0, branches = 0, branches_taken = 0 }
  table.sort(files, function(a, b) return a.file < b.file end)
  for _, file in ipairs(files) do
    local n = count(file, places)
    row(n.name, n)
    for key in pairs(sum) do sum[key] = sum[key] + n[key] end
  end
  row("all of src/core", sum)
  return sum
end

local passed, failed = 0, 0
local function check(ok, text)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print("FAIL " .. text)
  end
end

local places = {}
local sum = table_of(measure { ... }, places)
local known, list = known_blocks()
for _, place in ipairs(places) do
  local block = known[place.block]
  if block then block.used = block.used + 1 end
  check(block, "nothing takes\n" .. place.block:gsub(" ", ":" .. place.number .. " ", 1))
end
for _, block in ipairs(list) do
  check(known[block].used > 0, KNOWN .. ": this is taken, or gone\n" .. block)
end
for _, kind in ipairs { "lines", "branches" } do
  local got = share(sum[kind .. "_taken"], sum[kind])
  check(got >= LEAST[kind], ("%.2f %% of the %s, %d %% are the least"):format(got, kind, LEAST[kind]))
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
