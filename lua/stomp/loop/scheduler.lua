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

--- scheduler.wait(pollable [, timeout]), scheduler.sleep(seconds),
-- scheduler.now(), scheduler.spawn(f [, on_error [, daemon]]),
-- scheduler.condition(), scheduler.running(): docs/loops.md.

--- So many random bytes, at most 256.
scheduler.random = lws.random

--- scheduler.run(f, ...): run `f(...)` as a task; its results once every task has
-- ended. An error in a task is raised with its traceback.

return scheduler
