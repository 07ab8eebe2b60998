-- SPDX-License-Identifier: MIT
-- Many messages and bounded memory, against a server that floods. Each case runs
-- in a process of its own, whose highest RSS is measured.
local function lines(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

describe("under load #slow", function()
  local port, pid

  setup(function()
    lines("mkdir -p build/test && gcc -O2 -D_GNU_SOURCE -Isrc -o build/test/loadserver bench/loadserver.c"
      .. " src/core/sha1.c src/core/base64.c")
    local pipe = assert(io.popen("echo $$; exec build/test/loadserver"))
    pid = assert(pipe:read("*n"))
    port = assert(pipe:read("*n"))
  end)

  teardown(function() os.execute("kill " .. pid) end)

  local function consume(size, count, pause)
    local text = lines(("LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/5.4/?.so;;'"
      .. " lua5.4 spec/load/consumer.lua ws://127.0.0.1:%d/ws %d %d %g"):format(port, size, count, pause or 0))
    local n, mb = text:match("(%d+) messages in order, ([%d.]+) MB")
    assert.equal(count, tonumber(n), text)
    return tonumber(mb)
  end

  it("receives 1,000,000 messages of 100 bytes in order, in less than 40 MB", function()
    assert.is_true(consume(100, 1000000) < 40)
  end)

  it("receives 20,000 messages of 64 KiB in order, in less than 60 MB", function()
    assert.is_true(consume(65536, 20000) < 60)
  end)

  it("stops reading while nobody reads, and loses nothing, in less than 40 MB", function()
    assert.is_true(consume(100, 500000, 2) < 40)
  end)
end)
