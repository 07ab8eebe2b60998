-- SPDX-License-Identifier: MIT
-- What the embedded broker claims to do as RabbitMQ does, frame by frame: the same
-- conversations with both, by bare links, and what comes back is one list.
local broker_module = require "stomp.broker"
local rabbitmq = require "spec.support.rabbitmq"
local scheduler = require "stomp.loop.scheduler"
local transport = require "stomp.transport.lws"
local url_of = require "stomp.url"

local patience = 30

-- ---- A client that is a link

local methods = {}
local mt = { __index = methods }

local function open(url, version)
  local to = assert(url_of.parse(url))
  local self = setmetatable({
    link = assert(transport.open {
      host = to.host, port = to.port, host_header = to.host_header, path = to.path,
      versions = { version or "1.2" },
      connect_headers = { { "host", "/" }, { "login", "guest" }, { "passcode", "guest" } },
    }),
    received = {},
  }, mt)
  local frame, message = self:next()
  assert(frame and frame.command == "CONNECTED", message)
  return self
end

--- The next frame; false at a clean end, and how.
function methods:next()
  local deadline = scheduler.now() + patience
  while true do
    local frame, message = self.link:next()
    if frame ~= nil or message then return frame, message end
    assert(scheduler.now() < deadline, "no frame came")
    scheduler.wait(self.link, 0.5)
  end
end

function methods:frame(command, headers, body)
  assert(self.link:send(command, headers, body))
  return self
end

function methods:publish(queue, body, headers)
  local all = { destination = queue }
  for name, value in pairs(headers or {}) do all[name] = value end
  return self:frame("SEND", all, body)
end

function methods:subscribe(id, queue, ack, headers)
  local all = { id = id, destination = queue, ack = ack }
  for name, value in pairs(headers or {}) do all[name] = value end
  return self:frame("SUBSCRIBE", all)
end

--- The next n frames in words: "RECEIPT r", "MESSAGE body", "*" where redelivered.
function methods:words(n)
  local list = {}
  for i = 1, n do
    local frame, message = self:next()
    assert(frame, message)
    self.received[#self.received + 1] = frame
    list[i] = frame.command .. " " .. (frame.headers["receipt-id"] or frame.body)
      .. (frame.headers.redelivered == "true" and "*" or "")
  end
  return list
end

--- The next MESSAGE, whose body must be this.
function methods:message(body)
  local frame = assert(self:next())
  assert(frame.command == "MESSAGE" and frame.body == body, frame.command .. " " .. frame.body)
  return frame
end

--- Nothing came before the RECEIPT of a frame that goes out now.
function methods:is_idle()
  self:publish("/topic/nobody", "", { receipt = "idle" })
  local words = self:words(1)
  return words[1] == "RECEIPT idle", words[1]
end

function methods:close() self.link:close() end

-- ---- The conversations

local serial = 0

local function fresh()
  serial = serial + 1
  return ("/queue/lua-stomp-parity-%d-%d"):format(os.time(), serial)
end

local function suite(url)
  local clients = {}
  local function connect(version)
    local client = open(url(), version)
    clients[#clients + 1] = client
    return client
  end
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    clients = {}
  end)

  it("answers SENDs of a transaction after its COMMIT, and never after ABORT", function()
    local a, queue = connect(), fresh()
    a:frame("BEGIN", { transaction = "t", receipt = "begin" })
    a:publish(queue, "1", { transaction = "t", receipt = "send 1" })
    a:publish(queue, "2", { transaction = "t", receipt = "send 2" })
    a:frame("COMMIT", { transaction = "t", receipt = "commit" })
    assert.same({ "RECEIPT begin", "RECEIPT commit", "RECEIPT send 1", "RECEIPT send 2" }, a:words(4))
    a:frame("BEGIN", { transaction = "u", receipt = "begin" })
    a:publish(queue, "3", { transaction = "u", receipt = "send 3" })
    a:frame("ABORT", { transaction = "u", receipt = "abort" })
    assert.same({ "RECEIPT begin", "RECEIPT abort" }, a:words(2))
    a:publish(queue, "4", { receipt = "send 4" })
    assert.same({ "RECEIPT send 4" }, a:words(1))
    a:subscribe("s", queue, "auto", { receipt = "subscribe" })
    assert.same({ "RECEIPT subscribe", "MESSAGE 1", "MESSAGE 2", "MESSAGE 4" }, a:words(4))
  end)

  it("acknowledges at COMMIT; the RECEIPT of the ACK comes at once", function()
    local a, queue = connect(), fresh()
    a:publish(queue, "1")
    a:subscribe("s", queue, "client-individual", { ["prefetch-count"] = "1" })
    local message = a:message("1")
    a:publish(queue, "2", { receipt = "second" })
    assert.same({ "RECEIPT second" }, a:words(1))
    a:frame("BEGIN", { transaction = "t" })
    a:frame("ACK", { id = message.headers.ack, transaction = "t", receipt = "ack" })
    assert.same({ "RECEIPT ack" }, a:words(1))
    assert(a:is_idle()) -- its prefetch is still full
    a:frame("COMMIT", { transaction = "t" })
    a:message("2")
  end)

  it("takes a cumulative ACK, and gives the rest to the next one, redelivered", function()
    local a, queue = connect(), fresh()
    for i = 1, 4 do a:publish(queue, tostring(i)) end
    a:subscribe("s", queue, "client")
    local third
    for i = 1, 4 do
      local message = a:message(tostring(i))
      if i == 3 then third = message end
    end
    a:frame("ACK", { id = third.headers.ack, receipt = "ack" })
    assert.same({ "RECEIPT ack" }, a:words(1))
    a:close()
    local b = connect()
    b:subscribe("s", queue, "auto")
    assert.same({ "MESSAGE 4*" }, b:words(1))
    assert(b:is_idle())
  end)

  it("gives a message again after NACK, and drops it where requeue is false", function()
    local a, queue = connect(), fresh()
    a:publish(queue, "1")
    a:subscribe("s", queue, "client-individual", { ["prefetch-count"] = "1" })
    a:frame("NACK", { id = a:message("1").headers.ack })
    assert.same({ "MESSAGE 1*" }, a:words(1))
    a:frame("NACK", { id = a.received[1].headers.ack, requeue = "false" })
    a:publish(queue, "2")
    assert.same({ "MESSAGE 2" }, a:words(1))
  end)

  it("hands out no more than prefetch-count", function()
    local a, queue = connect(), fresh()
    for i = 1, 3 do a:publish(queue, tostring(i), { receipt = "r" .. i }) end
    a:words(3)
    a:subscribe("s", queue, "client-individual", { ["prefetch-count"] = "2", receipt = "s" })
    assert.same({ "RECEIPT s" }, a:words(1))
    a:message("1")
    local second = a:message("2")
    assert(a:is_idle())
    a:frame("ACK", { id = second.headers.ack })
    a:message("3")
  end)

  it("carries replies without SUBSCRIBE, with the temporary name as subscription", function()
    local a, b, queue = connect(), connect(), fresh()
    b:subscribe("s", queue, "auto", { receipt = "s" })
    b:words(1)
    a:publish(queue, "?", { ["reply-to"] = "/temp-queue/answers", ["correlation-id"] = "7" })
    local question = b:message("?")
    assert.matches("^/reply%-queue/", question.headers["reply-to"])
    b:publish(question.headers["reply-to"], "!", { ["correlation-id"] = "7" })
    local answer = a:message("!")
    assert.equal("/temp-queue/answers", answer.headers.subscription)
    assert.equal("7", answer.headers["correlation-id"])
    a:close()
    b:publish(question.headers["reply-to"], "too late", { receipt = "late" })
    assert.same({ "RECEIPT late" }, b:words(1))
  end)

  it("acknowledges by message-id before 1.2, and names a subscription that has an id", function()
    for _, version in ipairs { "1.0", "1.1" } do
      local a, queue = connect(version), fresh()
      for i = 1, 2 do a:publish(queue, tostring(i)) end
      a:subscribe("s", queue, "client", { ["prefetch-count"] = "1" })
      local message = a:message("1")
      assert.is_nil(message.headers.ack)
      assert.equal("s", message.headers.subscription)
      a:frame("ACK", { ["message-id"] = message.headers["message-id"], subscription = "s" })
      a:message("2")
    end
  end)

  it("has subscriptions without id at 1.0, which UNSUBSCRIBE names by destination", function()
    local a, queue = connect "1.0", fresh()
    a:frame("SUBSCRIBE", { destination = queue })
    a:publish(queue, "1")
    assert.is_nil(a:message("1").headers.subscription)
    a:frame("UNSUBSCRIBE", { destination = queue, receipt = "u" })
    assert.same({ "RECEIPT u" }, a:words(1))
    a:publish(queue, "2", { receipt = "send" })
    assert.same({ "RECEIPT send" }, a:words(1))
    assert(a:is_idle())
  end)

  it("answers with ERROR what it cannot do", function()
    for text, case in pairs {
      ["Unknown destination"] = { "SEND", { destination = "/nowhere/x" } },
      ["Processing error"] = { "SUBSCRIBE", { id = "s", destination = fresh(), ack = "foo" } },
    } do
      local a = connect():frame(case[1], case[2])
      local frame = a:next()
      assert.equal("ERROR", frame.command)
      assert.equal(text, frame.headers.message)
    end
  end)
end

describe("the embedded broker, compared,", function()
  local broker
  setup(function() broker = assert(broker_module.listen("ws://127.0.0.1:0/ws")) end)
  teardown(function() broker:close() end)
  suite(function() return broker.url end)

  it("can be told to end DISCONNECT as RabbitMQ does: closed, no RECEIPT", function()
    broker:misbehave { close_on = "DISCONNECT" }
    local a = open(broker.url)
    assert(a.link:disconnect())
    local frame, how = a:next()
    assert.is_false(frame)
    assert.equal("no receipt", how)
    broker:misbehave()
  end)
end)

describe("RabbitMQ, compared, #broker", function()
  suite(rabbitmq.url)
end)
