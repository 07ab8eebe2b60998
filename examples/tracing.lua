-- SPDX-License-Identifier: MIT
-- Distributed tracing: W3C `traceparent` travels with the messages, so that what
-- many programs did for one order can be put together afterwards.
-- (https://www.w3.org/TR/trace-context/, "traceparent Header")
--
--     lua5.4 examples/tracing.lua                             (on an embedded broker)
--     BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua5.4 examples/tracing.lua
--
-- Each span is a line on standard output, as a collector would get it. Exits 0 when
-- all of them hang together.
local stomp = require "stomp"
local scheduler = require "stomp.loop.scheduler"

-- ---- traceparent: version 00, 16 bytes trace id, 8 bytes span id, flags ----

local function hex(n)
  return (scheduler.random(n):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- The id of an upstream span, or nil where the header is missing or none: then a
-- new trace begins, as the standard demands.
local function parse(traceparent)
  local version, trace, span, flags = (traceparent or ""):match("^(%x%x)%-(%x+)%-(%x+)%-(%x%x)")
  if not version or version == "ff" or #trace ~= 32 or #span ~= 16 then return nil end
  if trace:find("^0+$") or span:find("^0+$") then return nil end
  return { trace = trace, span = span, flags = flags }
end

local spans = {}

-- Do `f` in a span of that name, below `parent` (a traceparent, or nil). f gets the
-- traceparent that what it sends must carry.
local function in_span(name, parent, f)
  local above = parse(parent)
  local span = {
    name = name, trace = above and above.trace or hex(16), id = hex(8), parent = above and above.span,
    flags = above and above.flags or "01", began = stomp.now(),
  }
  f(("00-%s-%s-%s"):format(span.trace, span.id, span.flags))
  span.seconds = stomp.now() - span.began
  spans[#spans + 1] = span
  print(("trace=%s span=%s parent=%s %.3f s %s"):format(span.trace, span.id, span.parent or "none", span.seconds,
    span.name))
end

-- A handler whose work is a span below the sender's. It gets the message and the
-- traceparent for what it sends itself.
local function traced(name, handler)
  return function(message)
    in_span(name, message.headers.traceparent, function(traceparent) handler(message, traceparent) end)
  end
end

-- ---- Three programs (in one, for the example) ----

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local broker = not url and assert(require "stomp.broker".listen "ws://127.0.0.1:0/ws")
local account = { login = option("LOGIN"), passcode = option("PASSCODE") }
local function connect()
  local client = assert(stomp.connect(url or broker.url, account))
  stomp.spawn(function() client:run() end) -- handlers run while a task waits there
  return client
end

-- Names of their own: on a real broker others may use theirs at the same time.
local run = ("%d-%d"):format(os.time(), math.floor(stomp.now() * 1000) % 1000000)
local ORDERS, STOCK = "/queue/examples.orders." .. run, "/queue/examples.stock." .. run

local shipped = false

stomp.run(function()
  -- The stock answers requests: its reply carries the trace back.
  local stock = connect()
  assert(stock:subscribe(STOCK, { confirm = true }, traced("stock: look", function(message, traceparent)
    assert(message:reply("3 left", { traceparent = traceparent }))
  end)))

  -- The shop takes orders, and asks the stock.
  local shop = connect()
  assert(shop:subscribe(ORDERS, { ack = "client-individual", confirm = true },
    traced("shop: order", function(message, traceparent)
      local reply = assert(shop:request(STOCK, message.body, { headers = { traceparent = traceparent } }))
      in_span("shop: ship (" .. reply.body .. ")", reply.headers.traceparent, function() assert(message:ack()) end)
      shipped = true
    end)))

  -- A customer begins it all.
  local customer = connect()
  in_span("customer: buy", nil, function(traceparent)
    assert(customer:send(ORDERS, "a bicycle", { traceparent = traceparent }, { confirm = true }))
  end)

  local deadline = stomp.now() + 10
  while #spans < 4 and stomp.now() < deadline do stomp.sleep(0.01) end
  for _, client in ipairs { customer, shop, stock } do client:disconnect() end
end)

-- ---- Do they hang together? ----

local by_name = {}
for _, span in ipairs(spans) do by_name[span.name:match("^[^(]*[^( ]")] = span end
local buy, order = by_name["customer: buy"], by_name["shop: order"]
local look, ship = by_name["stock: look"], by_name["shop: ship"]
local complete = shipped and buy and order and look and ship and not buy.parent
  and order.parent == buy.id and look.parent == order.id and ship.parent == look.id
for _, span in ipairs(spans) do complete = complete and span.trace == buy.trace end
print(complete and "One trace, four spans." or "The trace is torn.")
os.exit(complete and 0 or 1, true)
