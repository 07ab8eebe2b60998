-- SPDX-License-Identifier: MIT
-- One end of a line: the protocol machine (core.connection), what came and what
-- is to go. It does what src/io/link.c and link_io.c do for a real socket, in
-- their words: inbox, outbox, awaiting, stalled, the two seconds of a close.
-- Knows core and the network that it is on; links (what a program holds) know it.
local core = require "stomp.core"
local loop_module = require "stomp.testing.loop"

local methods = {}
local mt = { __index = methods }

-- Seconds for what is left to write when it ends.
local CLOSE_SECONDS = 2
-- A timer is set so much later: a deadline is whole milliseconds.
local LATE = 0.001

local INBOX, OUTBOX = 8 * 1048576, 8 * 1048576

--- An end on `network` with these options of core.connection, or nil, message,
-- err.
local function new(network, options)
  local limits = options.limits or {}
  local connection, message, err = core.connection(options)
  if not connection then return nil, message, err end
  local inbox = limits.inbox or INBOX
  return setmetatable({
    network = network,
    clock = network.clock,
    connection = connection,
    descriptor = loop_module.descriptor(),
    tolerant = options.on_invalid_frame == "ignore",
    line = nil, pipe = nil,  -- once it is connected; `pipe`: its way out
    came = {}, n_came = 0, n_fetched = 0, n_taken = 0, -- frames, not taken yet
    inbox_limit = inbox,
    inbox_hard = limits.inbox_hard or 2 * inbox,
    outbox_limit = limits.outbox or OUTBOX,
    inbox = 0,               -- bytes of frames that came and are not given back
    handed = 0,              -- of the frame that was handed out last
    out = {}, out_first = 1, out_last = 0, out_bytes = 0, -- to write
    final = nil,             -- { false | nil, message, err }: how it ended
    warning = nil,
    paused = false, paused_since = 0, paused_seconds = 0,
    is_awaited = false, is_stalled = false, want_room = false,
    muted = false,           -- nothing is written, until it is not any more
    abandoned = false,       -- nobody will take frames any more
    give_up = nil,           -- close was asked for and has time until
    closing = false,         -- the line is to be ended once all is written
    gone = false,            -- it has no line any more
    timer = nil, timer_at = math.huge,
    dirty = false,           -- the network will call update
  }, mt)
end

function methods:raise() self.descriptor.readable = true end

-- ---- What came

local function keep_end(self)
  local first, message, err = self.connection:ended()
  if first == nil and not message then return end
  self.final = { first, message, err }
  self:raise()
end

--- Take frames and the end from the connection, for the program.
function methods:publish()
  local connection = self.connection
  local frame = connection:next()
  while frame do
    if not self.abandoned then
      self.n_came = self.n_came + 1
      self.came[self.n_came] = frame
      self.inbox = self.inbox + frame:size()
      self:raise()
    end
    frame = connection:next()
  end
  if not self.final then keep_end(self) end
  if self.tolerant then
    local message, err = connection:warning()
    if message then
      self.warning = { message, err }
      self:raise()
    end
  end
end

-- Give back what was handed out.
local function pay(self, bytes)
  self.inbox = self.inbox - bytes
  if self.paused then self:touch() end
end

-- All that came is fetched at once, and told: an end alone stays readable.
local function fetch(self)
  if self.n_taken == self.n_came then
    self.n_came, self.n_taken = 0, 0
  end
  self.n_fetched = self.n_came
  if not self.final then self.descriptor.readable = false end
end

--- link:next
function methods:next()
  if self.handed > 0 then
    pay(self, self.handed)
    self.handed = 0
  end
  if self.n_taken == self.n_fetched then fetch(self) end
  if self.n_taken < self.n_fetched then
    local n = self.n_taken + 1
    local frame = self.came[n]
    self.came[n], self.n_taken = nil, n
    self.handed = frame:size()
    return frame
  end
  local final = self.final
  if final then return final[1], final[2], final[3] end
  return nil
end

function methods:hold(frame)
  if self.handed == frame:size() then self.handed = 0 end
end

-- A frame of an earlier connection.
function methods:adopt(frame) self.inbox = self.inbox + frame:size() end

function methods:release(frame) pay(self, frame:size()) end

-- ---- Reading

function methods:is_reading() return not self.paused or self.gone end

local function pause(self)
  self.paused, self.paused_since = true, self.clock.time
  self.connection:pause(self.clock.time)
end

local function resume(self)
  self.paused, self.is_stalled = false, false
  self.paused_seconds = self.paused_seconds + self.clock.time - self.paused_since
  self.connection:resume(self.clock.time)
end

-- Stop or go on reading, by what the program has not taken yet.
local function decide_reading(self)
  local limit = self.is_awaited and self.inbox_hard or self.inbox_limit
  local drop = self.abandoned or self.final ~= nil
  if not self.paused and self.inbox >= limit and not drop then
    pause(self)
  elseif self.paused and (drop or self.inbox <= self.inbox_limit / 2
    or (self.is_awaited and self.inbox < limit)) then
    resume(self)
    if self.line then self.line:look() end
  end
  if self.paused and self.is_awaited and not self.is_stalled then
    self.is_stalled = true
    self:raise()
  end
end

function methods:awaiting(yes)
  if yes and not self.is_awaited and self.paused then self:touch() end
  self.is_awaited = yes
  if not yes then self.is_stalled = false end
end

-- ---- Writing

local function take_output(self)
  local bytes = self.connection:output()
  if bytes == "" then return end
  self.out_last = self.out_last + 1
  self.out[self.out_last] = bytes
  self.out_bytes = self.out_bytes + #bytes
end

local function written(self, n)
  self.out_bytes = self.out_bytes - n
  if self.want_room and self.out_bytes <= self.outbox_limit / 2 then
    self.want_room = false
    self:raise()
  end
end

-- Write what the line takes.
local function flush(self)
  take_output(self)
  if self.muted then return end
  while self.out_first <= self.out_last do
    local bytes = self.out[self.out_first]
    local n = self.line:write(self.pipe, bytes)
    if n < #bytes then
      self.out[self.out_first] = bytes:sub(n + 1)
      written(self, n)
      return
    end
    self.out[self.out_first] = nil
    self.out_first = self.out_first + 1
    if self.out_first > self.out_last then self.out_first, self.out_last = 1, 0 end
    written(self, n)
    take_output(self)
  end
end

--- Ask something of the connection that writes: true, false for no room, or nil,
-- message, err.
function methods:put(method, a, b, c, d)
  local connection = self.connection
  if self.out_bytes >= self.outbox_limit then
    self.want_room = true
    return false
  end
  local ok, message, err = connection[method](connection, a, b, c, d)
  if ok then
    take_output(self)
    self:touch()
  elseif ok == false then
    self.want_room = true
  else
    self:publish()
  end
  return ok, message, err
end

-- ---- What the line tells

function methods:arrived(bytes)
  if self.gone then return end
  -- a failure is kept by the connection and published with its frames
  self.connection:feed(bytes, self.clock.time)
  self:publish()
  self:update()
end

function methods:freed() self:touch() end

local function leave(self)
  self.gone = true
  self.clock:cancel(self.timer)
  self.timer, self.timer_at = nil, math.huge
  self.network:left(self)
end

--- The bytes have ended.
function methods:cut_off()
  if self.gone then return end
  self.connection:closed()
  self:publish()
  leave(self)
  if self.line then self.line:finish(self.pipe) end
end

--- There is no line: connecting failed with this error.
function methods:fail(message, err)
  if self.gone then return end
  if not self.final then self.final = { nil, message, err } end
  self:raise()
  leave(self)
end

-- ---- What is due

local function on_timer(self)
  self.timer, self.timer_at = nil, math.huge
  self.connection:tick(self.clock.time)
  self:publish()
  self:update()
end

-- A deadline that moved on is left alone: the timer fires and is set anew.
local function set_timer(self)
  local deadline = self.connection:deadline() or math.huge
  local by = self.close_by or math.huge
  local at = math.min(deadline, by) + LATE
  if at >= self.timer_at then return end
  self.clock:cancel(self.timer)
  self.timer_at = at
  self.timer = self.clock:after(math.max(at - self.clock.time, 0), on_timer, self)
end

local function end_line(self)
  local line = self.line
  self:cut_off()
  if self.out_first <= self.out_last then line:cut() end
end

--- Do what is due.
function methods:update()
  local now = self.clock.time
  if self.gone then return end
  decide_reading(self)
  if self.connection:wants_end() then self.closing = true end
  if self.closing and not self.close_by then
    self.close_by = self.give_up or now + CLOSE_SECONDS
  end
  if not self.line then
    if self.closing then self:cut_off() end
    return
  end
  flush(self)
  if self.closing and (now >= self.close_by or self.out_first > self.out_last) then
    return end_line(self)
  end
  set_timer(self)
end

--- Have update called before anything waits.
function methods:touch()
  if self.dirty then return end
  self.dirty = true
  self.network:settle_later(self)
end

--- It is connected: bytes of `line` come and go.
function methods:join(line, pipe)
  self.line, self.pipe = line, pipe
  self:touch()
end

-- ---- The end

--- link:close
function methods:close()
  local now = self.clock.time
  self.give_up = self.give_up or now + CLOSE_SECONDS
  self.connection:close(now)
  self:publish()
  self:touch()
end

--- link:mute
function methods:mute(yes)
  self.muted = yes
  self:touch()
end

--- link:cut
function methods:cut()
  if self.line and not self.gone then
    self.line:cut()
  else
    self:cut_off()
  end
end

--- The program has lost its link.
function methods:abandon()
  self.abandoned = true
  self:close()
end

function methods:stats()
  local stats = self.connection:counts()
  stats.inbox_bytes, stats.outbox_bytes = self.inbox, self.out_bytes
  stats.paused_seconds = self.paused_seconds
    + (self.paused and self.clock.time - self.paused_since or 0)
  return stats
end

return { new = new }
