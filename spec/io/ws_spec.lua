-- SPDX-License-Identifier: MIT
-- Compression against node's `ws`, in both roles and on all that it can agree on.
-- It is fetched by npm into build/interop; where that is not possible the tests
-- are pending.
local broker_module = require "stomp.broker"
local cjson = require "cjson"
local stomp = require "stomp"

local MODULE = "build/interop/node_modules/ws/wrapper.mjs"

local function succeeds(command)
  local result = os.execute(command .. " >/dev/null 2>&1")
  return result == true or result == 0
end

local function has_ws()
  if not succeeds("node --version") then return false end
  return succeeds("test -e " .. MODULE)
    or succeeds("timeout 60 npm install --prefix build/interop --silent --no-fund --no-audit ws@8")
end

local function start(role, options)
  local command = ("exec node spec/support/ws_peer.mjs %s %s '%s'"):format(MODULE, role, cjson.encode(options))
  return assert(io.popen(command))
end

local function says(peer)
  local line = assert(peer:read("*l"), "it has ended")
  return cjson.decode(line)
end

local function table_of(n)
  local rows = {}
  for i = 1, n do rows[i] = ('{"id":%d,"symbol":"LUA-%d","price":%d}'):format(i, i % 17, i * 107 % 1300) end
  return "[" .. table.concat(rows, ",") .. "]"
end

local ROWS = { 2000, 2000, 0, 1, 300 } -- of the messages that ws sends
local BODIES = { table_of(2000), table_of(2000), "short", table_of(1), ("noise\0\255"):rep(20), table_of(300) }

describe("With node's ws #process", function()
  local found
  setup(function() found = has_ws() end)

  local servers = {
    { options = {}, agreed = "permessage-deflate" },
    { options = { serverNoContextTakeover = true }, agreed = "permessage-deflate; server_no_context_takeover" },
    { options = { clientNoContextTakeover = true }, agreed = "permessage-deflate; client_no_context_takeover" },
    { options = { serverMaxWindowBits = 9, clientMaxWindowBits = 10 },
      agreed = "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10" },
    { options = { serverNoContextTakeover = true, clientNoContextTakeover = true, clientMaxWindowBits = 8,
      threshold = 0 }, saved = 1, agreed = "permessage-deflate; server_no_context_takeover; "
      .. "client_no_context_takeover; client_max_window_bits=8" },
  }
  for _, row in ipairs(servers) do
    it("a client talks over " .. row.agreed, function()
      if not found then return pending("there is no ws") end
      local peer = start("server", row.options)
      local client = assert(stomp.connect(("ws://127.0.0.1:%d/"):format(says(peer).port),
        { compression = true, heartbeat = { send = 0, receive = 0 }, proxy = false }))
      assert.is_true(client.compression)
      local extensions = says(peer).extensions
      local subscription = assert(client:subscribe("/queue/a", { id = "s" }))
      local size = 0
      for _, body in ipairs(BODIES) do
        assert(client:send("/queue/a", body))
        assert.equal(body, assert(subscription:receive(30)).body)
        size = size + #body
      end
      local stats = client:stats()
      assert.is_true(client:disconnect())
      assert.same({ code = 1000 }, says(peer))
      peer:close()
      assert.is_truthy(extensions:find("permessage-deflate", 1, true))
      assert.is_true(stats.bytes_sent * (row.saved or 2) < size and stats.bytes_received * 2 < size)
    end)
  end

  local clients = {
    {}, { serverNoContextTakeover = true }, { clientNoContextTakeover = true }, { serverMaxWindowBits = 9 },
    { serverMaxWindowBits = 8, clientMaxWindowBits = 9 }, { clientMaxWindowBits = 10, threshold = 0 },
    { serverNoContextTakeover = true, clientNoContextTakeover = true, serverMaxWindowBits = 12 },
  }
  for _, options in ipairs(clients) do
    it("the embedded broker serves a client that wants " .. cjson.encode(options), function()
      if not found then return pending("there is no ws") end
      local broker = assert(broker_module.listen("ws://127.0.0.1:0/ws", { compression = true }))
      options.url, options.sizes = broker.url, ROWS
      local peer = start("client", options)
      -- its messages come while the broker's loop turns
      local sessions = 0
      repeat
        stomp.sleep(0.01)
        local now = broker:stats().sessions
        sessions = math.max(sessions, now)
      until sessions > 0 and now == 0
      assert.is_truthy(says(peer).extensions:find("permessage-deflate", 1, true))
      for _ = 1, #ROWS do assert.same({ same = true }, says(peer)) end
      assert.same({ code = 1000 }, says(peer))
      peer:close()
      broker:close()
    end)
  end
end)
