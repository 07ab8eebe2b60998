-- SPDX-License-Identifier: MIT
-- examples/cluster.lua on three RabbitMQ nodes: each node is killed in turn while
-- confirmed sends run and workers in processes of their own acknowledge. What was
-- confirmed is worked on, whatever was lost: also where RabbitMQ refused messages and
-- sent their RECEIPTs all the same (docs/brokers.md). How many, its own figures tell.
local FOLDER = "build/test/cluster"
local COUNT, PER_SECOND, WORKERS = 2000, 80, 3
local PATIENCE = 400 -- seconds for all of it

local LUA = "LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/5.4/?.so;;'"
  .. (" timeout --foreground %d lua5.4 examples/cluster.lua "):format(PATIENCE)

local function run(command, ...)
  local ok = os.execute(command:format(...) .. (" >>%s.log 2>&1"):format(FOLDER))
  assert(ok == true or ok == 0, "failed, see " .. FOLDER .. ".log: " .. command)
end

local REFUSED = [[lists:sum([maps:get(messages_received_confirm_total, C)
  - maps:get(messages_confirmed_total, C) || {_, C} <- maps:to_list(rabbit_global_counters:overview()),
  maps:is_key(messages_received_confirm_total, C)]).]]
local LEFT = [[lists:sum([N || Q <- rabbit_amqqueue:list(), {messages, N} <- rabbit_amqqueue:info(Q, [messages])]).]]

-- A number that a node knows.
local function ask(node, question)
  local pipe = assert(io.popen(("tools/rabbitmq.sh ctl %s/%d eval '%s' 2>>%s.log")
    :format(FOLDER, node, question:gsub("\n", " "), FOLDER)))
  local n = pipe:read("*n")
  pipe:close()
  return assert(n, "no answer of node " .. node)
end

describe("a cluster of three nodes #cluster", function()
  local urls

  setup(function()
    os.execute "mkdir -p build/test"
    run("rm -rf %s", FOLDER)
    run("tools/rabbitmq.sh cluster %s", FOLDER)
    local file = assert(io.open(FOLDER .. "/urls"))
    urls = file:read("*a"):gsub("\n", " ")
    file:close()
  end)

  teardown(function() run("tools/rabbitmq.sh stop %s", FOLDER) end)

  -- Several workers into one pipe; the first line is their process group.
  local function start_workers()
    local command = {}
    for i = 1, WORKERS do
      command[i] = LUA .. ("work %s 2>>%s/worker-%d.err & "):format(urls, FOLDER, i)
    end
    local pipe = assert(io.popen(('exec setsid sh -c "echo \\$\\$; %s wait"')
      :format(table.concat(command))))
    local pid = assert(pipe:read("*n", "*l"))
    return pipe, pid
  end

  it("loses no confirmed message while its nodes are killed in turn", function()
    local workers, pid = start_workers()
    for _ = 1, WORKERS do assert.equal("ready", workers:read("*l")) end
    local publisher = assert(io.popen(LUA .. ("publish %d %d %s 2>>%s/publisher.err")
      :format(COUNT, PER_SECOND, urls, FOLDER)))
    local safe, n_safe = {}, 0
    local function read_until(n)
      while n_safe < n do
        local number = assert(publisher:read("*l")):match("^safe\t(%d+)$")
        safe[number], n_safe = true, n_safe + 1
      end
    end
    local refused = 0
    for node = 1, 3 do
      read_until(n_safe + 200)
      refused = refused + ask(node, REFUSED) -- it will not know that any more
      run("tools/rabbitmq.sh kill %s/%d", FOLDER, node)
      read_until(n_safe + 200) -- two nodes go on
      run("tools/rabbitmq.sh restart %s/%d", FOLDER, node)
      run("tools/rabbitmq.sh rejoined %s/%d", FOLDER, node)
    end
    read_until(COUNT)
    assert.is_nil(publisher:read("*l"))
    publisher:close()
    for node = 1, 3 do refused = refused + ask(node, REFUSED) end
    local done, left, again = {}, COUNT, 0
    local function note(line)
      local number = assert(line:match("^done\t(%d+)$"), line)
      if done[number] then
        again = again + 1
      else
        done[number], left = true, left - 1
      end
    end
    local function is_over() return left <= refused and ask(1, LEFT) == 0 end
    while left > 0 and not is_over() do note(assert(workers:read("*l"))) end
    run("kill -- -%d", pid)
    for line in workers:lines() do note(line) end
    workers:close()
    for i = 1, COUNT do assert.is_true(safe[tostring(i)]) end
    print(("%d safe, %d done, %d of them twice; %d refused by RabbitMQ")
      :format(COUNT, COUNT - left, again, refused))
    assert.equal(0, left, left .. " are lost")
  end)
end)
