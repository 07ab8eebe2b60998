-- SPDX-License-Identifier: MIT
-- A loop (docs/loops.md) with a clock of its own: it jumps to the next timer when
-- nothing else can go on, so a spec of a minute takes no time, and it raises
-- "deadlock" where nothing can go on at all, so a forgotten waiter is seen.
-- A pollable is ready when its `ready` method says so.
local function new()
  local loop = { name = "fake", time = 1000 }
  local runnable, timers, polls = {}, {}, {}
  local tasks = setmetatable({}, { __mode = "k" })

  local function wake(waiter, value)
    if waiter.woken then return end
    waiter.woken, waiter.value = true, value
    if waiter.thread then runnable[#runnable + 1] = waiter end
  end

  local function resume(thread, on_error)
    local ok, value = coroutine.resume(thread)
    if coroutine.status(thread) ~= "dead" then return end
    if ok then return end
    local text = debug.traceback(thread, tostring(value))
    if not on_error then error(text, 0) end
    on_error(text, value)
  end

  local function run_tasks()
    local list = runnable
    runnable = {}
    for _, waiter in ipairs(list) do resume(waiter.thread, tasks[waiter.thread]) end
    return #list > 0
  end

  local function check(list, is_due)
    local any = false
    for i = #list, 1, -1 do
      local entry = list[i]
      if entry.waiter.woken then
        table.remove(list, i)
      elseif is_due(entry) then
        table.remove(list, i)
        wake(entry.waiter, entry.value)
        any = true
      end
    end
    return any
  end

  local function advance()
    local first
    for _, entry in ipairs(timers) do
      if not entry.waiter.woken and (not first or entry.at < first) then
        first = entry.at
      end
    end
    if not first then error("deadlock: nobody can go on", 0) end
    loop.time = math.max(loop.time, first)
  end

  local function step()
    if run_tasks() then return end
    local any = check(polls, function(entry) return entry.pollable:ready() end)
    any = check(timers, function(entry) return entry.at <= loop.time end) or any
    if not any then advance() end
  end

  local function block(waiter, timeout)
    if timeout then
      timers[#timers + 1] = { waiter = waiter, at = loop.time + timeout, value = false }
    end
    local thread = coroutine.running()
    if loop.running() then
      waiter.thread = thread
      coroutine.yield()
    else
      while not waiter.woken do step() end
    end
    return waiter.value
  end

  function loop.running()
    local thread = coroutine.running()
    return thread ~= nil and tasks[thread] ~= nil
  end

  function loop.now() return loop.time end

  --- The same bytes in each run.
  function loop.random(n)
    local bytes = {}
    for i = 1, n do bytes[i] = string.char(i % 256) end
    return table.concat(bytes)
  end

  function loop.sleep(seconds) block({}, seconds) end

  function loop.wait(pollable, timeout)
    local waiter = {}
    polls[#polls + 1] = { waiter = waiter, pollable = pollable, value = true }
    return block(waiter, timeout)
  end

  function loop.spawn(f, on_error)
    local thread = coroutine.create(f)
    tasks[thread] = on_error or false
    wake({ thread = thread })
  end

  function loop.condition()
    local waiters = {}
    return {
      wait = function(_, timeout)
        local waiter = {}
        waiters[#waiters + 1] = waiter
        return block(waiter, timeout)
      end,
      signal = function()
        local list = waiters
        waiters = {}
        for _, waiter in ipairs(list) do wake(waiter, true) end
      end,
    }
  end

  --- Run the functions as tasks until all of them have ended.
  function loop.run(...)
    local left = 0
    for _, f in ipairs { ... } do
      left = left + 1
      loop.spawn(function()
        f()
        left = left - 1
      end)
    end
    while left > 0 do step() end
  end

  --- Let everything go on that can without time passing.
  function loop.idle()
    loop.sleep(0)
    loop.sleep(0)
  end

  return loop
end

return { new = new }
