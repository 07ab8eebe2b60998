-- SPDX-License-Identifier: MIT
-- The built-in loop: docs/loops.md, "two doors".
local fixture = require "spec.support.fixture"
local lws = require "stomp.lws"
local socket_pair = require "spec.support.socket_pair"
local wire = require "spec.support.wire"

-- A scheduler of our own: what other specs left in the shared one stays there.
local shared = package.loaded["stomp.loop.scheduler"]
package.loaded["stomp.loop.scheduler"] = nil
local scheduler = require "stomp.loop.scheduler"
package.loaded["stomp.loop.scheduler"] = shared

-- Runs f with lws.poll counted; how often it was called.
local function polls_of(f)
  local real, n = lws.poll, 0
  lws.poll = function(...)
    n = n + 1
    return real(...)
  end
  local ok, text = pcall(f)
  lws.poll = real
  assert(ok, text)
  return n
end

describe("the built-in loop", function()
  require "spec.conformance.loop" {
    loop = scheduler, run = scheduler.run, describe = describe, it = it,
  }

  it("has random bytes", function()
    local one, other = scheduler.random(32), scheduler.random(32)
    assert.equal(32, #one)
    assert.not_equal(one, other)
  end)

  describe("in run", function()
    it("passes arguments and results, nil among them", function()
      local function keep(...) return { n = select("#", ...), ... } end
      local results = keep(scheduler.run(function(...)
        assert.same({ n = 3, nil, 2, nil }, keep(...))
        return 1, nil, 3, nil
      end, nil, 2, nil))
      assert.same({ n = 4, 1, nil, 3, nil }, results)
    end)

    it("returns when every task has ended", function()
      local ended = 0
      scheduler.run(function()
        for i = 1, 3 do
          scheduler.spawn(function()
            scheduler.sleep(i / 100)
            ended = ended + 1
          end)
        end
      end)
      assert.equal(3, ended)
    end)

    it("does not wait for tasks that were closed, waiting or before they began; on_error is told", function()
      local close = coroutine.close -- luacheck: ignore 143 (from 5.4 on)
      if not close then return end
      local told, begun = {}, scheduler.now()
      scheduler.run(function()
        local condition, near = scheduler.condition(), socket_pair.new()
        local waits = {
          function() scheduler.sleep(60) end, function() condition:wait(60) end,
          function() scheduler.wait(near, 60) end,
        }
        for _, wait in ipairs(waits) do
          local thread
          scheduler.spawn(function()
            thread = coroutine.running()
            wait()
          end, function(text) told[#told + 1] = text:match("coroutine.close") end)
          scheduler.sleep(0)
          assert.is_true(close(thread))
        end
        assert(close(scheduler.spawn(function() told = nil end).co))
      end)
      assert.is_true(scheduler.now() - begun < 30)
      assert.same({ "coroutine.close", "coroutine.close", "coroutine.close" }, told)
    end)

    it("does not wait for a daemon, which goes on whenever the loop is driven", function()
      local near, far = socket_pair.new()
      local served = 0
      scheduler.run(function()
        scheduler.spawn(function()
          while served < 2 do
            scheduler.wait(far)
            far:read()
            served = served + 1
          end
        end, nil, true)
        near:write("x")
        scheduler.sleep(0.01)
      end)
      assert.equal(1, served)
      near:write("x")
      scheduler.run(function() while served < 2 do scheduler.sleep(0.001) end end)
      assert.equal("again", scheduler.run(function() return "again" end))
      near:close()
      far:close()
    end)

    it("raises an error of its function or of a spawned task, with the traceback", function()
      local function culprit() error("it broke") end
      for _, f in ipairs {
        function()
          scheduler.sleep(0)
          culprit()
        end,
        function()
          scheduler.spawn(function()
            scheduler.sleep(0)
            culprit()
          end)
          scheduler.sleep(0.001)
        end,
      } do
        local ok, text = pcall(scheduler.run, f)
        assert.is_false(ok)
        assert.truthy(text:find("it broke", 1, true))
        assert.truthy(text:find("traceback", 1, true))
        assert.truthy(text:find("culprit", 1, true))
        assert.equal("again", scheduler.run(function() return "again" end))
      end
    end)

    it("does not wait for what a run that failed left behind", function()
      local near, far = socket_pair.new()
      assert.is_false(pcall(scheduler.run, function()
        scheduler.spawn(function() scheduler.wait(far) end)
        scheduler.sleep(0)
        error("it broke")
      end))
      assert.equal("done", scheduler.run(function() return "done" end))
      near:write("x")
      scheduler.run(function() scheduler.sleep(0.01) end)
      near:close()
      far:close()
    end)

    it("refuses to be nested, and says what to do", function()
      scheduler.run(function()
        local ok, text = pcall(function() scheduler.run(function() end) end)
        assert.is_false(ok)
        assert.truthy(text:find("stomp.spawn", 1, true))
        assert.truthy(text:find("scheduler_spec", 1, true))
      end)
    end)

    it("fails where nobody can go on, instead of hanging", function()
      local ok, text = pcall(scheduler.run, function()
        scheduler.condition():wait()
      end)
      assert.is_false(ok)
      assert.truthy(text:find("nobody can bring", 1, true))
    end)

    it("returns when what is left waits for nobody", function()
      assert.equal("done", scheduler.run(function()
        scheduler.spawn(function() scheduler.condition():wait() end)
        scheduler.sleep(0)
        return "done"
      end))
    end)
  end)

  describe("outside of tasks", function()
    it("drives timers, descriptors and tasks until the awaited thing has come", function()
      local near, far = socket_pair.new()
      local log = {}
      scheduler.spawn(function()
        scheduler.wait(far)
        log[#log + 1] = far:read()
        near:write("second")
        scheduler.sleep(0.01)
        log[#log + 1] = "slept"
      end)
      near:write("first")
      local finish = scheduler.now() + 20 -- the machine may be busy
      repeat scheduler.sleep(0.05) until #log == 2 or scheduler.now() > finish
      assert.same({ "first", "slept" }, log)
      near:close()
      far:close()
    end)

    it("asks once with a time-out of 0", function()
      local near, far = socket_pair.new()
      assert.is_false(scheduler.wait(far, 0))
      near:write("x")
      assert.is_true(scheduler.wait(far, 0))
      near:close()
      far:close()
    end)

    it("says true for what came while the time was over", function()
      local near, far = socket_pair.new()
      scheduler.spawn(function() -- it does not rest until then
        local over = scheduler.now() + 0.02
        repeat until scheduler.now() > over
        near:write("x")
      end)
      assert.is_true(scheduler.wait(far, 0.01))
      near:close()
      far:close()
    end)

    it("waits for a condition that a task signals", function()
      local condition = scheduler.condition()
      scheduler.spawn(function()
        scheduler.sleep(0.01)
        condition:signal()
      end)
      assert.is_false(scheduler.running())
      assert.is_true(condition:wait())
    end)

    it("leaves other tasks where they are when its own thing has come", function()
      local step = 0
      scheduler.spawn(function()
        for i = 1, 3 do
          step = i
          scheduler.sleep(0.03)
        end
      end)
      scheduler.sleep(0.001)
      assert.equal(1, step)
      while step < 3 do scheduler.sleep(0.01) end
      scheduler.sleep(0.04)
    end)

    it("never yields a generator to whoever resumes it", function()
      local near, far = socket_pair.new()
      scheduler.spawn(function()
        scheduler.sleep(0.005)
        near:write("x")
      end)
      local generator = coroutine.create(function()
        scheduler.wait(far)
        coroutine.yield("mine")
      end)
      local ok, value = coroutine.resume(generator)
      assert.is_true(ok)
      assert.equal("mine", value)
      near:close()
      far:close()
    end)

    it("raises where nobody can bring it", function()
      local condition = scheduler.condition()
      local ok, text = pcall(condition.wait, condition)
      assert.is_false(ok)
      assert.truthy(text:find("no task, timer or descriptor", 1, true))
    end)

    it("raises the error of a task that has no on_error", function()
      scheduler.spawn(function() error("it broke") end)
      local ok, text = pcall(scheduler.sleep, 0.001)
      assert.is_false(ok)
      assert.truthy(text:find("it broke", 1, true))
    end)

    it("may wait in on_error", function()
      local told
      scheduler.spawn(function() error("it broke") end, function(text)
        scheduler.sleep(0.001)
        told = text
      end)
      scheduler.sleep(0.001)
      assert.truthy(told:find("it broke", 1, true))
    end)
  end)

  describe("driven by a generator in a task", function()
    it("does not resume the task that is being run", function()
      local log = {}
      scheduler.run(function()
        local condition = scheduler.condition()
        scheduler.spawn(function()
          scheduler.sleep(0.001)
          log[#log + 1] = "other"
          condition:signal()
        end)
        coroutine.wrap(function()
          condition:wait()
          log[#log + 1] = "generator"
        end)()
        log[#log + 1] = "task"
        assert.is_true(scheduler.running())
        scheduler.sleep(0)
      end)
      assert.same({ "other", "generator", "task" }, log)
    end)

    it("goes on when two drive, one within the other", function()
      local log = {}
      local function drive(seconds, name)
        coroutine.wrap(function()
          scheduler.sleep(seconds)
          log[#log + 1] = name
        end)()
      end
      scheduler.run(function()
        scheduler.spawn(function() drive(0.02, "inner") end)
        drive(0.001, "outer") -- its time comes first, but it is below on the stack
      end)
      assert.same({ "inner", "outer" }, log)
    end)

    it("hands an error in it to the task", function()
      scheduler.run(function()
        local ok, text = coroutine.resume(coroutine.create(function()
          scheduler.sleep(0.001)
          error("in the generator")
        end))
        assert.is_false(ok)
        assert.truthy(text:find("in the generator", 1, true))
        scheduler.sleep(0)
        assert.is_true(scheduler.running())
      end)
    end)
  end)

  describe("costs little:", function()
    it("polls once for a wait of a second or less, however long", function()
      local near, far = socket_pair.new()
      local n = polls_of(function()
        scheduler.run(function()
          scheduler.spawn(function() assert(not scheduler.wait(far, 0.05)) end)
          scheduler.condition():wait(0.05)
        end)
      end)
      assert.is_true(n >= 1 and n <= 6, n)
      near:close()
      far:close()
    end)

    it("keeps no more timers than there are waits", function()
      local near, far = socket_pair.new()
      near:write("x")
      scheduler.run(function()
        collectgarbage()
        collectgarbage()
        local before = collectgarbage("count")
        for _ = 1, 20000 do assert(scheduler.wait(far, 1000)) end
        collectgarbage()
        collectgarbage()
        local grown = collectgarbage("count") - before
        assert.is_true(grown < 100, grown .. " KiB")
      end)
      near:close()
      far:close()
    end)

    it("wakes ten thousand who wait on one condition", function()
      local woken = 0
      scheduler.run(function()
        local condition = scheduler.condition()
        for _ = 1, 10000 do
          scheduler.spawn(function()
            condition:wait(1000)
            woken = woken + 1
          end)
        end
        scheduler.sleep(0)
        condition:signal()
      end)
      assert.equal(10000, woken)
    end)

    it("forgets tasks that have ended", function()
      local seen = setmetatable({}, { __mode = "k" })
      scheduler.run(function()
        for _ = 1, 10 do
          scheduler.spawn(function()
            seen[coroutine.running()] = true
            scheduler.sleep(0)
          end)
        end
      end)
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(seen))
    end)
  end)

  it("raises where a function is expected, and is as before", function()
    for _, f in ipairs { false, 5, "f" } do
      for name, call in pairs { spawn = scheduler.spawn, run = scheduler.run } do
        local text = fixture.raised(function() call(f) end)
        assert.truthy(text:find(name .. ": function expected, got " .. type(f), 1, true))
      end
    end
    fixture.raised(function() scheduler.run() end)
    assert.equal(1, scheduler.run(function() return 1 end))
  end)

  it("raises where sleep is given no number of seconds, inside tasks and outside", function()
    local function check()
      for _, seconds in ipairs { false, "x", {}, 0 / 0 } do
        local text = fixture.raised(function() scheduler.sleep(seconds) end)
        assert.truthy(text:find("sleep: ", 1, true))
      end
      fixture.raised(function() scheduler.sleep() end)
      scheduler.sleep(-1)
    end
    check()
    scheduler.run(check)
  end)

  it("lets Ctrl-C through while it waits #process", function()
    local text = wire.script [[
      local scheduler = require "stomp.loop.scheduler"
      local file = assert(io.popen("echo $PPID"))
      local pid = file:read("*l")
      file:close()
      local go = assert(io.popen("sleep 0.3; kill -INT " .. pid))
      local begun = scheduler.now()
      scheduler.spawn(function() scheduler.sleep(20) end)
      local ok, message = pcall(scheduler.sleep, 20)
      print(ok, message:match("interrupted"), scheduler.now() - begun < 15)
    ]]
    assert.equal("false\tinterrupted\ttrue\n", text)
  end)
end)
