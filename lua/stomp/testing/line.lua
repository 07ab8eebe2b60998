-- SPDX-License-Identifier: MIT

--- What lies between two links of the virtual network: a pipe each way, with what
-- goes wrong on a real one. Bytes that are on their way or not taken by the
-- receiver yet fill the pipe's window, as TCP's; beyond it the sender waits.
--
-- *Conditions* of a line, each from the network where the line has none of its
-- own (`false` is one):
--
--     latency  seconds one way [0]     jitter  up to so many more, order kept [0]
--     piece    most bytes that arrive at once
--     drip     { bytes, seconds }: so many bytes each so many seconds
--     silent   "up", "down", "both": bytes that way (up: from the client) do not
--              arrive, the end neither; they do once it is over, as TCP sends again
--     refuse   true: connecting is refused     unreachable  true: it never ends
--
-- (Knows conditions, and nothing of links but what they are told: arrived, freed,
-- cut_off.)
-- @classmod line
-- @alias methods

local check = require "stomp.testing.conditions"

local methods = {}
local mt = { __index = methods }

function mt:__tostring()
  return ("stomp.testing.line since %.3f s"):format(self.opened)
end

-- Bytes of one direction under way.
local WINDOW = 65536

-- ---- One direction

local function delay_of(pipe)
  local at, line = pipe.line.conditions, pipe.line
  local latency = at.latency or 0
  if at.jitter and at.jitter > 0 then
    latency = latency + at.jitter * line.random:part()
  end
  return latency
end

local function is_silent(pipe)
  local silent = pipe.line.conditions.silent
  return silent == "both" or silent == pipe.way
end

-- The first bytes reach the receiver, as far as it reads.
local function hand_out(pipe)
  while pipe.n_arrived > 0 and not is_silent(pipe) do
    local bytes = pipe.arrived[1]
    if bytes and not pipe.to:is_reading() then return end
    table.remove(pipe.arrived, 1)
    pipe.n_arrived = pipe.n_arrived - 1
    if not bytes then
      pipe.to:cut_off()
      return
    end
    pipe.used = pipe.used - #bytes
    pipe.to:arrived(bytes)
    if pipe.from then pipe.from:freed() end
  end
end

-- `bytes`, or false: the end.
local function arrive(pipe, bytes)
  if pipe.dead then return end
  pipe.n_arrived = pipe.n_arrived + 1
  pipe.arrived[pipe.n_arrived] = bytes
  hand_out(pipe)
end

local function schedule(pipe, bytes, later)
  local clock = pipe.line.clock
  local time = math.max(clock.time + delay_of(pipe) + (later or 0), pipe.last)
  pipe.last = time
  clock:after(time - clock.time, arrive, pipe, bytes)
end

-- In the pieces that the conditions want.
local function schedule_all(pipe, bytes)
  local at = pipe.line.conditions
  local drip = at.drip
  local most = drip and drip[1] or at.piece
  if not most or #bytes <= most then
    return schedule(pipe, bytes, drip and drip[2])
  end
  local later = 0
  for i = 1, #bytes, most do
    later = drip and later + drip[2] or 0
    schedule(pipe, bytes:sub(i, i + most - 1), later)
  end
end

local function new_pipe(line, way)
  return {
    line = line, way = way,
    from = nil, to = nil,
    used = 0,          -- bytes under way
    last = 0,          -- when the last of them arrives
    arrived = {}, n_arrived = 0, -- not taken by the receiver yet
    left = nil,        -- bytes until a cut; nil: none is due
    dead = false,      -- nothing arrives any more
  }
end

-- ---- Both

--- A line between two links, which are told: link:arrived(bytes),
-- link:is_reading(), link:freed() when the window has room again, link:cut_off().
-- @local
local function new(clock, random, conditions)
  local self = setmetatable({
    clock = clock, random = random,
    conditions = setmetatable({}, { __index = conditions }),
    opened = clock.time,
    ended = false, -- both links know the end
  }, mt)
  self.up, self.down = new_pipe(self, "up"), new_pipe(self, "down")
  return self
end

--- Its two ends.
-- @local
function methods:join(client, server)
  local up, down = self.up, self.down
  up.from, up.to, down.from, down.to = client, server, server, client
end

--- What a link writes: how many of the bytes went on their way.
-- @local
function methods:write(pipe, bytes)
  local room = WINDOW - pipe.used
  if pipe.dead then return #bytes end -- into the void
  if room <= 0 then return 0 end
  if #bytes > room then bytes = bytes:sub(1, room) end
  local n = #bytes
  if pipe.left and n >= pipe.left then
    bytes = bytes:sub(1, pipe.left)
    pipe.used = pipe.used + #bytes
    if bytes ~= "" then schedule_all(pipe, bytes) end
    self.clock:after(math.max(pipe.last - self.clock.time, 0), methods.cut, self)
    pipe.left = nil
    pipe.closed = true
    return n
  end
  if pipe.closed then return n end
  if pipe.left then pipe.left = pipe.left - n end
  pipe.used = pipe.used + n
  schedule_all(pipe, bytes)
  return n
end

--- A link ends its side in order: the other sees it behind the bytes.
-- @local
function methods.finish(_, pipe)
  if not pipe.dead then schedule(pipe, false) end
end

-- ---- For tests

--- Change conditions of this line, which then differ from the network's.
-- @tparam table conditions as of network:set
function methods:set(conditions)
  check.conditions(conditions, 2)
  for name, value in pairs(conditions) do self.conditions[name] = value end
  self:look()
end

--- Conditions have changed: what was held back may go on.
-- @local
function methods:look()
  hand_out(self.up)
  hand_out(self.down)
end

local function kill(pipe)
  pipe.dead = true
  pipe.arrived, pipe.n_arrived = {}, 0
end

--- Cut it, as a reset does: what is under way is lost.
-- @tparam[opt] string only "client" or "server": who notices; the other writes into
-- the void
function methods:cut(only)
  check.side(only, 2)
  kill(self.up)
  kill(self.down)
  local client, server = self.down.to, self.up.to
  if only ~= "server" and client then client:cut_off() end
  if only ~= "client" and server then server:cut_off() end
end

--- Cut it once `n` more bytes went that way; those still arrive.
-- @tparam string way "up": from the client; "down"
-- @tparam number n bytes
function methods:cut_after(way, n)
  check.bytes(way, n, 2)
  self[way].left = n
end

return { new = new }
