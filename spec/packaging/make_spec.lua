-- SPDX-License-Identifier: MIT
-- What `make` builds anew when it is told something else.
local shell = require "spec.support.shell"

local function run(command)
  local ok, text = shell.run(command)
  return assert(ok and text, text)
end

describe("make #packaging", function()
  local folder = shell.temporary_folder()

  teardown(function() run("rm -rf '" .. folder .. "'") end)

  -- Whether the core built by these words would need zlib.
  local function needs_zlib(words)
    local object = folder .. "/obj/core/deflate.o"
    run(("make -s %s BUILD='%s' '%s'"):format(words, folder, object))
    return run("nm -u '" .. object .. "'"):find("inflate", 1, true) ~= nil
  end

  it("builds with and without zlib in turn, in one folder", function()
    assert.is_true(needs_zlib "")
    assert.is_false(needs_zlib "ZLIB=no")
    assert.is_true(needs_zlib "ZLIB=yes")
    assert.is_false(needs_zlib "ZLIB=no")
  end)

  it("builds nothing anew when nothing has changed", function()
    needs_zlib ""
    local stamp = run("stat -c %y '" .. folder .. "/obj/core/deflate.o'")
    needs_zlib ""
    assert.equal(stamp, run("stat -c %y '" .. folder .. "/obj/core/deflate.o'"))
  end)

  it("installs a command that runs by the Lua that the modules are for", function()
    local tree = folder .. "/tree"
    run(("make -s install DESTDIR='%s' PREFIX=/usr"):format(tree))
    local version = run "make -s --eval='print: ; @echo $(LUA)' print"
    local first = run("head -n 1 '" .. tree .. "/usr/bin/stomp'")
    assert.equal("#!/usr/bin/env " .. version:match "%S+", first:match "[^\n]+")
  end)
end)
