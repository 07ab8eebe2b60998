-- SPDX-License-Identifier: MIT
-- The embedded broker's engine: what it counts.
local clients = require "spec.support.engine_client"

describe("the broker engine counts", function()
  it("what passes through it", function()
    local broker, a, b = clients.setup(2)
    a:subscribe("1", "/topic/x"):subscribe("2", "/topic/x", "client")
    b:frame("BEGIN", { transaction = "t" })
    a:publish("/topic/x", "1", { receipt = "r" })
    local stats = broker:stats()
    stats.destinations, stats.held_bytes = nil, nil
    assert.same({
      sessions = 2, subscriptions = 2, transactions = 1, unacknowledged = 1, queued = 0,
      connects = 2, refused_logins = 0, timed_out = 0, cuts = 0,
      frames_received = 6, frames_sent = 5, messages_in = 1, messages_out = 2,
      redelivered = 0, receipts_sent = 1, receipts_withheld = 0, errors_sent = 0,
    }, stats)
    a:frame("UNSUBSCRIBE", { id = "1" })
    assert.equal(1, broker:stats().subscriptions)
    b:frame("ACK", { id = "none" })
    assert.equal(1, broker:stats().errors_sent)
  end)

  it("what each destination has seen and holds", function()
    local broker, a, b, c = clients.setup(3)
    a:subscribe("1", "/queue/x", "client-individual", { ["prefetch-count"] = "2" })
    b:subscribe("1", "/topic/x"):subscribe("2", "/topic/y")
    for i = 1, 5 do c:publish("/queue/x", tostring(i)) end
    c:publish("/topic/x", "1")
    assert.same({ published = 5, delivered = 2, redelivered = 0, acknowledged = 0, nacked = 0,
      queued = 3, unacknowledged = 2, consumers = 1 }, broker:stats("/queue/x"))
    local messages = a:take("MESSAGE")
    a:settle("ACK", messages[1]):settle("NACK", messages[2])
    assert.same({ published = 5, delivered = 4, redelivered = 1, acknowledged = 1, nacked = 1,
      queued = 2, unacknowledged = 2, consumers = 1 }, broker:stats("/queue/x"))
    assert.same({ published = 1, delivered = 1, redelivered = 0, acknowledged = 0, nacked = 0,
      queued = 0, unacknowledged = 0, consumers = 1 }, broker:stats("/topic/x"))
    local all = broker:stats().destinations
    assert.same(broker:stats("/queue/x"), all["/queue/x"])
    assert.equal(1, all["/topic/y"].consumers)
    assert.equal(1, broker:stats().redelivered)
  end)

  it("zeros for a destination that nobody used", function()
    local broker = clients.engine()
    assert.same({ published = 0, delivered = 0, redelivered = 0, acknowledged = 0, nacked = 0,
      queued = 0, unacknowledged = 0, consumers = 0 }, broker:stats("/queue/none"))
    assert.same({}, broker:stats().destinations)
  end)

  it("for the destinations of late, but forgets none that is used", function()
    local broker, a, b = clients.setup(2)
    a:subscribe("1", "/topic/used")
    b:publish("/topic/used", "1"):publish("/queue/full", "1")
    for i = 1, 5000 do b:publish("/topic/" .. i, "x") end
    local n = 0
    for _ in pairs(broker:stats().destinations) do n = n + 1 end
    assert.is_true(n <= 1024, n)
    assert.equal(1, broker:stats("/topic/used").published)
    assert.equal(1, broker:stats("/queue/full").queued)
    assert.equal(1, broker:stats("/topic/5000").published)
  end)

  it("for all that are used, however many", function()
    local broker, a = clients.setup(1)
    for i = 1, 3000 do a:publish("/queue/" .. i, "x") end
    local n = 0
    for _, figures in pairs(broker:stats().destinations) do n = n + figures.published end
    assert.equal(3000, n)
  end)
end)
