-- SPDX-License-Identifier: MIT
-- The transport on libwebsockets' I/O thread, over the loopback interface.
local scheduler = require "stomp.loop.scheduler"
local transport = require "stomp.transport.lws"

describe("the lws transport:", function()
  require "spec.conformance.transport" {
    transport = transport, loop = scheduler, run = scheduler.run, describe = describe, it = it,
  }
end)
