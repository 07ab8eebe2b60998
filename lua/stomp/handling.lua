-- SPDX-License-Identifier: MIT
-- How a subscription's handler is called: in tasks of its own, an error in it told.
-- Knows errors, failures, pool and worker; the subscription it is handed.
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local pool = require "stomp.pool"
local worker = require "stomp.worker"

-- A message of a stream was handled: reading it goes on after this one.
local function handled(self, message)
  self.offset = tonumber(message.headers["x-stream-offset"]) or self.offset
end

local function handle(self, message)
  local client = self.client
  self.pump.link:release(message)
  if self.acknowledging and self.acknowledging.automatic then
    local ok, _, err = message:ack()
    if not ok then
      err = errors.about(("subscription %s (%s)"):format(self.id, self.destination), err)
      client.events:fire("error", err.message, err)
    end
  end
  self.handler(message, client)
  if self.stream then handled(self, message) end
end

local function handler_failed(self, traceback, value)
  local err = failures.raised(value, traceback)
  self.client.events:fire("error", err.message, err)
end

--- Who calls the handler of this subscription: one task, or several.
local function new(self, options)
  local loop, n, name = self.client.pump.loop, options.concurrency, options.order_by
  local function run(message) handle(self, message) end
  local function failed(_, traceback, value)
    handler_failed(self, traceback, value)
  end
  if not n or n == 1 then return worker.new(loop, run, failed) end
  return pool.new(loop, run, failed, n, name and function(message)
    return message.headers[name]
  end)
end

return { new = new, handled = handled }
