-- SPDX-License-Identifier: MIT

--- A virtual network, which is a transport (docs/transport.md): links and
-- listeners without sockets, on a virtual clock. What goes wrong on it is a
-- condition of each line or of all, see line.lua.
-- (Knows conditions, endpoint, line, link, loop and errors.)
-- @classmod network
-- @alias methods

local check = require "stomp.testing.conditions"
local endpoint_module = require "stomp.testing.endpoint"
local errors = require "stomp.errors"
local line_module = require "stomp.testing.line"
local link_module = require "stomp.testing.link"
local loop_module = require "stomp.testing.loop"

local methods = {}
local mt = { __index = methods }

function mt:__tostring()
  return ("stomp.testing.network (%d lines)"):format(#self.all_lines)
end

-- Ports that a listener gets which asks for 0.
local FIRST_PORT = 61001

-- ---- Doing what is due

--- An end asks for its update.
-- @local
function methods:settle_later(endpoint)
  self.n_dirty = self.n_dirty + 1
  self.dirty[self.n_dirty] = endpoint
end

--- A link was collected. (Called by a finaliser, at any moment.)
-- @local
function methods:lost(endpoint)
  self.n_lost = self.n_lost + 1
  self.orphans[self.n_lost] = endpoint
end

local function end_orphans(self)
  local orphans, n = self.orphans, self.n_lost
  self.orphans, self.n_lost = {}, 0
  for i = 1, n do orphans[i]:abandon() end
end

--- Update every end that asked for it, until none does.
-- @local
function methods:settle()
  if self.n_lost > 0 then end_orphans(self) end
  local i = 1
  while i <= self.n_dirty do
    local endpoint = self.dirty[i]
    self.dirty[i] = nil
    endpoint.dirty = false
    endpoint:update()
    i = i + 1
  end
  self.n_dirty = 0
end

--- An end has no line any more.
-- @local
function methods:left(endpoint)
  self.endpoints[endpoint] = nil
  local line = endpoint.line
  if not line or line.n_left == 1 then
    for i, other in ipairs(self.all_lines) do
      if other == line then
        table.remove(self.all_lines, i)
        break
      end
    end
  else
    line.n_left = 1
  end
end

-- ---- Opening

local function connection_options(self, options)
  return {
    host_header = options.host_header, path = options.path,
    upgrade_headers = options.upgrade_headers,
    connect_headers = options.connect_headers, versions = options.versions,
    heartbeat = options.heartbeat, heartbeat_margin = options.heartbeat_margin,
    heartbeat_grace = options.heartbeat_grace, limits = options.limits,
    binary = options.binary, on_invalid_frame = options.on_invalid_frame,
    escape_connect = options.escape_connect, ping = options.ping,
    compression = options.compression,
    random = self.bytes,
  }
end

local function refuse(client, why, host, port)
  local _, message, err = errors.failure("connect",
    ("no connection: %s: %s:%d"):format(why, host, port))
  client:fail(message, err)
end

local function address(host, port)
  return ("%s:%d"):format(host == "localhost" and "127.0.0.1" or host, port)
end

-- The server's end, and the line between the two.
local function accept(self, line, client, listener)
  local options = listener.options
  local server = assert(endpoint_module.new(self, {
    role = "server", heartbeat = options.heartbeat, limits = options.limits,
    compression = options.compression,
    random = self.bytes,
  }))
  self.endpoints[server] = true
  line:join(client, server)
  client:join(line, line.up)
  server:join(line, line.down)
  listener.n = listener.n + 1
  listener[listener.n] = link_module.new(server)
  listener.descriptor.readable = true
  if self.on_line then self.on_line(line) end
end

local function connected(self, client, options)
  if client.gone then return end
  local line = client.opening
  local at = line.conditions
  local listener = self.listeners[address(options.host, options.port)]
  client.opening = nil
  if at.unreachable or at.silent == "both" or at.silent == "up" then return end
  if at.refuse or not listener then
    return refuse(client, "Connection refused", options.host, options.port)
  end
  self.all_lines[#self.all_lines + 1] = line
  accept(self, line, client, listener)
end

local function open(self, options)
  if options.secure or options.proxy then
    return errors.failure("invalid", "the virtual network has neither TLS nor a proxy")
  end
  local client, message, err =
    endpoint_module.new(self, connection_options(self, options))
  if not client then return nil, message, err end
  assert(client.connection:connect(self.clock.time))
  self.endpoints[client] = true
  client.opening = line_module.new(self.clock, self.random, self.conditions)
  self.n_opened = self.n_opened + 1
  local latency = client.opening.conditions.latency or 0
  self.clock:after(2 * latency, function() connected(self, client, options) end)
  return link_module.new(client)
end

-- ---- Listening

local listener_methods = {}
local listener_mt = { __index = listener_methods }

function listener_methods:next()
  if self.n == 0 then
    self.descriptor.readable = false
    return nil
  end
  self.n = self.n - 1
  return table.remove(self, 1)
end

function listener_methods:port() return self.number end

function listener_methods:wake() self.descriptor.readable = true end

function listener_methods:close()
  local listeners = self.network.listeners
  if listeners[self.address] == self then listeners[self.address] = nil end
  while self.n > 0 do self:next():close() end
  self.descriptor.readable = true -- whoever waits for it looks
end

function listener_methods:pollfd() return self.descriptor end

function listener_methods.events() return "r" end

function listener_methods.timeout() return nil end

local function listen(self, options)
  local port = options.port
  if not port or port == 0 then
    port = self.next_port
    self.next_port = port + 1
  end
  local at = address(options.host or "127.0.0.1", port)
  if self.listeners[at] then
    return errors.failure("connect", "cannot listen: Address already in use: " .. at)
  end
  local listener = setmetatable({
    network = self, options = options, address = at, number = port, n = 0,
    descriptor = loop_module.descriptor(),
  }, listener_mt)
  self.listeners[at] = listener
  return listener
end

-- ---- For tests

--- Change conditions of the whole network, now and for lines to come; a line's
-- own stay.
-- @tparam table conditions latency, jitter (seconds), piece (bytes), drip (bytes,
-- seconds), silent ("up", "down", "both"), refuse, unreachable: docs/testing.md
function methods:set(conditions)
  check.conditions(conditions, 2)
  for name, value in pairs(conditions) do self.conditions[name] = value end
  for _, line in ipairs(self:lines()) do line:look() end
end

--- The lines that are open, in the order in which they were opened.
-- @treturn {line,...}
function methods:lines()
  local list = {}
  for i, line in ipairs(self.all_lines) do list[i] = line end
  return list
end

--- Cut every line.
-- @tparam[opt] string only "client" or "server": who notices
function methods:cut(only)
  check.side(only, 2)
  for _, line in ipairs(self:lines()) do line:cut(only) end
end

--- A network on `clock`; `random` is a generator of stomp.testing.random.
-- @local
local function new(clock, random)
  local self = setmetatable({
    name = "virtual",
    clock = clock, random = random,
    bytes = function(n) return random:bytes(n) end,
    conditions = {},
    listeners = {}, next_port = FIRST_PORT,
    all_lines = {}, n_opened = 0,
    endpoints = {},   -- that have no end yet
    dirty = {}, n_dirty = 0,
    orphans = {}, n_lost = 0,
    on_line = nil,    -- called with each line that is opened
  }, mt)
  self.open = function(options) return open(self, options) end
  self.listen = function(options) return listen(self, options) end
  return self
end

return { new = new }
