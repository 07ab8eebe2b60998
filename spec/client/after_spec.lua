-- SPDX-License-Identifier: MIT
-- err.after: whatever ends a connection, the error names the frames that were sent
-- last, newest first. (A close of RabbitMQ says no more than that.)
local fixture = require "spec.support.fixture"
local stomp = require "stomp"
local testing = require "stomp.testing"

-- The peer's last act, and the kind of the end.
local ends = {
  closed = {
    function(server) server:close(1000, "STOMP died") end,
    function(server) server:close(1006) end,
    function(server) server:close() end,
    function(server)
      server.link.pipe[1] = "MESSAGE\nsubscr"
      server:close()
    end,
  },
  broker = {
    function(server) server:send("ERROR", { message = "no" }) end,
    function(server) server:send("ERROR", { message = "no", ["receipt-id"] = "r-1" }, "because") end,
  },
  protocol = {
    function(server) server.link.pipe[1] = "MESSAGE\nno colon\n\n\0" end,
    function(server) server.link.pipe[1] = "NONSENSE\n\n\0" end,
    function(server) server.link.pipe[1] = "CONNECTED\nversion:1.2\n\n\0" end,
    function(server) server.link.pipe[1] = "MESSAGE\nsubscription:1\ncontent-length:x\n\n\0" end,
    function(server) server.link.pipe[1] = "MESSAGE\nsubscription:1\n\n\0" end,
  },
  limit = {
    function(server) server.link.pipe[1] = ("MESSAGE\ncontent-length:%d\n\n"):format(2 ^ 40) end,
  },
}

describe("err.after names the frames sent last", function()
  for kind, acts in pairs(ends) do
    for i, act in ipairs(acts) do
      it(("at an end of kind %s, case %d"):format(kind, i), function()
        local client, _, net = fixture.connect()
        assert(client:subscribe("/queue/in", { id = "in" }))
        local transaction = assert(client:begin("t"))
        assert(transaction:send("/queue/out", "x"))
        act(net.server)
        local err = fixture.failure(kind, client:run(5))
        assert.same({
          { command = "SEND", destination = "/queue/out" },
          { command = "BEGIN", destination = "t" },
          { command = "SUBSCRIBE", destination = "/queue/in" },
          { command = "CONNECT", destination = "" },
        }, err.after)
      end)
    end
  end

  it("where the peer is silent for too long", function()
    local world = testing.world { seed = 1 }
    local broker = world:broker()
    world:run(function()
      local client = assert(stomp.connect(broker.url, world:options()))
      assert(client:send("/queue/a", "x", nil, { confirm = true }))
      world.network:set { silent = "both" }
      local err = fixture.failure("heartbeat", client:run(60))
      assert.same({ command = "SEND", destination = "/queue/a" }, err.after[1])
    end)
    world:close()
  end)
end)
