-- SPDX-License-Identifier: MIT

--- A trace in a file, whole enough to be replayed (stomp.replay). One line an
-- event, in ASCII; docs/trace.md has the format:
--
--    # lua-stomp trace 1 with bodies
--    0.000412 1 send SEND\ndestination:/queue/a\ncontent-length:2\n\nhi\x00
--
-- Secrets never reach it: their values are "[redacted]". `stomp.tracer` makes one.
-- (Knows core, check, errors and show.)
-- @classmod tracer
-- @alias methods

local check = require "stomp.check"
local core = require "stomp.core"
local errors = require "stomp.errors"
local show = require "stomp.show"

local methods = {}
local mt = { __name = "stomp.tracer", __index = methods }

local watching = {}
local watching_mt = { __index = watching }

local HEAD = "# lua-stomp trace 1"
local REDACTED = "[redacted]"

-- ---- The bytes of a frame in one line ----

local short = { ["\n"] = "\\n", ["\r"] = "\\r", ["\\"] = "\\\\" }
local long = { n = "\n", r = "\r", ["\\"] = "\\" }

local function escape(bytes)
  return (bytes:gsub("[%c\\\127-\255]", function(c)
    return short[c] or ("\\x%02x"):format(c:byte())
  end))
end

-- nil where an escape is none.
local function unescape(text)
  local broken = false
  local bytes = text:gsub("\\(.?)(%x?%x?)", function(c, hex)
    if c == "x" and #hex == 2 then return string.char(tonumber(hex, 16)) end
    if not long[c] then broken = true end
    return (long[c] or "") .. hex
  end)
  return not broken and bytes or nil
end

-- ---- Writing ----

local function put(self, what, text)
  local tracer = self.tracer
  if not tracer.file then return end
  local ok, problem = tracer.file:write(("%.6f %d %s %s\n")
    :format(self.now() - tracer.origin, self.number, what, text))
  if ok then return end
  tracer.file = nil -- what it watches must go on
  io.stderr:write("stomp: the trace failed and is off: ", show.value(problem), "\n")
end

local function in_order(headers)
  local list = {}
  if headers[1] ~= nil then
    for i, pair in ipairs(headers) do list[i] = { pair[1], pair[2] } end
    return list
  end
  for name, value in pairs(headers) do list[#list + 1] = { name, value } end
  table.sort(list, function(a, b) return tostring(a[1]) < tostring(b[1]) end)
  return list
end

-- The headers that are written: secrets hidden, and the length left to the codec.
local function shown(self, headers)
  local list = {}
  for _, pair in ipairs(in_order(headers or {})) do
    local name = tostring(pair[1]):lower()
    if self.hidden[name] then pair[2] = REDACTED end
    if name ~= "content-length" then list[#list + 1] = pair end
  end
  return list
end

--- A frame went or came.
-- @local
function watching:frame(direction, command, headers, body)
  body = body or ""
  if body ~= "" and not self.tracer.bodies then
    body = ("[%d bytes]"):format(#body)
  end
  local bytes, message = core.encode(command, shown(self, headers), body)
  if bytes then
    put(self, direction, escape(bytes))
  else
    self:inform(("%s %s cannot be written: %s"):format(direction, command, message))
  end
end

--- Something else worth knowing.
-- @local
function watching:inform(text)
  put(self, "info", escape(text))
end

--- The connection is over, see pump.
-- @local
function watching:ended(ended)
  put(self, "end", ended.clean and escape("clean" .. (ended.note and " " .. ended.note or ""))
    or escape(ended.message))
end

-- ---- A tracer ----

local tracer_options = { bodies = "boolean" }

--- stomp.tracer; misuse raises at `level`.
-- @local
local function new(where, options, level)
  level = (level or 1) + 1
  check.argument("file", where, "string userdata table", level)
  options = check.options(options, tracer_options, level)
  local file = where
  if type(where) == "string" then
    local problem
    file, problem = io.open(where, "wb")
    if not file then return errors.failure("invalid", "trace: " .. problem) end
    file:setvbuf("line") -- a crash has said what it did
  elseif type(file.write) ~= "function" then
    error("file: a path or an open file expected", level)
  end
  file:write(HEAD, options.bodies and " with" or " without", " bodies\n")
  return setmetatable({
    file = file,
    name = type(where) == "string" and where or "a file",
    own = file ~= where,
    bodies = options.bodies or false,
    origin = nil, -- when the first client began
    n = 0,        -- clients
  }, mt)
end

--- For connect: what is told of one client. `hidden`: names of headers, small
-- letters; `now`: its clock.
-- @local
function methods:watch(hidden, now)
  self.n = self.n + 1
  self.origin = self.origin or now()
  return setmetatable({
    tracer = self, hidden = hidden, now = now, number = self.n,
  }, watching_mt)
end

--- Write nothing more; a file that it opened is closed.
function methods:close()
  local file = self.file
  self.file = nil
  if not file then return end
  if self.own then file:close() else file:flush() end
end

mt.__close = methods.close

function mt:__tostring()
  return ("stomp.tracer %s (%d clients)%s"):format(self.name, self.n,
    self.file and "" or " closed")
end

-- ---- Reading ----

local function bad(name, line, text)
  return errors.failure("invalid", ("%s line %d: %s"):format(name, line, text))
end

-- The frame in these bytes, and nothing else; nil, why.
local function frame_of(bytes)
  local parser = core.parser({ frame = #bytes + 1, headers = #bytes + 1,
    header_line = #bytes + 1, header_count = #bytes + 1 })
  local ok, message = parser:feed(bytes)
  if not ok then return nil, message end
  local frame
  frame, message = parser:next()
  if not frame then return nil, message or "the frame is not whole" end
  if parser:next() ~= nil then return nil, "more than one frame" end
  return frame
end

local kinds = { send = true, receive = true, info = true, ["end"] = true }

local function event_of(text)
  local time, number, what, rest =
    text:match("^(%d+%.%d+) (%d+) (%l+) (.*)$")
  if not time or not kinds[what] then
    return nil, "time, client and send, receive, info or end expected"
  end
  local event = { time = tonumber(time), client = tonumber(number), what = what }
  local bytes = unescape(rest)
  if not bytes then return nil, "undefined escape" end
  if what == "info" or what == "end" then
    event.text = bytes
    return event
  end
  local message
  event.frame, message = frame_of(bytes)
  return event.frame and event, message
end

--- Read a trace: `bodies` (boolean), `name`, and a list of events: line, time
-- (seconds), client (number), what ("send", "receive": frame; "info", "end": text).
-- Or nil, message, err: invalid, with the line.
-- @local
local function read(where)
  local name, file = "trace", where
  if type(where) == "string" then
    local problem
    name = where
    file, problem = io.open(where, "rb")
    if not file then return errors.failure("invalid", problem) end
  end
  local events, n, first = {}, 0, nil
  for text in file:lines() do
    n = n + 1
    first = first or text
    if n > 1 and text ~= "" and text:sub(1, 1) ~= "#" then
      local event, why = event_of(text)
      if not event then return bad(name, n, why) end
      event.line = n
      events[#events + 1] = event
    end
  end
  if file ~= where then file:close() end
  local bodies = (first or ""):match("^" .. HEAD:gsub("%p", "%%%0") .. " (%l+) bodies$")
  if bodies ~= "with" and bodies ~= "without" then
    return bad(name, 1, "no lua-stomp trace")
  end
  events.bodies, events.name = bodies == "with", name
  return events
end

return { new = new, read = read, REDACTED = REDACTED }
