-- SPDX-License-Identifier: MIT
-- Installed by LuaRocks into a tree of its own, the rock does the main job from
-- another folder with that tree alone.
local shell = require "spec.support.shell"
local run = shell.run

describe("the rock #packaging", function()
  local tree = shell.temporary_folder()

  teardown(function() run("rm -rf '" .. tree .. "'") end)

  it("is installed by luarocks make, offline", function()
    local ok, text = run("tools/rock.sh '" .. tree .. "'")
    assert.is_true(ok, text)
  end)

  it("does the main job from another folder with that tree alone", function()
    local example = run("cp examples/quickstart.lua '" .. tree .. "/'")
    assert.is_true(example)
    local path = ("%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua"):format(tree, tree)
    local ok, text = run(("cd / && LUA_PATH='%s' LUA_CPATH='%s/lib/lua/5.4/?.so;;' lua5.4 %s/quickstart.lua")
      :format(path, tree, tree))
    assert.is_true(ok, text)
    assert.matches("All of it happened", text)
    assert.is_true(run(("cd / && LUA_PATH= LUA_CPATH= '%s/bin/stomp' --help"):format(tree)))
  end)

  it("has a core without libwebsockets", function()
    local core_tree = tree .. "/core"
    local ok, text = run("tools/rock.sh '" .. core_tree .. "' lua-stomp-core-scm-1.rockspec")
    assert.is_true(ok, text)
    ok, text = run(("cd / && LUA_PATH= LUA_CPATH='%s/lib/lua/5.4/?.so' lua5.4 -e '%s'"):format(core_tree,
      [[print(require "stomp.core".encode("SEND", { destination = "/queue/a" }, "x"))]]))
    assert.is_true(ok, text)
    assert.matches("^SEND\n", text)
    ok, text = run("ldd '" .. core_tree .. "/lib/lua/5.4/stomp/core.so'")
    assert.is_true(ok)
    assert.is_nil(text:find("libwebsockets", 1, true))
  end)

  it("has a core without zlib, too, which says so when it is to compress", function()
    local core_tree = tree .. "/bare"
    local ok, text = run("ZLIB=no tools/rock.sh '" .. core_tree .. "' lua-stomp-core-scm-1.rockspec")
    assert.is_true(ok, text)
    ok, text = run(("cd / && LUA_PATH= LUA_CPATH='%s/lib/lua/5.4/?.so' lua5.4 -e '%s'"):format(core_tree,
      [[print(require "stomp.core".connection { url = "ws://a/", compression = true })]]))
    assert.is_true(ok, text)
    assert.matches("^nil%s+invalid: compression is not built in", text)
    ok, text = run("ldd '" .. core_tree .. "/lib/lua/5.4/stomp/core.so'")
    assert.is_true(ok)
    assert.is_nil(text:find("libz", 1, true))
  end)
end)
