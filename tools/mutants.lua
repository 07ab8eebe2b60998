-- SPDX-License-Identifier: MIT
-- Do the C tests notice when the core is wrong? Changes one place of a source at
-- a time (tools/mutations.lua), runs the tests that concern it, and names the
-- changes that no test noticed. What `make mutants` runs.
--   lua5.4 tools/mutants.lua [N=500] [SEED=1] [FILE=src/core/parser.c,…] [JOBS=2]
-- N=all: every place. Not counted: what does not compile, and what compiles to
-- the same machine code. tools/mutants_known.txt has the survivors that are
-- known to be right. Everything happens in build/mutants, on a copy of the sources,
-- so that they may be edited meanwhile.
package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local mutations = require "mutations"

local ROOM = "build/mutants"
local KNOWN = "tools/mutants_known.txt"
local PLAIN = (os.getenv "CC" or "gcc") .. " -std=c11 -D_GNU_SOURCE -O1 -w"
local CC = { -- two kinds: what survives the fast one is given to the sanitizers
  plain = PLAIN,
  checked = PLAIN .. " -fsanitize=address,undefined -fno-sanitize-recover=all",
}
local MOST = 0.05 -- survivors of those that count

-- Which files, and the tests that concern them: what notices most and takes least
-- first. A file that is not here is given to all tests.
local FILES = {
  { "parser.c parser_lines.c parser_private.h scan.h", "codec encoder parts session" },
  { "encoder.c", "encoder session" },
  { "escape.c heartbeat.c map.c buffer.c frame.c", "parts codec encoder session" },
  { "utf8.c", "utf8 websocket_unit websocket" },
  { "session.c session_send.c session_receive.c session_ack.c session_rules.c acks.c subscriptions.c",
    "session session_unit dialogue" },
  { "websocket.c websocket_receive.c", "websocket_unit websocket" },
  { "handshake.c handshake_head.c handshake_answer.c handshake_body.c handshake_request.c http.c",
    "handshake_unit handshake negotiation" },
  { "handshake_extensions.c", "negotiation handshake" },
}

local function sh(command)
  return os.execute(command)
end

local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function words(text)
  local list = {}
  for word in text:gmatch "[^%s,]+" do list[#list + 1] = word end
  return list
end

-- ---- The tests, built once

local root = capture("pwd"):gsub("\n", "") .. "/" .. ROOM

-- Archives of the unchanged core and each test's object, plain and sanitized:
-- a test is linked with the changed object before the archive.
local function build()
  local script = [[
set -e
rm -rf $ROOM
mkdir -p $ROOM/spec
cp -r src $ROOM
cp -r spec/c spec/vectors $ROOM/spec
]]
  for kind, cc in pairs(CC) do
    local lines = [[
mkdir -p $ROOM/$KIND/tests
cd $ROOM/$KIND
ls $ROOT/src/core/*.c $ROOT/src/os/*.c | xargs -P2 -n1 $CC -I$ROOT/src -c
ar rc core.a *.o
cd tests
ls $ROOT/spec/c/*_test.c | grep -vE '/(tls|linear)_test' | xargs -P2 -n1 $CC -I$ROOT/src -c
cd $ROOT/../..
]]
    script = script .. lines:gsub("%$CC", cc):gsub("%$KIND", kind)
  end
  assert(sh((script:gsub("%$ROOM", ROOM):gsub("%$ROOT", root))), "the tests do not build")
end

local function now()
  return tonumber(capture "date +%s.%N")
end

-- The shell's words that run a test: it dies when it writes its first complaint,
-- or takes far longer than it should.
local function run_line(test, kind, limit)
  local memory = kind == "plain" and "ulimit -v 2000000 &&" or ""
  return ("(cd %s && ulimit -f 0 && ulimit -c 0 && ulimit -t %d && %s exec %s) >/dev/null 2>err </dev/null")
    :format(root, limit, memory, test)
end

-- name -> seconds of each kind; the unchanged tests must pass.
local function measure()
  local tests = {}
  for name in capture("ls " .. ROOM .. "/plain/tests"):gmatch "([%w_]+)_test%.o" do
    local test = { name = name }
    for _, kind in ipairs { "plain", "checked" } do
      local dir = ROOM .. "/" .. kind
      assert(sh(("%s -o %s/%s %s/tests/%s_test.o %s/core.a -lz"):format(CC[kind], dir, name, dir, name, dir)),
        name .. " does not link")
      local from = now()
      assert(sh(("cd %s && %s"):format(ROOM, run_line(root .. "/" .. kind .. "/" .. name, kind, 300))),
        name .. "_test fails on the unchanged sources")
      test[kind] = now() - from
    end
    tests[#tests + 1] = test
    tests[name] = test
  end
  table.sort(tests, function(a, b) return a.plain < b.plain end)
  return tests
end

-- ---- The mutants

local function files_wanted(wanted)
  local list = {}
  for _, row in ipairs(FILES) do
    for _, file in ipairs(words(row[1])) do
      if not wanted then list[#list + 1] = { path = "src/core/" .. file, names = words(row[2]) } end
    end
  end
  for _, path in ipairs(words(wanted or "")) do
    local names = ""
    for _, row in ipairs(FILES) do
      if (" " .. row[1] .. " "):find(" " .. path:match "[^/]*$" .. " ", 1, true) then names = row[2] end
    end
    list[#list + 1] = { path = path, names = words(names) }
  end
  return list
end

-- The units to compile when a file changes: itself, or what includes a header.
local function units_of(path)
  local name = path:match "[^/]*$"
  if name:match "%.c$" then return { name } end
  local units = {}
  for unit in capture("ls src/core/*.c"):gmatch "[^\n]+" do
    if capture(("%s -MM -Isrc %s"):format(CC.plain, unit)):find("/" .. name, 1, true) then
      units[#units + 1] = unit:match "[^/]*$"
    end
  end
  return units
end

local function tests_for(names, tests)
  local list = {}
  for i, name in ipairs(names) do list[i] = assert(tests[name], name .. "_test is not there") end
  return names[1] and list or tests
end

local function all_mutants(files, tests)
  local list = {}
  for _, file in ipairs(files) do
    file.source = assert(read(ROOM .. "/" .. file.path), file.path .. ": no such file")
    file.units, file.tests = units_of(file.path), tests_for(file.names, tests)
    for _, place in ipairs(mutations.find(file.source)) do
      list[#list + 1] = { file = file, place = place }
    end
  end
  return list
end

-- N of the list, one out of each N-th part of it, and the rest.
local function draw(list, n)
  if n >= #list then return list, {} end
  local drawn, rest, taken = {}, {}, {}
  for k = 0, n - 1 do
    local from, to = k * #list // n + 1, (k + 1) * #list // n
    local i = math.random(from, to)
    drawn[#drawn + 1], taken[i] = list[i], true
  end
  for i, m in ipairs(list) do
    if not taken[i] then rest[#rest + 1] = m end
  end
  return drawn, rest
end

-- ---- One mutant: a shell script that prints its number and what became of it

local function compile_lines(m, kind)
  local lines = {}
  for _, unit in ipairs(m.file.units) do
    lines[#lines + 1] = ("%s -I%s/src/core -I%s/src -c %s -o %s.%s.o 2>err || end uncompiled")
      :format(CC[kind], root, root, unit, unit, kind)
  end
  return table.concat(lines, "\n")
end

local function same_line(m)
  local list = {}
  for _, unit in ipairs(m.file.units) do
    list[#list + 1] = ("cmp -s %s.plain.o ../plain/%s"):format(unit, unit:gsub("%.c$", ".o"))
  end
  return table.concat(list, " && ") .. " && end same"
end

-- A header's test is compiled with the changed one.
local function test_object(m, test, kind)
  if m.file.path:match "%.c$" then return ("../%s/tests/%s_test.o"):format(kind, test.name) end
  return ("-I. -I%s/src %s/spec/c/%s_test.c"):format(root, root, test.name)
end

local function test_lines(m, kind)
  local lines, objects = {}, {}
  for i, unit in ipairs(m.file.units) do objects[i] = unit .. "." .. kind .. ".o" end
  for _, test in ipairs(m.file.tests) do
    lines[#lines + 1] = ("%s -o test %s %s ../%s/core.a -lz || end unlinked\n%s || end killed %s")
      :format(CC[kind], test_object(m, test, kind), table.concat(objects, " "), kind,
        run_line(root .. "/" .. m.id .. "/test", kind, math.ceil(test[kind] * 8) + 1), test.name)
  end
  return table.concat(lines, "\n")
end

local function prepare(m)
  local dir = ROOM .. "/" .. m.id
  local name = m.file.path:match "[^/]*$"
  local script = {
    "end() { echo " .. m.id .. " $*; cd ..; rm -rf " .. m.id .. "; exit 0; }",
    "cd " .. dir,
    -- a header's users must find the changed one beside them
    name:match "%.h$" and ("ln -s . core && ln -s %s/src/core/*.[ch] . && rm %s"):format(root, name) or ":",
    "mv changed " .. name,
    compile_lines(m, "plain"), same_line(m), test_lines(m, "plain"),
    compile_lines(m, "checked"), test_lines(m, "checked"),
    "end survived",
  }
  assert(sh("mkdir " .. dir))
  write(dir .. "/changed", mutations.apply(m.file.source, m.place))
  write(dir .. "/script", table.concat(script, "\n") .. "\n")
end

local numbered = 0

-- Run these at once; each gets its `fate` and, if killed, `by`.
local function run(list, jobs)
  local by_id, ids, done = {}, {}, 0
  for _, m in ipairs(list) do
    numbered = numbered + 1
    m.id = tostring(numbered)
    by_id[m.id] = m
    ids[#ids + 1] = m.id
    prepare(m)
  end
  write(ROOM .. "/ids", table.concat(ids, "\n") .. "\n")
  local pipe = assert(io.popen(("xargs -P%d -I{} sh %s/{}/script <%s/ids 2>>%s/log"):format(jobs, ROOM, ROOM, ROOM)))
  for line in pipe:lines() do
    local id, fate, by = line:match "^(%d+) (%l+) ?([%w_]*)"
    local m = assert(by_id[id], line)
    assert(fate ~= "unlinked", "a test cannot be linked: see " .. ROOM .. "/log")
    m.fate, m.by, done = fate, by, done + 1
    if done % 50 == 0 then io.stderr:write(("  %d of %d\n"):format(done, #list)) end
  end
  assert(pipe:close() and done == #list, "a mutant did not report: see " .. ROOM .. "/log")
end

-- ---- What is known to survive

local function key_of(file, func, was, becomes)
  return table.concat({ file, func, was, becomes }, "\n")
end

-- Blocks as they are printed, without the line's number, and "= why" behind them.
local function read_known()
  local known, file, func, was, becomes = {}, nil, nil, nil, nil
  for line in (read(KNOWN) or ""):gmatch "[^\n]+" do
    local first, rest = line:match "^(.) (.*)"
    if first == "-" then
      was = rest
    elseif first == "+" then
      becomes = rest
    elseif line:match "^src/" then
      file, func = line:match "^(%S+) (%S+)$"
    elseif first == "=" then
      known[key_of(file, func, was, becomes)] = rest
    end
  end
  return known
end

-- ---- The report

local function show(m)
  print(("%s:%d %s\n- %s\n+ %s"):format(m.file.path, m.place.line, m.place.func, m.place.was, m.place.becomes))
end

local function report(list)
  local known, total, rows = read_known(), { killed = 0, known = 0, survived = 0 }, {}
  for _, m in ipairs(list) do
    local row = rows[m.file.path] or { path = m.file.path, killed = 0, known = 0, survived = 0 }
    if not rows[m.file.path] then rows[m.file.path], rows[#rows + 1] = row, row end
    if m.fate == "survived" then
      m.reason = known[key_of(m.file.path, m.place.func, m.place.was, m.place.becomes)]
      m.fate = m.reason and "known" or "survived"
    end
    if total[m.fate] then
      row[m.fate], total[m.fate] = row[m.fate] + 1, total[m.fate] + 1
    end
    if m.fate == "survived" then show(m) end
  end
  print(("%-32s %8s %8s %8s %8s"):format("file", "mutants", "killed", "known", "survived"))
  for _, row in ipairs(rows) do
    print(("%-32s %8d %8d %8d %8d"):format(row.path, row.killed + row.known + row.survived, row.killed, row.known,
      row.survived))
  end
  return total
end

-- ---- Main

local function counted(list)
  local n = 0
  for _, m in ipairs(list) do
    if m.fate ~= "uncompiled" and m.fate ~= "same" then n = n + 1 end
  end
  return n
end

local function options()
  local given = {}
  for _, word in ipairs(arg) do
    local name, value = word:match "^(%u+)=(.*)$"
    if value ~= "" then given[assert(name, "what is " .. word .. "?")] = value end
  end
  local n = given.N == "all" and math.huge or tonumber(given.N or 500)
  return n, math.tointeger(tonumber(given.SEED or 1)), given.FILE, tonumber(given.JOBS or 2)
end

local function main()
  local n, seed, wanted, jobs = options()
  local from = now()
  math.randomseed(seed)
  build()
  local rest = all_mutants(files_wanted(wanted), measure())
  local places, all = #rest, {}
  while counted(all) < n and #rest > 0 do -- more, for those that do not count
    local drawn
    drawn, rest = draw(rest, n - counted(all))
    run(drawn, jobs)
    table.move(drawn, 1, #drawn, #all + 1, all)
  end
  local total = report(all)
  local all_counted = total.killed + total.known + total.survived
  print(("seed %d: %d mutants of %d places, %d killed, %d known, %d survived; %.0f s"):format(seed, all_counted, places,
    total.killed, total.known, total.survived, now() - from))
  os.exit(total.survived <= all_counted * MOST)
end

main()
