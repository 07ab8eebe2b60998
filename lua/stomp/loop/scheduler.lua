-- SPDX-License-Identifier: MIT

--- The built-in loop: stomp.loop.tasks on the system's clock, its descriptors and
-- its random bytes. One a process.
-- @module stomp.loop.scheduler

local lws = require "stomp.lws"
local tasks = require "stomp.loop.tasks"

local scheduler = tasks.new {
  now = lws.now,
  poll = function(fds, events, timeout, ready)
    return lws.poll(fds, events, timeout, ready)
  end,
}
scheduler.name = "scheduler"

--- Random bytes of the system.
-- @function random
-- @tparam number n how many, at most 256
-- @treturn string
scheduler.random = lws.random

--- Wait until a pollable is ready; other tasks go on meanwhile.
-- @function wait
-- @param pollable has `pollfd` and `events` (`"r"`, `"w"`, `"rw"`), as values or as
-- methods: a client's link, or `{ pollfd = 0, events = "r" }`
-- @tparam[opt] number timeout seconds, 0 asks once; for ever without it
-- @treturn boolean false when the time is over; true may come without need

--- Wait.
-- @function sleep
-- @tparam number seconds 0 gives the others a turn

--- The time of a monotonic clock.
-- @function now
-- @treturn number seconds

--- Run `f()` as a task.
-- @function spawn
-- @tparam function f
-- @tparam[opt] function on_error on_error(text with traceback, value) where it
-- raises; without it `run` raises that
-- @tparam[opt] boolean daemon `run` does not wait for it

--- Something to wait for: `condition:wait([timeout])` returns true when
-- `condition:signal()` was called, false after the time.
-- @function condition
-- @treturn condition

--- Whether the caller is a task of this loop.
-- @function running
-- @treturn boolean

--- Run `f(...)` as a task. Raises the error of a task, with its traceback.
-- @function run
-- @tparam function f
-- @param[opt] ... its arguments
-- @return its results, when every task has ended

return scheduler
