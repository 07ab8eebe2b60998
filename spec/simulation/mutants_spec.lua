-- SPDX-License-Identifier: MIT
-- The simulation can fail: bugs made on purpose are found, each within some seeds.
local backlog_module = require "stomp.backlog"
local core = require "stomp.core"
local destinations = require "stomp.broker.destinations"
local pipeline_module = require "stomp.pipeline"
local proof = require "stomp.proof"
local pump_module = require "stomp.pump"
local queue = require "stomp.queue"
local receipts_module = require "stomp.receipts"
local router_module = require "stomp.router"
local simulation = require "spec.simulation.simulation"
local link_module = require "stomp.testing.link"
local subscription_module = require "stomp.subscription"

-- The methods of a module's objects.
local function methods_of(object) return getmetatable(object).__index end

local loop = { condition = function() return {} end }
local backlog = methods_of(backlog_module.new({}, 1))
local link = methods_of(link_module.new({ gone = true }))
local pipeline = methods_of(pipeline_module.new({ settings = {} }))
local pump = methods_of(pump_module.new(loop))
local receipts = methods_of(receipts_module.new({}))
local router = methods_of(router_module.new({}, {}, {}))
local subscription = methods_of(subscription_module.new(
  { pump = { loop = loop } }, "s", "/queue/a", {}))
local store = methods_of(destinations.new(1))

-- Put f(original) in the place of owner[name] while `body` runs.
local function with(owner, name, f, body)
  local original = owner[name]
  owner[name] = f(original)
  local ok, text = pcall(body)
  owner[name] = original
  assert(ok, text)
end

-- The first complaint within so many seeds.
local function found(seeds, first)
  for seed = first, first + seeds - 1 do
    local well, numbers = simulation.simulate(seed)
    if not well then return numbers.complaints[1] end
  end
  return nil
end

-- { what, owner, method, bug(original), what it is found by ("": one thing or another),
-- within so many seeds [200] from the first [1] }
local bugs = {
  { "a RECEIPT settles another send", receipts, "settle", function(settle)
    return function(self, id, frame)
      local wrong = id
      for other, entry in pairs(self.open.of) do
        if entry then wrong = other end
      end
      return settle(self, wrong, frame)
    end
  end, "" },
  { "a send is not repeated on the next connection", receipts, "unanswered", function()
    return function() return {} end
  end, "no answer" },
  { "a subscription is not made again", router, "in_order", function(in_order)
    return function(self)
      local list = in_order(self)
      table.remove(list)
      return list
    end
  end, "does not have" },
  { "an ACK goes to the next connection", core.frame_methods, "ack", function()
    return function(self)
      return self.owner.subscription.client.pump.link:send("ACK", { id = self.headers.ack })
    end
  end, "" },
  { "a message goes to the back of the queue", subscription, "pop", function()
    return function(self)
      local items = self.items
      local frame = items[items.last]
      queue.remove(items, frame)
      queue.pop(self.order)
      self.pump.link:release(frame)
      return frame
    end
  end, "after number" },
  { "a message is handed out twice", subscription, "offer", function(offer)
    return function(self, frame, others, n)
      offer(self, frame, others, n)
      if n % 5 == 0 then offer(self, frame, others, n) end
    end
  end, "" },
  { "who leaves the pump hands it to nobody", pump, "hand_over", function()
    return function() end
  end, "nobody for the link" },
  { "a waiter is not woken", pump, "deliver", function(deliver)
    local n = 0
    return function(self, waiter, value)
      n = n + 1
      if n % 7 > 0 or not waiter.control then return deliver(self, waiter, value) end
      waiter.done, waiter.value = true, value
    end
  end, "no answer" },
  { "a time-out is forgotten", pump, "wait", function(wait)
    return function(self, waiter, deadline)
      return wait(self, waiter, deadline and deadline + 1)
    end
  end, "" },
  { "the broker loses what was not acknowledged", store, "leave", function(leave)
    return function(self, session, list)
      for _, s in ipairs(list) do s.unacked:take_all() end
      return leave(self, session, list)
    end
  end, "" },
  { "the broker forgets that it has delivered before", store, "leave", function(leave)
    return function(self, session, list)
      local unacked = {}
      for _, delivery in pairs(session.deliveries) do unacked[#unacked + 1] = delivery.message end
      leave(self, session, list)
      for _, message in ipairs(unacked) do message.redelivered = false end
    end
  end, "again" },
  { "the backlog has no limit", backlog, "add", function(add)
    return function(self, ...)
      self.limit = math.huge
      return add(self, ...)
    end
  end, "wait for the next connection, and may be" },
  { "the backlog forgets what has left it", backlog, "remove", function(remove)
    return function(self, item)
      local bytes = self.bytes
      remove(self, item)
      self.bytes = bytes
    end
  end, "bytes are counted that wait for the next connection" },
  { "any number of sends is to be confirmed later", pipeline, "make_room", function()
    return function(_, _, timeout) return timeout end
  end, "to be confirmed later", 200, 1700 },
  { "messages that were taken count in the inbox", link, "release", function()
    return function() end
  end, "counted in the inbox" },
  { "who waits for reading is counted twice", pump, "deliver", function(deliver)
    return function(self, waiter, value)
      if waiter.control and waiter.at then self.control = self.control + 1 end
      return deliver(self, waiter, value)
    end
  end, "need reading" },
  { "the first of what is sent on a new connection is not waited for", proof, "is_needed", function()
    return function() return false end
  end, "the broker does not have it" },
  { "it is waited for by those who resume alone", proof, "begin", function()
    return function() end
  end, "the broker does not have it" },
  { "RECEIPTs that nobody waits for any more stay", receipts, "forget", function()
    return function() end
  end, "left in a closed client" },
}

if coroutine.close then -- luacheck: ignore 143 (from 5.4 on)
  bugs[#bugs + 1] = { "a task that is closed still waits", getmetatable(pump_module.new(loop)), "__close", function()
    return function() end
  end, "" }
  bugs[#bugs + 1] = { "a RECEIPT is awaited for a task that is closed", receipts, "abandon", function()
    return function() end
  end, "", 1000 }
end

describe("the simulation finds it when", function()
  for _, bug in ipairs(bugs) do
    it(bug[1], function()
      with(bug[2], bug[3], bug[4], function()
        local seeds = bug[6] or 200
        local complaint = found(seeds, bug[7] or 1)
        assert(complaint, ("not found in %d seeds"):format(seeds))
        assert.truthy(complaint:find(bug[5], 1, true), complaint)
      end)
    end)
  end
end)
