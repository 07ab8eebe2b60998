-- SPDX-License-Identifier: MIT
-- examples/chat.lua: what is typed goes out, what others write appears. Typing is a
-- FIFO here, the screen a pipe.
local example = require "spec.support.example"
local stomp = require "stomp"

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*l")
  pipe:close()
  return text
end

describe("examples/chat.lua #process", function()
  local pid, url

  setup(function()
    local pipe = assert(io.popen(example.shell("bin/stomp",
      "broker --listen ws://127.0.0.1:0/ws & echo $!")))
    pid = assert(pipe:read("*n"))
    pipe:read("*l")
    url = assert(pipe:read("*l"))
  end)

  teardown(function() os.execute("kill " .. pid) end)

  -- Screen (a pipe to read) and keyboard (a file to write) of somebody in the room.
  local function enter(name)
    local fifo = shell("d=$(mktemp -d) && mkfifo $d/keys && echo $d/keys")
    local screen = assert(io.popen(("%s <%s 2>&1; echo left $?"):format(
      example.command("chat", "NAME=" .. name, url), fifo)))
    local keyboard = assert(io.open(fifo, "w"))
    keyboard:setvbuf("line")
    assert.equal(("You are %s in /topic/chat.lobby. Ctrl-D leaves."):format(name), screen:read("*l"))
    return screen, keyboard, fifo
  end

  it("lets two people talk, and leaves at the end of the input", function()
    local ann_sees, ann_types, one = enter("ann")
    local bob_sees, bob_types, two = enter("bob")
    ann_types:write("hello, bob\n")
    assert.equal("ann: hello, bob", bob_sees:read("*l"))
    bob_types:write("hello, ann\n\nhow are you?\n") -- two lines at once
    assert.equal("bob: hello, ann", ann_sees:read("*l"))
    assert.equal("bob: how are you?", ann_sees:read("*l"))
    for _, keyboard in ipairs { ann_types, bob_types } do keyboard:close() end
    assert.equal("left 0", ann_sees:read("*l")) -- and never its own line
    assert.equal("left 0", bob_sees:read("*l"))
    os.execute(("rm -r %s %s"):format(one:match("(.*)/"), two:match("(.*)/")))
  end)

  it("shows nothing that moves the cursor", function()
    local screen, keyboard, fifo = enter("eve")
    local client = assert(stomp.connect(url, { proxy = false }))
    assert(client:send("/topic/chat.lobby", { name = "\27[2J", text = "a\nb" }, nil, { confirm = true }))
    assert(client:send("/topic/chat.lobby", "no JSON", nil, { confirm = true }))
    client:disconnect()
    assert.equal(" [2J: a b", screen:read("*l"))
    keyboard:close()
    assert.equal("left 0", screen:read("*l"))
    os.execute("rm -r " .. fifo:match("(.*)/"))
  end)

  it("says so where there is no broker, and how to be called", function()
    local text = shell(example.command("chat", "NAME=x", "ws://127.0.0.1:1/ws 2>&1 </dev/null"))
    assert.truthy(text:find("chat: connect: ", 1, true), text)
    assert.equal("usage: chat.lua URL", shell(example.command("chat", "NAME=x", "2>&1 </dev/null")))
  end)
end)
