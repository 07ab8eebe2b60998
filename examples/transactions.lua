-- SPDX-License-Identifier: MIT
-- Transactions: what belongs together happens together, or not at all. Each order
-- becomes an invoice and a parcel, and is acknowledged; an order that cannot be
-- packed leaves neither, and is there again.
--
--     lua5.4 examples/transactions.lua                        (on an embedded broker)
--     BROKER=ws://localhost:15674/ws LOGIN=guest PASSCODE=guest lua5.4 examples/transactions.lua
--
-- Exits 0 when it was so.
local stomp = require "stomp"

local function option(name, default)
  local value = os.getenv(name)
  return value ~= nil and value ~= "" and value or default
end

local url = option("BROKER")
local broker = not url and assert(require "stomp.broker".listen "ws://127.0.0.1:0/ws")
local client = assert(stomp.connect(url or broker.url, { login = option("LOGIN"), passcode = option("PASSCODE") }))

-- Names of their own: on a real broker others may use theirs at the same time.
local run = ("%d-%d"):format(os.time(), math.floor(stomp.now() * 1000) % 1000000)
local ORDERS = "/queue/examples.orders." .. run
local INVOICES = "/queue/examples.invoices." .. run
local PARCELS = "/queue/examples.parcels." .. run

local tries = {}

local function pack(item)
  tries[item] = (tries[item] or 0) + 1
  if item == "a piano" and tries[item] == 1 then return nil, "no box is large enough" end
  return { box = "a box with " .. item }
end

-- On Lua 5.4 `local transaction <close> = assert(client:begin())` aborts by itself
-- where its scope is left by an error; everywhere else it is done by hand.
local function on_order(message)
  local item = message.body
  local transaction = assert(client:begin())
  -- confirmed sends in a transaction return at once: COMMIT waits for their RECEIPTs
  assert(transaction:send(INVOICES, "an invoice for " .. item, nil, { confirm = true }))
  local parcel, why = pack(item)
  if not parcel then
    -- the invoice, sent already, is as if it had never been
    assert(transaction:abort())
    print(("undone:    %s (%s)"):format(item, why))
    assert(message:nack()) -- and the order comes again
    return
  end
  assert(transaction:send(PARCELS, parcel.box, nil, { confirm = true }))
  -- the ACK belongs to it: were it lost, the order would be done twice
  assert(transaction:ack(message))
  local ok, problem, err = transaction:commit()
  if not ok then
    -- err.outcome == "unknown": it was sent, but the connection ended before the
    -- answer. The broker has done all of it or nothing.
    print(("not known: %s (%s, %s)"):format(item, problem, tostring(err.outcome)))
    return
  end
  print(("committed: %s"):format(item))
end

for _, item in ipairs { "a lamp", "a piano", "a book" } do
  assert(client:send(ORDERS, item, nil, { confirm = true }))
end
assert(client:subscribe(ORDERS, { ack = "client-individual", prefetch = 1 }, on_order))

local function take(queue, n)
  local subscription, list = assert(client:subscribe(queue)), {}
  for i = 1, n do list[i] = assert(subscription:receive(10)).body end
  assert(not subscription:receive(0.05), "one too many in " .. queue)
  table.sort(list)
  return table.concat(list, ", ")
end

local invoices, parcels = take(INVOICES, 3), take(PARCELS, 3)
assert(client:disconnect())
print("invoices:  " .. invoices)
print("parcels:   " .. parcels)

local complete = tries["a piano"] == 2
  and invoices == "an invoice for a book, an invoice for a lamp, an invoice for a piano"
  and parcels == "a box with a book, a box with a lamp, a box with a piano"
print(complete and "All or nothing, each time." or "Something is missing.")
os.exit(complete and 0 or 1, true)
