-- SPDX-License-Identifier: MIT
-- The client that Autobahn's test suite wants to see: for each case it connects
-- and gives every message back, with core.websocket's framing over LuaSocket.
-- Then it has the server write its reports and prints their summary; when it was
-- the whole suite, it goes between the marks of docs/autobahn.md. What `make autobahn` runs; see tools/autobahn.sh.
--   lua5.4 tools/autobahn.lua PORT REPORTS
local core = require "stomp.core"
local json = require "cjson"
local socket = require "socket"

local port, reports = tonumber(arg[1]), arg[2]
local AGENT = "lua-stomp"
local PATIENCE = 120 -- seconds without a byte

-- ---- One connection ----

-- The sample of RFC 6455, 1.3: what is tested here begins after the upgrade.
local KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

local REQUEST = "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
  .. "Connection: Upgrade\r\nSec-WebSocket-Key: " .. KEY .. "\r\nSec-WebSocket-Version: 13\r\n"
  .. "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

--- What core.websocket calls the terms of an accepted extension (RFC 7692, 7.1).
local function terms_of(extension)
  assert(extension:find("^permessage%-deflate"), extension)
  local terms = {}
  for name, value in extension:gmatch(";%s*([%w_]+)=?(%d*)") do terms[name] = tonumber(value) or true end
  return terms
end

local function upgrade(stream, path)
  assert(stream:send(REQUEST:format(path, port)))
  local answer = assert(stream:receive("*l"))
  assert(answer:find("^HTTP/1%.1 101 "), answer)
  local headers = {}
  while true do
    local line = assert(stream:receive("*l"))
    if line == "" then break end
    local name, value = line:match("^(%S+):%s*(.-)%s*$")
    headers[name:lower()] = value
  end
  assert(headers["sec-websocket-accept"] == ACCEPT, "the answer's accept key is not the request's")
  local extension = headers["sec-websocket-extensions"]
  return extension and terms_of(extension)
end

local function write_all(stream, bytes)
  local from = 1
  while from <= #bytes do
    local last, why, partial = stream:send(bytes, from)
    from = (last or partial) + 1
    if why == "closed" then return end -- what it still says is read
    if why == "timeout" then assert(#select(2, socket.select(nil, { stream }, PATIENCE)) > 0, why) end
  end
end

--- The bytes that are there, at least one; nil at the end.
local function read_some(stream)
  while true do
    local bytes, why, partial = stream:receive(65536)
    bytes = bytes or partial
    if #bytes > 0 then return bytes end
    if why ~= "timeout" then return nil end
    assert(#socket.select({ stream }, nil, PATIENCE) > 0, "the server says nothing")
  end
end

--- Handle what came: on_message(ws, kind, bytes), until there is no more.
local function handle(ws, on_message)
  while true do
    local kind, bytes = ws:next()
    if not kind then return end -- failed, closed or dry: the output says the rest
    if kind == "text" or kind == "binary" then on_message(ws, kind, bytes) end
  end
end

local function converse(path, on_message)
  local stream = assert(socket.connect("127.0.0.1", port))
  stream:settimeout(PATIENCE)
  stream:setoption("tcp-nodelay", true)
  local terms = upgrade(stream, path)
  stream:settimeout(0)
  local ws = assert(core.websocket({ strict_utf8 = true, compression = terms, limits = { outbox = 64 * 2 ^ 20 } }))
  while true do
    local bytes = read_some(stream)
    if not bytes then break end
    ws:feed(bytes) -- after a failure: refused, the server closes
    handle(ws, on_message)
    write_all(stream, ws:output())
  end
  stream:close()
end

-- ---- The suite ----

local function echo(ws, kind, bytes)
  assert(ws:send(kind, bytes))
end

local function ask(path)
  local answer
  converse(path, function(_, _, bytes) answer = json.decode(bytes) end)
  return answer
end

local count = assert(ask("/getCaseCount"), "no count of cases")
for case = 1, count do
  converse(("/runCase?case=%d&agent=%s"):format(case, AGENT), echo)
end
converse("/updateReports?agent=" .. AGENT, echo)

-- ---- The summary ----

local CATEGORIES = {
  ["1"] = "framing", ["2"] = "pings and pongs", ["3"] = "reserved bits", ["4"] = "opcodes",
  ["5"] = "fragments", ["6"] = "UTF-8", ["7"] = "closing", ["9"] = "limits", ["10"] = "other",
  ["12"] = "compression", ["13"] = "compression, parameters",
}

local function read_results()
  local file = assert(io.open(reports .. "/index.json"))
  local results = json.decode(file:read("*a"))[AGENT]
  file:close()
  return assert(results, "the report does not know us")
end

local function summarize(results)
  local rows, odd, failed = {}, {}, 0
  for id, result in pairs(results) do
    local number = id:match("^%d+")
    local row = rows[number] or { number = tonumber(number), OK = 0, ["NON-STRICT"] = 0, INFORMATIONAL = 0, FAILED = 0 }
    rows[number] = row
    local verdict = result.behavior
    if result.behaviorClose ~= "OK" and result.behaviorClose ~= "INFORMATIONAL" then verdict = result.behaviorClose end
    if not row[verdict] then verdict = "FAILED" end -- UNCLEAN, WRONG CODE, …
    row[verdict] = row[verdict] + 1
    if verdict == "FAILED" then failed = failed + 1 end
    if verdict ~= "OK" then odd[#odd + 1] = ("%s %s (close: %s)"):format(id, result.behavior, result.behaviorClose) end
  end
  local list = {}
  for _, row in pairs(rows) do list[#list + 1] = row end
  table.sort(list, function(a, b) return a.number < b.number end)
  table.sort(odd)
  return list, odd, failed
end

local function table_of(list)
  local lines = { "| cases | of | OK | non-strict | informational | failed |", "| --- | --- | --- | --- | --- | --- |" }
  local sums = { OK = 0, ["NON-STRICT"] = 0, INFORMATIONAL = 0, FAILED = 0 }
  local function line(name, what, row)
    lines[#lines + 1] = ("| %s | %s | %d | %d | %d | %d |"):format(
      name, what, row.OK, row["NON-STRICT"], row.INFORMATIONAL, row.FAILED)
  end
  for _, row in ipairs(list) do
    line(row.number .. ".*", CATEGORIES[tostring(row.number)] or "?", row)
    for verdict in pairs(sums) do sums[verdict] = sums[verdict] + row[verdict] end
  end
  line("all", "", sums)
  return table.concat(lines, "\n") .. "\n"
end

local list, odd, failed = summarize(read_results())
local summary = table_of(list)
io.write(summary)
for _, text in ipairs(odd) do print(text) end

local function write_page()
  local file = assert(io.open("docs/autobahn.md"))
  local page = file:read("*a")
  file:close()
  local n
  page, n = page:gsub("(<!%-%- summary %-%->\n).-(<!%-%- end %-%->)", function(from, to)
    return from .. summary .. to
  end)
  assert(n == 1, "docs/autobahn.md has lost the marks of its summary")
  file = assert(io.open("docs/autobahn.md", "w"))
  file:write(page)
  file:close()
end

if count == 517 then write_page() end
os.exit(failed == 0 and #list > 0 and 0 or 1)
