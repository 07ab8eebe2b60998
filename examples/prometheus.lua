-- SPDX-License-Identifier: MIT
-- The figures of several clients as Prometheus reads them (text format 0.0.4).
--
--     lua5.4 examples/prometheus.lua                          (on an embedded broker)
--     BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua5.4 examples/prometheus.lua
--
-- Copy `metrics` into your program and print it where your exporter is asked: into
-- a file for the node exporter's textfile collector, or as the answer of /metrics.
-- docs/stats.md says what each figure means.
local stomp = require "stomp"

-- ---- The text ----

-- name of the figure, type, help
local figures = {
  { "frames_sent", "counter", "STOMP frames sent" },
  { "frames_received", "counter", "STOMP frames received" },
  { "messages", "counter", "MESSAGE frames received" },
  { "bytes_sent", "counter", "Bytes sent" },
  { "bytes_received", "counter", "Bytes received" },
  { "heartbeats_sent", "counter", "Heart-beats sent" },
  { "heartbeats_received", "counter", "Heart-beats received" },
  { "reconnects", "counter", "Connections after the first" },
  { "paused_seconds", "counter", "Time in which reading was stopped, the inbox being full" },
  { "late_replies", "counter", "Replies that came too late" },
  { "unknown_receipts", "counter", "RECEIPTs that nobody had asked for" },
  { "inbox_bytes", "gauge", "Bytes received that nobody has taken" },
  { "outbox_bytes", "gauge", "Bytes sent that are not written yet" },
  { "receipts_outstanding", "gauge", "RECEIPTs awaited" },
  { "queued", "gauge", "Sends that wait for a connection" },
  { "unacked", "gauge", "Messages not acknowledged" },
  { "oldest_unacked", "gauge", "Age of the oldest message not acknowledged", "_seconds" },
  { "round_trip", "gauge", "Round trip of the last ping", "_seconds" },
}

local escapes = { ["\\"] = "\\\\", ["\""] = "\\\"", ["\n"] = "\\n" }

local function quoted(text)
  return "\"" .. tostring(text):gsub("[\\\"\n]", escapes) .. "\""
end

-- `clients`: name -> client. A counter's name ends in _total, a time's in _seconds.
local function metrics(clients)
  local names, stats, lines = {}, {}, {}
  for name, client in pairs(clients) do
    names[#names + 1] = name
    stats[name] = client:stats()
  end
  table.sort(names)
  local function add(...) lines[#lines + 1] = (...) end
  local function head(name, kind, help)
    add(("# HELP %s %s"):format(name, help))
    add(("# TYPE %s %s"):format(name, kind))
  end
  for _, figure in ipairs(figures) do
    local key, kind, help, unit = figure[1], figure[2], figure[3], figure[4]
    local name = "stomp_" .. key .. (unit or "") .. (kind == "counter" and "_total" or "")
    head(name, kind, help)
    for _, client in ipairs(names) do
      add(("%s{client=%s} %.15g"):format(name, quoted(client), stats[client][key]))
    end
  end
  head("stomp_connected", "gauge", "Whether the client is connected")
  for _, client in ipairs(names) do
    add(("stomp_connected{client=%s,broker=%s} %d"):format(quoted(client), quoted(clients[client].url),
      clients[client].state == "connected" and 1 or 0))
  end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- Two clients with something to tell ----

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local broker = not url and assert(require "stomp.broker".listen "ws://127.0.0.1:0/ws")
local account = { login = option("LOGIN"), passcode = option("PASSCODE") }
local shop = assert(stomp.connect(url or broker.url, account))
local stock = assert(stomp.connect(url or broker.url, account))

local queue = ("/queue/examples.metrics.%d-%d"):format(os.time(), math.floor(stomp.now() * 1000) % 1000000)
local orders = assert(stock:subscribe(queue, { ack = "client-individual", confirm = true }))
for n = 1, 5 do assert(shop:send(queue, { n = n }, nil, { confirm = true })) end
local messages = {}
for i = 1, 5 do messages[i] = assert(orders:receive(10)) end
for i = 1, 3 do assert(messages[i]:ack()) end -- two are still being worked on

io.write(metrics { shop = shop, stock = stock })

for i = 4, 5 do assert(messages[i]:ack()) end
assert(shop:disconnect())
assert(stock:disconnect())
