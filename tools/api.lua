-- SPDX-License-Identifier: MIT
-- The public interface as it is: modules are loaded, objects made (in a world of
-- stomp.testing), and what they have is named. What the source marks with @local is
-- the project's own. Entries are { name, kind, parameters, f, doc }; doc is the LDoc
-- comment, without its dashes.
local api = {}

-- ---- Comments ----

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

-- The comment that ends above line `n`, as a list of lines.
local function comment_above(lines, n)
  local first = n
  while first > 1 and lines[first - 1]:find("^%s*%-%-") do first = first - 1 end
  local text = {}
  for i = first, n - 1 do text[#text + 1] = (lines[i]:gsub("^%s*%-%-%-?%s?", "")) end
  if not (lines[first] or ""):find("^%s*%-%-%-") then return nil end
  return table.concat(text, "\n")
end

-- Where the comments of modules and classes are; the prefix of names in them.
local sources = {
  stomp = { "lua/stomp/init.lua" },
  client = { "lua/stomp/client.lua" },
  subscription = { "lua/stomp/subscription.lua" },
  message = { "lua/stomp/message.lua" },
  transaction = { "lua/stomp/transaction.lua" },
  tracer = { "lua/stomp/tracer.lua" },
  broker = { "lua/stomp/broker/init.lua" },
  testing = { "lua/stomp/testing/init.lua" },
  network = { "lua/stomp/testing/network.lua" },
  line = { "lua/stomp/testing/line.lua" },
  random = { "lua/stomp/testing/random.lua" },
  scheduler = { "lua/stomp/loop/scheduler.lua" },
  transport = { "lua/stomp/transport/lws.lua" },
  core = { "src/lua/core.c", "src/lua/lua_parser.c", "src/lua/lua_connection.c", "src/lua/lua_websocket.c" },
}

-- Comments that name what they are about (@function, @table), by full name.
local named, tables = {}, {}

local function blocks_of_c(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  local blocks = {}
  for block in text:gmatch("/%*%*%*(.-)%*/") do blocks[#blocks + 1] = (block:gsub("\n %*%s?", "\n")) end
  return blocks
end

local function blocks_of_lua(path)
  local blocks, lines = {}, lines_of(path)
  for i = 2, #lines + 1 do
    local is_end = lines[i - 1]:find("^%-%-") and not (lines[i] or ""):find("^%-%-")
    blocks[#blocks + 1] = is_end and comment_above(lines, i) or nil
  end
  return blocks
end

local function read_blocks(path, prefix)
  for _, block in ipairs(path:find("%.c$") and blocks_of_c(path) or blocks_of_lua(path)) do
    local name = block:match("@function ([%w_:.]+)")
    if name then named[name:find(":") and name or prefix .. "." .. name] = block end
    local table_name = block:match("@table ([%w_]+)")
    if table_name then tables[table_name == "fields" and prefix or table_name] = block end
  end
end

for prefix, paths in pairs(sources) do
  for _, path in ipairs(paths) do read_blocks(path, prefix) end
end
-- The fields of a world stand in the file of its module.
tables.world, tables.testing = tables.testing, nil

local files = {}

local function doc_of(name, f)
  if named[name] then return named[name] end
  local info = debug.getinfo(f, "S")
  local path = info.source:match("^@(.*)")
  if not path or info.what == "C" then return nil end
  files[path] = files[path] or lines_of(path)
  return comment_above(files[path], info.linedefined)
end

-- ---- Functions ----

local function parameters_of(f, doc)
  local info = debug.getinfo(f, "uS")
  local list = {}
  if info.what == "C" then
    for name in (doc or ""):gmatch("@tparam%S* %S+ ([%w_]+)") do list[#list + 1] = name end
    return list
  end
  for i = 1, info.nparams do list[i] = debug.getlocal(f, i) end
  if info.isvararg then list[#list + 1] = "..." end
  return list
end

local function add(entries, entry) entries[#entries + 1] = entry end

local function add_function(entries, name, f)
  local doc = doc_of(name, f)
  if doc and doc:find("@local", 1, true) then return end
  local parameters = parameters_of(f, doc)
  if parameters[1] == "self" then table.remove(parameters, 1) end
  -- a method that does not need its object has no name for it
  if name:find(":") and debug.getinfo(f, "S").what ~= "C" and parameters[1] == "_" then
    table.remove(parameters, 1)
  end
  add(entries, { name = name, kind = "function", parameters = parameters, f = f, doc = doc })
end

local function add_module(entries, prefix, module, hidden)
  for key, value in pairs(module) do
    local name = prefix .. "." .. key
    if type(value) == "function" then
      add_function(entries, name, value)
    elseif not (hidden and hidden[key]) then
      add(entries, { name = name, kind = "field" })
    end
  end
end

-- ---- Objects ----

local function methods_of(object)
  local index = debug.getmetatable(object).__index
  if type(index) == "function" then
    local _, methods = debug.getupvalue(index, 1)
    return methods
  end
  return index
end

local function add_object(entries, prefix, object, hidden)
  for key, f in pairs(methods_of(object)) do
    if type(f) == "function" and not (hidden and hidden[key]) then
      add_function(entries, prefix .. ":" .. key, f)
    end
  end
  local block = tables[prefix]
  if not block then return end
  for name in block:gmatch("@tfield %S+ ([%w_]+)") do
    assert(object[name] ~= nil, ("%s.%s is documented, but not there"):format(prefix, name))
    add(entries, { name = prefix .. "." .. name, kind = "field", doc = block })
  end
end

-- Objects of every class, in a world without sockets.
local function with_objects(f)
  local stomp, testing, core = require "stomp", require "stomp.testing", require "stomp.core"
  local world = testing.world()
  local broker = world:broker()
  world:run(function()
    local client = assert(stomp.connect(broker.url, world:options()))
    local subscription = assert(client:subscribe("/queue/a", { confirm = true }))
    assert(client:send("/queue/a", "x"))
    local file = assert(io.tmpfile())
    local connection = core.connection { websocket = false }
    assert(connection:connect(0))
    assert(connection:feed("CONNECTED\nversion:1.2\n\n\0", 0))
    f {
      client = client, subscription = subscription, message = assert(subscription:receive(5)),
      transaction = assert(client:begin()), broker = broker, world = world, network = world.network,
      line = world.network:lines()[1], random = world.random, tracer = assert(stomp.tracer(file)),
      parser = core.parser(), connection = connection, websocket = core.websocket(),
    }
    client:close()
  end)
  world:close()
end

-- ---- Options: tables of name = types in the sources ----

local labels = {
  ["options.lua known"] = "connect", ["options.lua heartbeat_types"] = "connect.heartbeat",
  ["options.lua limit_types"] = "connect.limits", ["options.lua tls_types"] = "connect.tls",
  ["options.lua reconnect_types"] = "connect.reconnect", ["reconnect.lua attempt_types"] = "attempt",
  ["subscribing.lua subscribe_options"] = "subscribe",
  ["subscribing.lua acknowledge_options"] = "subscribe.acknowledge",
  ["subscribing.lua unsubscribe_options"] = "unsubscribe", ["sending.lua send_options"] = "send",
  ["request.lua request_options"] = "request", ["request.lua reply_options"] = "request.reply",
  ["transaction.lua commit_options"] = "commit", ["transaction.lua abort_options"] = "abort",
  ["tracer.lua tracer_options"] = "tracer", ["replay.lua replay_options"] = "replay",
  ["broker/options.lua known"] = "broker", ["broker/misbehaviour.lua known"] = "misbehave",
  ["testing/init.lua world_options"] = "world",
}

local types = { string = true, number = true, boolean = true, table = true, userdata = true }
types["function"], types["nil"] = true, true

-- Whether it is a table of options: all its values are names of types.
local function is_options(value)
  if type(value) ~= "table" or next(value) == nil then return false end
  for name, given in pairs(value) do
    if type(given) == "table" then given = given[1] end
    if type(name) ~= "string" or type(given) ~= "string" then return false end
    for word in given:gmatch("%S+") do
      if not types[word] then return false end
    end
  end
  return true
end

local function add_options(entries)
  local pipe = assert(io.popen("find lua/stomp -name '*.lua' | sort"))
  local found = {}
  for path in pipe:lines() do
    local text = table.concat(lines_of(path), "\n")
    for name, literal in ("\n" .. text):gmatch("\nlocal ([%w_]+) = (%b{})") do
      local chunk = load("return " .. literal, path, "t", {})
      local ok, value = pcall(chunk or error)
      if ok and is_options(value) then
        local key = path:gsub("^lua/stomp/", "") .. " " .. name
        local label = assert(labels[key], "tools/api.lua does not know the options " .. key)
        found[key] = true
        for option in pairs(value) do
          add(entries, { name = "options." .. label .. "." .. option, kind = "option" })
        end
      end
    end
  end
  pipe:close()
  for key in pairs(labels) do assert(found[key], key .. " is no table of options any more") end
end

-- ---- Events and kinds of errors ----

local function add_words(entries)
  local text = table.concat(lines_of("lua/stomp/events.lua"), "\n")
  for event in text:match("\nlocal known = (%b{})"):gmatch("([%w_]+) = true") do
    add(entries, { name = "event." .. event, kind = "event" })
  end
  for kind in pairs(require "stomp.errors".kinds) do
    add(entries, { name = "error." .. kind, kind = "error" })
  end
end

-- Fields of errors, as docs/errors.md has them; what the sources set must be there.
local function add_error_fields(entries)
  local known = { kind = true, name = true, message = true }
  for name in table.concat(lines_of("docs/errors.md"), "\n"):gmatch("\n| `([%l_]+)` |") do known[name] = true end
  for name in pairs(known) do add(entries, { name = "err." .. name, kind = "field" }) end
  local function check(path, text, pattern)
    for name in text:gmatch(pattern) do
      assert(known[name], ("%s sets err.%s, which docs/errors.md does not name"):format(path, name))
    end
  end
  local c = table.concat(lines_of("src/lua/support.c"), "\n")
  c = c:match("\nint push_error%(.-\n}") .. c:match("\nint push_end%(.-\n}")
    .. c:match("\nstatic void set_answer%(.-\n}")
  check("src/lua/support.c", c, 'lua_setfield%(L, %-2, "([%l_]+)"%)')
  check("src/lua/support.c", c, 'set_number%(L, "([%l_]+)"')
  local pipe = assert(io.popen("find lua/stomp -name '*.lua'"))
  for path in pipe:lines() do
    local text = table.concat(lines_of(path), "\n")
    check(path, text, "err%.([%l_]+) = ")
    check(path, text, "err%.([%l_]+), err%.")
  end
  pipe:close()
end

-- ---- All ----

-- Of the C module what only the project's modules use.
local own = { frame_methods = true, error_metatable = true }
-- Of a frame what only the client and the loops use.
local frame_own = { bind = true, size = true }

--- Every entry, sorted by name.
function api.entries()
  local entries = {}
  add_module(entries, "stomp", require "stomp")
  add_module(entries, "core", require "stomp.core", own)
  add_module(entries, "broker", require "stomp.broker")
  add_module(entries, "testing", require "stomp.testing")
  add_module(entries, "scheduler", require "stomp.loop.scheduler")
  add_module(entries, "transport", require "stomp.transport.lws")
  with_objects(function(objects)
    for figure in pairs(objects.client:stats()) do add(entries, { name = "stats." .. figure, kind = "field" }) end
    for prefix, object in pairs(objects) do
      add_object(entries, prefix, object, prefix == "message" and frame_own)
    end
  end)
  add_options(entries)
  add_words(entries)
  add_error_fields(entries)
  table.sort(entries, function(a, b) return a.name < b.name end)
  return entries
end

return api
