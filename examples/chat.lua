-- SPDX-License-Identifier: MIT
-- A chat in a terminal: a line typed is sent, the lines of the others appear.
--
--     lua5.4 bin/stomp broker --listen ws://127.0.0.1:61614/ws       (in one terminal)
--     NAME=ann lua5.4 examples/chat.lua ws://127.0.0.1:61614/ws      (in another)
--     NAME=bob lua5.4 examples/chat.lua ws://127.0.0.1:61614/ws      (in a third)
--
-- ROOM names another room; LOGIN and PASSCODE as the broker wants them. The end of
-- the input (Ctrl-D) leaves the room, and the program exits 0.
--
-- The built-in loop waits for the keyboard and for the broker at once: there is
-- neither a thread nor a timer in it.
local stomp = require "stomp"
local scheduler = require "stomp.loop.scheduler"

local url = arg[1]
if not url then
  io.stderr:write("usage: chat.lua URL\n")
  os.exit(2, true)
end
local name = os.getenv("NAME") or os.getenv("USER") or "somebody"
local room = "/topic/chat." .. (os.getenv("ROOM") or "lobby")

-- What the others write could hold anything that moves a terminal's cursor.
local function harmless(text)
  return (tostring(text):gsub("%c", " "))
end

local function say(text)
  io.write(text, "\n")
  io.flush()
end

local function on_line(message)
  local line = message:json()
  -- one's own line is on the screen already
  if type(line) == "table" and line.name ~= name then
    say(harmless(line.name) .. ": " .. harmless(line.text))
  end
end

-- Without a buffer of its own: what poll says of the descriptor is then true of
-- io.read, too. (A terminal hands out whole lines.)
io.stdin:setvbuf("no")
local keyboard = { pollfd = 0, events = "r" }

local function read_line()
  scheduler.wait(keyboard)
  return io.read("*l")
end

local ended

stomp.run(function()
  local client, message = stomp.connect(url, { login = os.getenv("LOGIN"), passcode = os.getenv("PASSCODE") })
  if not client then
    ended = message
    return
  end
  -- the broker is gone: there is nothing left to type for
  client:on("disconnect", function(why)
    io.stderr:write("chat: ", why, "\n")
    os.exit(1, true)
  end)
  assert(client:subscribe(room, { confirm = true }, on_line))
  stomp.spawn(function() client:run() end) -- hands the lines of others to on_line
  say(("You are %s in %s. Ctrl-D leaves."):format(name, room))
  for line in read_line do
    if line ~= "" then assert(client:send(room, { name = name, text = line })) end
  end
  assert(client:disconnect())
end)

if ended then
  io.stderr:write("chat: ", ended, "\n")
  os.exit(1, true)
end
