-- SPDX-License-Identifier: MIT
-- What every loop must do (docs/loops.md). A loop's spec calls
--
--   require "spec.conformance.loop" { loop = …, run = function(f) … end,
--     describe = describe, it = it }
--
-- where run(f) runs f() as a task of the loop and returns when it has ended;
-- an error in it is raised. `pair`: makes two pollables as socket_pair.new does,
-- for a loop that does not wait for sockets.
local assert = require "luassert"
local socket_pair = require "spec.support.socket_pair"

-- seconds until a spec gives up
local patience = os.getenv("STOMP_TEST_SLOW") and 60 or 10

--- A list that grows, and the wait until it has n entries.
local function log_of(loop)
  local log = { changed = loop.condition() }
  function log.add(text)
    log[#log + 1] = text
    log.changed:signal()
  end
  function log.await(n)
    local deadline = loop.now() + patience
    while #log < n do
      assert(loop.now() < deadline, "it did not come")
      log.changed:wait(1)
    end
  end
  function log.text() return table.concat(log, " ") end
  return log
end

local function time_suite(host, it)
  local loop = host.loop

  it("has a clock in seconds that never goes back", function()
    local last = loop.now()
    assert.equal("number", type(last))
    for _ = 1, 100 do
      local now = loop.now()
      assert.is_true(now >= last)
      last = now
    end
  end)

  it("sleeps at least as long as asked", function()
    host.run(function()
      for _, seconds in ipairs { 0, 0.001, 0.02 } do
        local begun = loop.now()
        loop.sleep(seconds)
        assert.is_true(loop.now() - begun >= seconds - 0.0005)
      end
    end)
  end)

  it("wakes sleepers in the order of their times", function()
    host.run(function()
      local log = log_of(loop)
      for _, i in ipairs { 5, 2, 8, 1, 7, 3, 6, 4 } do
        loop.spawn(function()
          loop.sleep(i * 0.01)
          log.add(i)
        end)
      end
      log.await(8)
      assert.equal("1 2 3 4 5 6 7 8", log.text())
    end)
  end)

  it("lets the others run while one sleeps", function()
    host.run(function()
      local n = 0
      loop.spawn(function()
        for _ = 1, 50 do
          n = n + 1
          loop.sleep(0)
        end
      end)
      local deadline = loop.now() + patience
      while n < 50 and loop.now() < deadline do loop.sleep(0.01) end
      assert.equal(50, n)
    end)
  end)

  it("lets a time come while others never rest", function()
    host.run(function()
      local over = false
      for _ = 1, 3 do
        loop.spawn(function()
          while not over do loop.sleep(0) end
        end)
      end
      loop.sleep(0.02)
      over = true
      loop.sleep(0)
    end)
  end)
end

local function wait_suite(host, it)
  local loop, new_pair = host.loop, host.pair or socket_pair.new

  it("waits until a pollable is ready", function()
    local near, far = new_pair()
    host.run(function()
      local log = log_of(loop)
      loop.spawn(function()
        assert(loop.wait(far))
        log.add(far:read())
      end)
      loop.sleep(0)
      near:write("news")
      log.await(1)
      assert.equal("news", log.text())
    end)
    near:close()
    far:close()
  end)

  it("says true at once for what is ready already", function()
    local near, far = new_pair()
    near:write("x")
    host.run(function()
      assert.is_true(loop.wait(far))
      assert.is_true(loop.wait(far, patience))
      assert.is_true(loop.wait(far, 0))
    end)
    near:close()
    far:close()
  end)

  it("says false when the time is over, not before", function()
    local near, far = new_pair()
    host.run(function()
      local begun = loop.now()
      local ready = loop.wait(far, 0.03)
      local took = loop.now() - begun
      assert.is_false(ready)
      assert.is_true(took >= 0.0295 and took < patience, took)
      assert.is_false(loop.wait(far, 0))
    end)
    near:close()
    far:close()
  end)

  it("takes pollfd and events as values, and waits for room to write", function()
    local near, far = new_pair()
    host.run(function()
      assert.is_true(loop.wait({ pollfd = near:pollfd(), events = "w" }, patience))
      assert.is_true(loop.wait({ pollfd = near:pollfd(), events = "rw" }, patience))
      assert.is_false(loop.wait({ pollfd = near:pollfd(), events = "r" }, 0.01))
    end)
    near:close()
    far:close()
  end)

  it("wakes only whose pollable is ready", function()
    host.run(function()
      local log, ends = log_of(loop), {}
      for i = 1, 20 do
        local near, far = new_pair()
        ends[i] = near
        loop.spawn(function()
          assert(loop.wait(far))
          log.add(i .. far:read())
          far:close()
        end)
      end
      loop.sleep(0)
      for n, i in ipairs { 13, 1, 20, 7 } do
        ends[i]:write("!")
        log.await(n)
      end
      assert.equal("13! 1! 20! 7!", log.text())
      for i, near in ipairs(ends) do
        near:write("?")
        if i % 3 == 0 then loop.sleep(0) end
      end
      log.await(20)
      for _, near in ipairs(ends) do near:close() end
    end)
  end)

  it("wakes all who wait for the same descriptor", function()
    local near, far = new_pair()
    host.run(function()
      local log = log_of(loop)
      for i = 1, 3 do
        loop.spawn(function()
          assert(loop.wait(far, patience))
          log.add(i)
        end)
      end
      loop.sleep(0)
      near:write("x")
      log.await(3)
    end)
    near:close()
    far:close()
  end)

  it("sees the other end close", function()
    local near, far = new_pair()
    host.run(function()
      near:close()
      assert.is_true(loop.wait(far, patience))
    end)
    far:close()
  end)
end

local function condition_suite(host, it)
  local loop = host.loop

  it("wakes all who wait on a condition, once", function()
    host.run(function()
      local condition, log = loop.condition(), log_of(loop)
      for i = 1, 3 do
        loop.spawn(function()
          assert(condition:wait())
          log.add("a" .. i)
          assert(condition:wait())
          log.add("b" .. i)
        end)
      end
      loop.sleep(0)
      condition:signal()
      log.await(3)
      loop.sleep(0.01)
      assert.equal("a1 a2 a3", log.text())
      condition:signal()
      log.await(6)
      assert.equal("a1 a2 a3 b1 b2 b3", log.text())
    end)
  end)

  it("keeps no signal for who comes later", function()
    host.run(function()
      local condition = loop.condition()
      condition:signal()
      assert.is_false(condition:wait(0.01))
    end)
  end)

  it("says false after the time, and is as before", function()
    host.run(function()
      local condition, log = loop.condition(), log_of(loop)
      loop.spawn(function()
        assert(condition:wait(patience))
        log.add("signalled")
      end)
      assert.is_false(condition:wait(0.01))
      assert.is_false(condition:wait(0))
      assert.equal("", log.text())
      condition:signal()
      log.await(1)
    end)
  end)
end

local function task_suite(host, it)
  local loop, new_pair = host.loop, host.pair or socket_pair.new

  it("runs what a task spawns, and tasks of tasks", function()
    host.run(function()
      local log = log_of(loop)
      loop.spawn(function()
        loop.spawn(function()
          loop.sleep(0)
          log.add("inner")
        end)
        loop.sleep(0.01)
        log.add("outer")
      end)
      log.await(2)
      assert.equal("inner outer", log.text())
    end)
  end)

  it("tells an error in a task to its on_error, with traceback and value", function()
    host.run(function()
      local log, value = log_of(loop), { "an error value" }
      local text, got
      local function culprit() error(value) end
      loop.spawn(function()
        loop.sleep(0)
        culprit()
      end, function(traceback, what)
        text, got = traceback, what
        log.add("told")
      end)
      loop.spawn(function()
        loop.sleep(0.01)
        log.add("alive")
      end)
      log.await(2)
      assert.equal(value, got)
      assert.truthy(text:find("traceback", 1, true))
      assert.truthy(text:find("culprit", 1, true))
    end)
  end)

  local is_scoped = coroutine.close ~= nil -- luacheck: ignore 143 (from 5.4 on)
  local scope = is_scoped and load [[
    local f, on_close = ...
    local owned <close> = setmetatable({}, { __close = on_close })
    f()
  ]]

  it("leaves the scopes of a task that an error ends, before it is told; they may wait", function()
    if not scope then return end -- before Lua 5.4
    host.run(function()
      local log = log_of(loop)
      for i, last in ipairs { false, "of the scope" } do
        loop.spawn(function()
          scope(function() error("culprit " .. i) end, function()
            loop.sleep(0.001)
            log.add("left")
            if last then error(last) end
          end)
        end, function(traceback, value)
          assert.truthy(traceback:find("culprit " .. i, 1, true))
          log.add(value:match(last or "culprit") and "told" or value)
        end)
        log.await(2 * i)
      end
      assert.equal("left told left told", log.text())
    end)
  end)

  it("knows its own tasks", function()
    host.run(function()
      assert.is_true(loop.running())
      local inside = coroutine.wrap(function() return loop.running() end)()
      assert.is_false(inside)
      assert.is_true(loop.running())
    end)
  end)

  it("gives a generator its own yields only, while others go on", function()
    local near, far = new_pair()
    host.run(function()
      local log = log_of(loop)
      loop.spawn(function()
        loop.sleep(0.01)
        log.add("other")
        near:write("x")
      end)
      local generator = coroutine.wrap(function()
        coroutine.yield("first")
        loop.wait(far)
        loop.sleep(0.001)
        coroutine.yield(far:read())
        return "last"
      end)
      assert.equal("first", generator())
      assert.equal("x", generator())
      assert.equal("last", generator())
      assert.equal("other", log.text())
    end)
    near:close()
    far:close()
  end)
end

return function(host)
  host.describe("as every loop, with time,", function() time_suite(host, host.it) end)
  host.describe("as every loop, with pollables,", function() wait_suite(host, host.it) end)
  host.describe("as every loop, with conditions,", function() condition_suite(host, host.it) end)
  host.describe("as every loop, with tasks,", function() task_suite(host, host.it) end)
end
