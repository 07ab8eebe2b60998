-- SPDX-License-Identifier: MIT
-- One line for each frame that goes or comes, for people: option `trace` (a
-- tracer, see tracer.lua, writes for programs).
-- Secrets never reach it. A trace that fails is told once on stderr and then left
-- alone: it must not end what it watches. Knows show.
local show = require "stomp.show"

local methods = {}
local mt = { __index = methods }

local BODY = 200 -- bytes of a body that are shown

local secrets = { "passcode", "authorization", "proxy-authorization", "cookie",
  "set-cookie" }

local function to_stderr(direction, text)
  io.stderr:write("stomp ", direction, ": ", text, "\n")
end

--- A trace for the option's value: true (stderr), a tracer, or a
-- function(direction, text) with direction "send", "receive" or "info".
-- `redact`: more header names; `now`: the client's clock.
local function new(option, redact, now)
  if not option then return nil end
  local hidden = {}
  for _, name in ipairs(secrets) do hidden[name] = true end
  for _, name in ipairs(redact or {}) do hidden[name:lower()] = true end
  if type(option) == "table" then return option:watch(hidden, now) end
  return setmetatable({
    write = option == true and to_stderr or option,
    hidden = hidden,
  }, mt)
end

local function tell(self, direction, text)
  local ok, problem = pcall(self.write, direction, text)
  if ok then return end
  self.write = function() end
  io.stderr:write("stomp: the trace failed and is off: ", show.value(problem), "\n")
end

local function add(self, parts, name, value)
  if self.hidden[tostring(name):lower()] then value = "[redacted]" end
  parts[#parts + 1] = show.line(tostring(name) .. ":" .. tostring(value))
end

local function add_headers(self, parts, headers)
  if headers[1] ~= nil then
    for _, pair in ipairs(headers) do add(self, parts, pair[1], pair[2]) end
    return
  end
  local names = {}
  for name in pairs(headers) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do add(self, parts, name, headers[name]) end
end

--- A frame went or came.
function methods:frame(direction, command, headers, body)
  local parts = { command }
  add_headers(self, parts, headers or {})
  if body and body ~= "" then
    local shown = show.line(body:sub(1, BODY))
    if #body > BODY then
      shown = ("%s… (%d bytes)"):format(shown, #body)
    end
    parts[#parts + 1] = "| " .. shown
  end
  tell(self, direction, table.concat(parts, " "))
end

--- Something else worth knowing.
function methods:inform(text)
  tell(self, "info", show.line(text))
end

--- The connection is over, see pump.
function methods:ended(ended)
  self:inform(ended.clean and "closed" or ended.message)
end

return { new = new }
