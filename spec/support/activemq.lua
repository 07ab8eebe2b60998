-- SPDX-License-Identifier: MIT
-- An ActiveMQ of a spec's own: tools/activemq.sh.
local stomp = require "stomp"

local methods = {}
local mt = { __index = methods }

local function run(self, command, kind, how)
  local ok = os.execute(("tools/activemq.sh %s %s %s >>%s.log 2>&1 %s")
    :format(command, self.dir, kind or "", self.dir, how or ""))
  assert(ok == true or ok == 0, ("failed, see %s.log: %s"):format(self.dir, command))
end

local function read(self, name)
  local file = assert(io.open(self.dir .. "/" .. name))
  local text = file:read("*l")
  file:close()
  return text
end

--- Start one: "classic", "classic6" or "artemis". url: a connector as it is
-- installed; configured: see tools/activemq.sh.
local function start(kind)
  local self = setmetatable({ dir = "build/test/" .. kind }, mt)
  os.execute(("mkdir -p build/test && rm -rf %s %s.log"):format(self.dir, self.dir))
  run(self, "start", kind)
  self.url, self.configured = read(self, "url"), read(self, "configured")
  return self
end

function methods:kill() run(self, "kill") end
--- It comes back while the caller goes on.
function methods:restart() run(self, "restart", nil, "&") end
function methods:stop() run(self, "stop") end

--- A client of the configured connector, or of option url.
function methods:connect(options)
  local all = { login = "admin", passcode = "admin", proxy = false }
  for name, value in pairs(options or {}) do all[name] = value end
  local url = all.url or self.configured
  all.url = nil
  return stomp.connect(url, all)
end

--- A queue that no other spec uses.
local function queue(name) return ("/queue/lua-stomp-%s-%s"):format(name, tostring({}):match("%x+$")) end

return { start = start, queue = queue }
