-- SPDX-License-Identifier: MIT
-- The arrows of docs/architecture.md: who may include or require whom. Prints
-- every arrow that is not in these tables.
local bad = 0

local function complain(...)
  bad = bad + 1
  print(string.format(...))
end

local function lines(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function set(text)
  local s = {}
  for word in text:gmatch("%S+") do s[word] = true end
  return s
end

-- ---- C: room -> rooms it may include from

local rooms = {
  core = set "",
  os = set "core",
  tls = set "core",
  io = set "core os tls",
  lua = set "core os tls io",
}

-- Inside core: header -> headers it may include. A .c file may include what its
-- own header may, and its own private header.
local core = {
  mem = "", random = "", error = "", limits = "", heartbeat = "", utf8 = "", sha1 = "", base64 = "", scan = "",
  buffer = "mem error",
  frame = "buffer",
  escape = "frame",
  parser = "frame limits parser_private",
  parser_private = "parser",
  parser_lines = "escape parser_private scan",
  encoder = "frame escape",
  map = "mem error",
  subscriptions = "frame map",
  acks = "subscriptions",
  sink = "error",
  session = "encoder heartbeat limits parser random sink",
  session_rules = "session",
  session_private = "acks session",
  session_ack = "session_private",
  session_send = "session_private session_rules",
  session_receive = "session_private session_rules",
  deflate = "buffer",
  websocket = "buffer deflate random utf8 websocket_private",
  websocket_private = "websocket",
  websocket_receive = "websocket_private",
  websocket_inflate = "limits websocket_private",
  http = "buffer base64 sha1",
  handshake = "buffer deflate frame random base64 http handshake_private",
  handshake_private = "handshake http",
  handshake_head = "handshake_private",
  handshake_answer = "handshake_private",
  handshake_body = "handshake_private",
  handshake_request = "handshake_private",
  handshake_extensions = "handshake_private",
  connection = "handshake session websocket connection_private",
  connection_private = "connection",
  connection_feed = "connection_private",
}
core.session = core.session .. " session_private"

for _, path in ipairs(lines "git ls-files --cached --others --exclude-standard 'src/*.c' 'src/*.h'") do
  local room, file = path:match("^src/(%w+)/([%w_]+)%.[ch]$")
  for name in read(path):gmatch('#include "([^"]+)"') do
    local from = name:match("^(%w+)/[%w_]+%.h$")
    if from and not rooms[room][from] then
      complain("%s includes %s: %s may not know %s", path, name, room, from)
    elseif not from and room == "core" then
      local header = name:match("^([%w_]+)%.h$")
      local known = core[file]
      if not known then
        complain("%s: tools/layers.lua does not know it", path)
      elseif header ~= file and not set(known)[header] then
        complain("%s includes %s: not in tools/layers.lua", path, name)
      end
    end
  end
  if room ~= "io" and read(path):find("libwebsockets.h", 1, true) then
    complain("%s knows libwebsockets", path)
  end
  if room ~= "lua" and read(path):find("#include <l", 1) and read(path):find("#include <lua", 1, true) then
    complain("%s knows Lua", path)
  end
end

-- ---- Lua: module -> level; a module requires only lower ones

local level = {}
local levels = {
  "core lws queue show",
  "errors check guard waiters loop.timers register hints dialect unique chance backoff statistics streams",
  "url json trace tracer unacked headers failures loop.tasks",
  "message options proxy loop.scheduler worker pool pipeline transport.lws difference",
  "pump gate events handling connector transport.replay",
  "receipts room backlog replay",
  "proof leaving",
  "sending",
  "acknowledging",
  "router subscription transaction request",
  "subscribing making",
  "resume",
  "reconnect",
  "life",
  "client",
  "connect broker.queue broker.unacked broker.figures broker.session broker.misbehaviour broker.options",
  "broker.destinations testing.conditions",
  "broker.commands",
  "broker.engine",
  "init broker.init testing.random testing.clock testing.loop testing.line",
  "testing.endpoint testing.link",
  "testing.network",
  "testing.init",
}
for i, names in ipairs(levels) do
  for name in names:gmatch("%S+") do level[name] = i end
end
-- The client finds loop and transport when it connects; the broker stands beside.
local seams = set "loop.scheduler transport.lws"

for _, path in ipairs(lines "git ls-files --cached --others --exclude-standard 'lua/stomp/*.lua'") do
  local module = path:match("^lua/stomp/(.+)%.lua$"):gsub("/", ".")
  if not level[module] then complain("%s: tools/layers.lua does not know it", path) end
  for name in read(path):gsub("%-%-[^\n]*", ""):gmatch('require%s*%(?%s*"stomp%.?([%w_.]*)"') do
    local other = name == "" and "init" or name
    if level[other .. ".init"] then other = other .. ".init" end
    if not level[other] then
      complain("%s requires stomp.%s, which tools/layers.lua does not know", path, name)
    elseif level[module] and level[other] >= level[module] and not seams[other] then
      complain("%s requires stomp.%s: not below it", path, name)
    end
  end
end

os.exit(bad == 0 and 0 or 1)
