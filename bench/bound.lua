-- SPDX-License-Identifier: MIT
-- What a broker gives any client: messages whose bytes were made before are written to
-- a bare socket, and RECEIPTs are counted, not read. Nothing is masked (the key is 0),
-- nobody waits for a RECEIPT of its own. What bench/confirm.lua is measured against.
--   lua5.4 bench/bound.lua PORT SIZE COUNT IN_FLIGHT LOGIN PASSCODE
local socket = require "socket"

local port, size = tonumber(arg[1]), tonumber(arg[2])
local count, in_flight = tonumber(arg[3]), tonumber(arg[4])
local queue = ("/queue/lua-stomp-bound-%d"):format(os.time())

local function message(text) -- in a WebSocket frame of a client (RFC 6455, 5.2)
  local n = #text
  assert(n < 65536, "SIZE: at most 65,000")
  local length = n < 126 and string.char(0x80 + n)
    or string.char(0x80 + 126, math.floor(n / 256), n % 256)
  return "\x82" .. length .. "\0\0\0\0" .. text
end

local function connect()
  local peer = assert(socket.connect("127.0.0.1", port))
  peer:setoption("tcp-nodelay", true)
  assert(peer:send(("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
    .. "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v12.stomp\r\n\r\n"):format(port)))
  repeat local line = assert(peer:receive("*l")) until line == ""
  assert(peer:send(message(("CONNECT\naccept-version:1.2\nhost:/\nlogin:%s\npasscode:%s\n\n\0")
    :format(arg[5], arg[6]))))
  local text = ""
  repeat text = text .. assert(peer:receive(1)) until text:find("CONNECTED\n.-\n\n%z")
  peer:settimeout(0)
  return peer
end

-- The messages, each with a receipt or only the last.
local function make(confirmed)
  local list = {}
  for i = 1, count do
    list[i] = message(("SEND\ndestination:%s\npersistent:true\n%scontent-length:%d\n\n%s\0")
      :format(queue, (confirmed or i == count) and "receipt:r-" .. i .. "\n" or "", size,
        ("x"):rep(size)))
  end
  return list
end

-- Whatever has come; "" where there is nothing.
local function read(peer)
  local text, problem, part = peer:receive(65536)
  assert(text or problem == "timeout", problem)
  return text or part
end

-- How many of `word` came, across the pieces in which they did.
local function counter(word)
  local rest = ""
  return function(text)
    text = rest .. text
    local n, last = 0, 0
    local first, past = text:find(word, 1, true)
    while first do
      n, last = n + 1, past
      first, past = text:find(word, past + 1, true)
    end
    rest = text:sub(math.max(last + 1, #text - #word + 2))
    assert(not text:find("ERROR\n", 1, true), text)
    return n
  end
end

local function run(peer, confirmed)
  local list, tally = make(confirmed), counter("RECEIPT\n")
  local need, got, sent, out = confirmed and count or 1, 0, 0, ""
  local start, cpu = socket.gettime(), os.clock()
  while got < need do
    while sent < count and #out < 65536 and not (confirmed and sent - got >= in_flight) do
      local last = math.min(sent + 64, count, confirmed and got + in_flight or count)
      out = out .. table.concat(list, "", sent + 1, last)
      sent = last
    end
    local _, writable = socket.select({ peer }, out ~= "" and { peer } or {}, 60)
    if writable[peer] then
      local n, problem, part = peer:send(out)
      assert(n or problem == "timeout", problem)
      out = out:sub((n or part) + 1)
    end
    got = got + tally(read(peer))
  end
  return socket.gettime() - start, os.clock() - cpu
end

-- Nothing is left in the queue.
local function empty(peer)
  assert(peer:send(message(("SUBSCRIBE\nid:1\ndestination:%s\n\n\0"):format(queue))))
  local tally, got = counter("MESSAGE\n"), 0
  while got < count do
    socket.select({ peer }, nil, 60)
    got = got + tally(read(peer))
  end
end

for _, confirmed in ipairs { false, true } do
  local peer = connect()
  local seconds, used = run(peer, confirmed)
  empty(peer)
  peer:close()
  print(("bound-%s %.0f %.2f"):format(confirmed and "confirmed" or "unconfirmed",
    count / seconds, used / count * 1e6))
end
