-- SPDX-License-Identifier: MIT
-- RFC 6455, framing: every vector of vectors/websocket*.md through core.websocket,
-- and two of them joined in memory. (Every single cut, and what Lua cannot reach,
-- is spec/c/websocket_test.c's.)
local core = require "stomp.core"
local frames = require "spec.support.frames"
local pair = require "spec.support.pair"
local vectors = require "spec.support.vectors"

local FILES = { "websocket", "websocket_limits", "websocket_utf8", "websocket_deflate" }
local MOST = 300000 -- octets of a stream that Lua masks by itself

local SENDABLE = { text = true, binary = true, ping = true, pong = true }

local function zeroes(n)
  return ("\0"):rep(n)
end

local function outcome(...)
  return { n = select("#", ...), ... }
end

--- One run of a vector: what it writes down.
local Run = {}
Run.__index = Run

function Run:sent(failure)
  for _, frame in ipairs(frames.decode(self.machine:output(), self.server, self.inflate)) do
    if failure and frame.kind == "close" then
      assert.is_true(failure.message:find(frame.payload, 1, true) ~= nil)
      frame.payload = ""
    end
    self.log[#self.log + 1] = "  sends " .. frames.say(frame.kind, frame.code, frame.payload)
  end
end

function Run:refused(ok, _, err)
  if not ok then self.log[#self.log + 1] = "refused " .. err.name end
end

--- What the owner does when so many octets were given.
function Run:act(offset)
  local sends = self.stream.sends
  while sends[self.done + 1] and sends[self.done + 1].at <= offset do
    self.done = self.done + 1
    local line = sends[self.done].line
    if line.kind == "close" then
      self:refused(self.machine:close(line.code, line.payload))
    elseif SENDABLE[line.kind] then
      self:refused(self.machine:send(line.kind, line.payload))
    else -- no kind that Lua has: it raises
      assert.is_false((pcall(self.machine.send, self.machine, line.kind, line.payload)))
      self.log[#self.log + 1] = "refused WINVALID"
    end
    self:sent()
  end
end

--- Everything that is complete; false once it has failed.
function Run:drain()
  while true do
    local kind, a, b = self.machine:next()
    if not kind then
      if not a then return true end
      self.log[#self.log + 1] = ("error %s byte %d"):format(b.name, b.offset)
      self:sent(b)
      return false
    elseif kind == "close" then
      self.log[#self.log + 1] = frames.say(kind, a, b)
    else
      self.log[#self.log + 1] = frames.say(kind, nil, a)
      if self.echo and (kind == "text" or kind == "binary") then
        self:refused(self.machine:send(kind, a))
      end
    end
    self:sent()
  end
end

local function terms_of(said)
  return said.deflate and {
    server_no_context_takeover = said.server_resets, client_no_context_takeover = said.client_resets,
    server_max_window_bits = said.server_bits, client_max_window_bits = said.client_bits,
  }
end

--- What the peer makes of a compressed frame. (C asks zlib: websocket_test.c.)
local function inflater(options)
  local peer = core.websocket { role = options.role == "server" and "client" or "server",
    compression = options.compression }
  return function(bytes)
    assert(peer:feed(bytes))
    return (select(2, assert(peer:next())))
  end
end

--- The log of a stream in pieces of `step` octets.
local function run(stream, options, echo, step)
  local self = setmetatable({ machine = core.websocket(options), server = options.role == "server",
    stream = stream, echo = echo, done = 0, log = {} }, Run)
  if options.compression then self.inflate = inflater(options) end
  local at = 0
  self:act(0)
  while at < #stream.bytes do
    local stop = math.min(at + step, #stream.bytes)
    local send = stream.sends[self.done + 1]
    if send then stop = math.min(stop, send.at) end
    assert(self.machine:feed(stream.bytes:sub(at + 1, stop)))
    at = stop
    if not self:drain() then break end
    self:act(at)
  end
  return table.concat(self.log, "\n")
end

local function size(block)
  local fill = table.concat(block.lines, "\n"):match("fill=(%d+)")
  return tonumber(fill) or 0
end

describe("core.websocket", function()
  local n = 0
  for _, file in ipairs(FILES) do
    for _, vector in ipairs(vectors.read("spec/vectors/" .. file .. ".md")) do
      local block = vector.blocks[1]
      local _, said = vectors.options(block)
      n = n + 1
      for _, role in ipairs { "client", "server" } do
        local meant = said[role] or not (said.client or said.server)
        if meant and not said.unlimited and size(block) <= MOST then
          it(vector.title .. " (" .. role .. ")", function()
            local stream = frames.read(block, role == "server")
            local expected = frames.expected(vector.blocks[2], stream)
            local options = { role = role, strict_utf8 = said.strict, random = zeroes, compression = terms_of(said),
              limits = said.limit and { message = said.limit } }
            for _, step in ipairs { math.huge, 7, 1, said.chop } do
              if #stream.bytes / step <= 70000 then
                assert.equal(expected, run(stream, options, said.echo, step), "in pieces of " .. step)
              end
            end
          end)
        end
      end
    end
  end

  it("has 470 vectors or more", function()
    assert.is_true(n >= 470)
  end)

  it("stays failed, and takes no more", function()
    local machine = core.websocket()
    assert.is_true(machine:feed("\131\0"))
    for _ = 1, 2 do
      local kind, message, err = machine:next()
      assert.is_nil(kind)
      assert.equal("protocol: WebSocket: unknown opcode (byte 0)", message)
      assert.equal("protocol", err.kind)
      assert.equal(0, err.offset)
      assert.equal("WOPCODE", select(3, machine:feed("\129\0")).name)
    end
    assert.equal("WSTATE", select(3, machine:send("text", "late")).name)
  end)

  it("says that more is needed with nil alone", function()
    local machine = core.websocket()
    assert.same({ n = 1 }, outcome(machine:next()))
    machine:feed("\1\2ab")
    assert.same({ n = 1 }, outcome(machine:next()))
    machine:feed("\128\1c")
    assert.same({ n = 2, "text", "abc" }, outcome(machine:next()))
    machine:feed("\136\5\3\233bye")
    assert.same({ n = 3, "close", 1001, "bye" }, outcome(machine:next()))
  end)

  it("has no room when the output is full, and room when it was taken", function()
    local machine = core.websocket { role = "server", limits = { outbox = 1000 } }
    assert.is_true(machine:send("binary", ("x"):rep(700)))
    assert.is_false(machine:send("binary", ("x"):rep(700)))
    assert.equal(704, #machine:output())
    assert.is_true(machine:send("binary", ("x"):rep(700)))
    assert.equal("limit", select(3, machine:send("binary", ("x"):rep(2000))).kind)
  end)

  it("answers the newest ping when the output was full", function()
    local machine = core.websocket { limits = { outbox = 0 }, random = zeroes }
    for i = 1, 9 do
      machine:feed("\137\125" .. tostring(i):rep(125))
      assert.same({ "ping", tostring(i):rep(125) }, { machine:next() })
    end
    local answered = {}
    for _ = 1, 3 do
      local seen = ""
      for _, frame in ipairs(frames.decode(machine:output(), false)) do
        seen = seen .. frame.kind .. frame.payload:sub(1, 1) .. " "
      end
      answered[#answered + 1] = seen
    end
    assert.same({ "pong1 pong2 pong3 ", "pong9 ", "" }, answered)
  end)

  it("draws a fresh mask for each frame, and tells when it cannot", function()
    local drawn = 0
    local machine = core.websocket { random = function(k)
      drawn = drawn + 1
      if drawn == 3 then error("no entropy") end
      return ("%04d"):format(drawn):sub(1, k)
    end }
    machine:send("text", "")
    machine:send("text", "")
    assert.equal("\129\1280001\129\1280002", machine:output())
    assert.equal("ERANDOM", select(3, machine:send("text", "")).name)
    assert.equal("", machine:output())
    assert.is_true(machine:send("text", ""))
  end)

  it("blames the caller for what it does not know", function()
    local function complains(text, ...)
      local ok, message = pcall(...)
      assert.is_false(ok)
      assert.is_truthy(message:find(text, 1, true), message)
    end
    complains("unknown option 'rôle'", core.websocket, { ["rôle"] = "client" })
    complains("option 'role'", core.websocket, { role = "both" })
    complains("option 'limits'", core.websocket, { limits = 5 })
    complains("option 'limits'", core.websocket, { limits = { message = 0 } })
    complains("unknown option 'frame'", core.websocket, { limits = { frame = 5 } })
    complains("option 'random': function expected, got number", core.websocket, { random = 4 })
    complains("option 'compression': boolean or table expected, got number", core.websocket, { compression = 4 })
    complains("unknown option 'level'", core.websocket, { compression = { level = 4 } })
    complains("option 'client_max_window_bits': 8 to 15", core.websocket,
      { compression = { client_max_window_bits = 7 } })
    complains("option 'random': function expected, got number", core.connection, { random = 4 })
    complains("invalid option 'close'", core.websocket().send, core.websocket(), "close")
    complains("close code expected", core.websocket().close, core.websocket(), 70000)
  end)

  it("is strict in a connection that wants it so", function()
    for _, strict in ipairs { false, true } do
      local p = pair.new({ binary = "never" }, { strict_utf8 = strict })
      p:connect()
      assert(p.client:send("SEND", { destination = "/queue/a" }, "\255"))
      local ok, _, err = p:pump()
      assert.equal(strict and "WUTF8", not ok and err.name)
    end
  end)

  for _, piece in ipairs { 1, 3, 1000000 } do
    it("talks to its like in pieces of " .. piece, function()
      local client, server = core.websocket(), core.websocket { role = "server", strict_utf8 = true }
      local function carry(from, to)
        local bytes = from:output()
        for i = 1, #bytes, piece do assert(to:feed(bytes:sub(i, i + piece - 1))) end
      end
      local messages = { "", "x", ("é"):rep(100), ("y"):rep(70000) }
      for _, text in ipairs(messages) do
        assert.is_true(client:send("text", text))
        assert.is_true(client:send("ping", text:sub(1, 125)))
        assert.is_true(server:send("binary", "\255" .. text))
      end
      carry(client, server)
      for _, text in ipairs(messages) do
        assert.same({ "text", text }, { server:next() })
        assert.same({ "ping", text:sub(1, 125) }, { server:next() })
      end
      carry(server, client)
      for _, text in ipairs(messages) do assert.same({ "binary", "\255" .. text }, { client:next() }) end
      for _, text in ipairs(messages) do assert.same({ "pong", text:sub(1, 125) }, { client:next() }) end
      assert.is_true(client:close(1000, "done"))
      assert.is_true(client:close(1001))
      carry(client, server)
      assert.same({ "close", 1000, "done" }, { server:next() })
      carry(server, client)
      assert.same({ "close", 1000, "" }, { client:next() })
      assert.equal("", client:output() .. server:output())
    end)
  end
end)
