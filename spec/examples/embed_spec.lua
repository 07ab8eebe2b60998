-- SPDX-License-Identifier: MIT
-- examples/embed.c: the C program on src/core alone, against a server made of
-- core.session and a socket, and against RabbitMQ's STOMP over TCP.
local core = require "stomp.core"
local rabbitmq = require "spec.support.rabbitmq"
local socket = require "socket"

-- The running program: its output's pipe.
local function start(port, destination, text)
  return assert(io.popen(("build/examples/embed 127.0.0.1 %d %s '%s' 2>&1; echo status $?")
    :format(port, destination, text)))
end

-- What it printed, and its exit status.
local function finish(pipe)
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.-)status (%d+)%s*$")
  return output, tonumber(status)
end

-- Serve one connection: answer(session, frame) for each frame, until the program ends
-- it or answer returns true. The commands that came.
local function serve(listener, answer)
  listener:settimeout(30)
  local stream = assert(listener:accept())
  stream:settimeout(30)
  local session, commands = core.session { role = "server" }, {}
  while true do
    local byte = stream:receive(1) -- cut everywhere
    if not byte then break end
    assert(session:feed(byte, 0))
    local frame = session:next()
    if frame then
      commands[#commands + 1] = frame.command
      if frame.command == "CONNECT" then assert(session:accept(0)) end
      if answer(session, frame) then break end
      stream:send(session:output())
    end
  end
  stream:close()
  return commands
end

describe("examples/embed.c #process", function()
  local listener, port

  setup(function() assert(os.execute("make -s embed")) end)

  before_each(function()
    listener = assert(socket.bind("127.0.0.1", 0))
    port = select(2, listener:getsockname())
  end)

  after_each(function() listener:close() end)

  it("subscribes, sends, acknowledges and leaves in order", function()
    local pipe, acknowledged = start(port, "/queue/a", "text with blanks")
    local commands = serve(listener, function(session, frame)
      local headers = frame.headers
      if frame.command == "SEND" then
        assert(session:send("MESSAGE", { subscription = "1", ["message-id"] = "7", ack = "x:7",
          destination = headers.destination }, frame.body))
      elseif frame.command == "ACK" then
        acknowledged = headers.id
      elseif headers.receipt then
        assert(session:send("RECEIPT", { ["receipt-id"] = headers.receipt }))
      end
    end)
    assert.same({ "CONNECT", "SUBSCRIBE", "SEND", "ACK", "DISCONNECT" }, commands)
    assert.equal("x:7", acknowledged)
    local output, status = finish(pipe)
    assert.equal("CONNECTED \nMESSAGE text with blanks\nRECEIPT \ndone\n", output)
    assert.equal(0, status)
  end)

  it("tells the server's ERROR, a lost connection and a port without server", function()
    local pipe = start(port, "/queue/a", "x")
    serve(listener, function(session, frame)
      if frame.command == "SUBSCRIBE" then assert(session:send("ERROR", { message = "no" }, "not yours")) end
    end)
    local output, status = finish(pipe)
    assert.truthy(output:find("embed: the broker answered with ERROR no: not yours\n", 1, true), output)
    assert.truthy(output:find("CONNECTED \nERROR not yours\n", 1, true), output)
    assert.equal(1, status)

    pipe = start(port, "/queue/a", "x")
    serve(listener, function(_, frame) return frame.command == "SEND" end)
    output, status = finish(pipe)
    assert.truthy(output:find("the connection was lost", 1, true), output)
    assert.equal(1, status)

    listener:close()
    output, status = finish(start(port, "/queue/a", "x"))
    assert.truthy(output:find("Connection refused", 1, true), output)
    assert.equal(1, status)
  end)

  it("does the same on RabbitMQ #broker", function()
    local output, status = finish(start(rabbitmq.tcp_port(), "/queue/embed", "hello"))
    assert.equal("CONNECTED \nMESSAGE hello\nRECEIPT \ndone\n", output)
    assert.equal(0, status)
  end)
end)
