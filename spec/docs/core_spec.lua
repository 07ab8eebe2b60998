-- SPDX-License-Identifier: MIT
-- docs/core.md: each of its programs runs as it stands there, in a process of its
-- own, and prints what the page says.
local example = require "spec.support.example"

local function blocks()
  local file = assert(io.open("docs/core.md"))
  local list = {}
  for block in file:read("*a"):gmatch("```lua\n(.-)```") do list[#list + 1] = block end
  file:close()
  return list
end

-- The lines that a program prints, and its exit status.
local function run(block, arguments)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(block)
  file:close()
  local pipe = assert(io.popen(example.shell(path, arguments) .. " 2>&1; echo $?"))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  os.remove(path)
  return lines
end

describe("docs/core.md #process", function()
  local list = blocks()

  it("has a client on a socket, a server and a parser", function()
    assert.equal(3, #list)
  end)

  it("speaks STOMP over WebSocket with LuaSocket", function()
    local pipe = assert(io.popen(example.shell("bin/stomp", "broker --listen ws://127.0.0.1:0/ws & echo $!")))
    local pid = assert(pipe:read("*n"))
    pipe:read("*l")
    local url = assert(pipe:read("*l"))
    local lines = run(list[1], url)
    os.execute("kill " .. pid)
    pipe:close()
    assert.same({ "/queue/a\thello", "receipt\tstomp-disconnect", "ended in order", "0" }, lines)
  end)

  it("tells why it ended where the server is gone", function()
    local socket = require "socket"
    local server = assert(socket.bind("127.0.0.1", 0))
    local pipe = assert(io.popen(("exec 3<<'X'\n%sX\n"):format(list[1]) .. example.shell("/dev/fd/3",
      ("ws://127.0.0.1:%d/ws"):format(select(2, server:getsockname()))) .. " 2>&1"))
    local peer = assert(server:accept())
    assert(peer:receive("*l"))
    peer:close()
    server:close()
    assert.truthy(pipe:read("*l"):find("^upgrade: "))
    pipe:close()
  end)

  it("joins a client and a server session in memory", function()
    local lines = run(list[2])
    assert.same({ "CONNECT", "mine/1", "RECEIPT\thello\t0" }, { lines[1], lines[2], lines[3] })
    assert.truthy(lines[4]:find("^nil\tinvalid: required header is missing: destination"), lines[4])
    assert.equal("0", lines[5])
  end)

  it("parses and encodes", function()
    local lines = run(list[3])
    assert.same({ "heartbeat", "nil", "MESSAGE\t7\thello" }, { lines[1], lines[2], lines[3] })
    assert.truthy(lines[4]:find("^nil\tprotocol: unknown command: NONSENSE %(byte 59%)"), lines[4])
    assert.equal("44", lines[5])
    assert.truthy(lines[6]:find("^nil\tinvalid: header cannot be sent: a%?b"), lines[6])
    assert.equal("0", lines[7])
  end)
end)
