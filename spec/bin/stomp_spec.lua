-- SPDX-License-Identifier: MIT
-- bin/stomp as a user runs it: publisher and consumer are processes of their own,
-- the broker a third.
local stomp = require "stomp"
local wire = require "spec.support.wire"

-- By the interpreter that runs this: modules with a sanitizer need theirs.
local PROGRAM = wire.interpreter() .. " bin/stomp "

local function shell(command)
  local pipe = assert(io.popen(("export LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s'; %s; echo status $?")
    :format(package.cpath, command)))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.-)status (%d+)%s*$")
  return tonumber(status), output
end

describe("bin/stomp #process", function()
  local url, pid

  setup(function()
    local pipe = assert(io.popen(("export LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s'; "
      .. PROGRAM .. "broker --listen ws://127.0.0.1:0/ws & echo $!"):format(package.cpath)))
    pid = assert(pipe:read("*n"))
    pipe:read("*l")
    url = assert(pipe:read("*l"))
  end)

  teardown(function() os.execute("kill " .. pid) end)

  it("runs a broker with a login that misbehaves as it is told", function()
    local command = PROGRAM .. "broker --listen ws://127.0.0.1:0/ws "
    local pipe = assert(io.popen(("export LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s'; %s & echo $!")
      :format(package.cpath, command .. "--login me --passcode secret --misbehave cut_after=3,withhold_receipts")))
    local its_pid = assert(pipe:read("*n"))
    pipe:read("*l")
    local its_url = assert(pipe:read("*l"))
    local _, _, err = stomp.connect(its_url, { login = "me", passcode = "wrong" })
    assert.equal("broker", err and err.kind)
    local client = assert(stomp.connect(its_url, { login = "me", passcode = "secret" }))
    local ok
    ok, _, err = client:send("/queue/a", "1", nil, { confirm = true, timeout = 0.1 })
    assert.is_nil(ok)
    assert.equal("timeout", err.kind)
    ok, _, err = client:send("/queue/a", "2", nil, { confirm = true })
    assert.is_nil(ok)
    assert.equal("closed", err.kind)
    os.execute("kill " .. its_pid)
    for given, text in pairs { drop = "unknown option 'drop'", ["delay=much"] = "option 'delay': number expected" } do
      local status, said = shell(command .. "--misbehave " .. given .. " 2>&1")
      assert.equal(2, status)
      assert.truthy(said:find("stomp: --misbehave: " .. text, 1, true), said)
    end
  end)

  it("publishes an argument and a line a message, and prints them", function()
    local publish = PROGRAM .. "pub " .. url .. " /queue/cli "
    assert.same({ 0, "" }, { shell(publish .. "first 2>&1") })
    assert.same({ 0, "" }, { shell("printf 'second\\nthird\\n' | " .. publish .. "- 2>&1") })
    local status, text = shell(PROGRAM .. "sub " .. url .. " /queue/cli --count 3 2>&1")
    assert.equal("first\nsecond\nthird\n", text)
    assert.equal(0, status)
  end)

  it("records a trace, prints and checks it", function()
    local file = os.tmpname()
    assert.equal(0, (shell((PROGRAM .. "pub %s /queue/rec hello --passcode hunter2 --login me --record %s")
      :format(url, file))))
    local status, text = shell(PROGRAM .. "replay " .. file .. " 2>&1")
    assert.equal(0, status, text)
    assert.truthy(text:match("^ +0%.%d+ #1 %-%- connecting to ws://"), text)
    assert.truthy(text:find("#1 >> SEND content-length:5 destination:/queue/rec persistent:true", 1, true), text)
    assert.truthy(text:find("| hello", 1, true), text)
    assert.truthy(text:find("-- end: clean", 1, true), text)
    assert.is_nil(text:find("hunter2", 1, true))
    local handle = assert(io.open(file, "a"))
    handle:write("9.0 1 receive MESSAGE\\n\\n\\x00\n")
    handle:close()
    status, text = shell(PROGRAM .. "replay " .. file .. " 2>&1")
    assert.equal(1, status)
    assert.truthy(text:find("stomp: invalid: " .. file .. " line ", 1, true), text)
    assert.equal(2, (shell(PROGRAM .. "replay 2>/dev/null")))
    os.remove(file)
  end)

  it("prints JSON for machines", function()
    shell(PROGRAM .. "pub " .. url .. " /queue/json x")
    local status, text = shell(PROGRAM .. "sub " .. url .. " /queue/json --count 1 --json 2>&1")
    assert.equal(0, status, text)
    local value = require "cjson".decode(text)
    assert.equal("x", value.body)
    assert.equal("/queue/json", value.headers.destination)
  end)

  it("sends a request and prints the reply", function()
    local client = assert(stomp.connect(url, { proxy = false }))
    local answered = false
    assert(client:subscribe("/queue/upper", { confirm = true }, function(message)
      assert(message:reply(message.body:upper()))
      answered = true
    end))
    local pipe = assert(io.popen(("export LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s'; "
      .. PROGRAM .. "request %s /queue/upper hello --timeout 20 2>&1; echo status $?")
      :format(package.cpath, url)))
    while not answered do client:receive(0.1) end
    local text = pipe:read("*a")
    pipe:close()
    client:close()
    assert.equal("HELLO\nstatus 0\n", text)
  end)

  it("fails with 1 and the reason when no reply comes", function()
    local status, text = shell(PROGRAM .. "request " .. url .. " /queue/nobody x --timeout 0.1 2>&1")
    assert.equal(1, status)
    assert.matches("timeout: no reply from /queue/nobody within 0.1 s", text, 1, true)
  end)

  it("fails with 1 where there is no broker, with the reason", function()
    local status, text = shell(PROGRAM .. "pub ws://127.0.0.1:1/ /queue/a x 2>&1")
    assert.equal(1, status)
    assert.matches("refused", text)
  end)

  it("fails with 2 and its usage where the call is wrong", function()
    for _, call in ipairs { "", "frobnicate", "sub", "pub --colour", "request " .. url .. " /queue/a" } do
      local status, text = shell(PROGRAM .. call .. " 2>&1")
      assert.equal(2, status, text)
      assert.matches("usage: stomp sub", text)
    end
    assert.equal(0, (shell(PROGRAM .. "--help")))
  end)
end)
