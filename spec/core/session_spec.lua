-- SPDX-License-Identifier: MIT
-- core.session, both roles: STOMP without upgrade and framing. Walks the tables of
-- docs/protocol.md cell by cell, and runs spec/vectors/session.md.
local core = require "stomp.core"
local tables = require "spec.support.protocol_tables"
local dialogue = require "spec.support.dialogue"
local vectors = require "spec.support.vectors"

local versions = { "1.0", "1.1", "1.2" }
local states = { "idle", "connecting", "connected", "disconnecting", "closed" }
local quiet = { send = 0, receive = 0 }

-- A value for every header that any frame may need; what it names exists.
local values = {
  destination = "/a", id = "known", ["message-id"] = "m", subscription = "known",
  transaction = "open", ["receipt-id"] = "r",
}

local function frame_text(command, headers)
  local lines = { command }
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ":" .. value end
  return table.concat(lines, "\n") .. "\n\n\0"
end

local function client_in(state, version)
  local s = core.session { versions = { version }, heartbeat = quiet, host = false }
  if state == "idle" then return s end
  s:connect(0)
  s:output()
  if state == "connecting" then return s end
  assert(s:feed("CONNECTED\nversion:" .. version .. "\n\n\0", 0))
  assert(s:next())
  assert(s:send("SUBSCRIBE", { id = "known", destination = "/a" }))
  assert(s:send("BEGIN", { transaction = "open" }))
  if state == "disconnecting" then assert(s:disconnect(0)) end
  if state == "closed" then s:close(0) end
  s:output()
  return s
end

local function server_in(state, version)
  local s = core.session { role = "server", versions = { version }, heartbeat = quiet }
  if state == "idle" then return s end
  assert(s:feed("CONNECT\naccept-version:" .. version .. "\n\n\0", 0))
  assert(s:next())
  if state == "connecting" then return s end
  assert(s:accept(0))
  if state == "disconnecting" then
    assert(s:feed("DISCONNECT\n\n\0", 0))
    assert(s:next())
  end
  if state == "closed" then s:close(0) end
  s:output()
  return s
end

local function session_in(role, state, version)
  local s = role == "client" and client_in(state, version) or server_in(state, version)
  assert.equal(state, s.state)
  return s
end

-- All headers that the frame needs in any version, so that nothing else is wrong.
local function full(row, spoken)
  local headers = {}
  for _, version in ipairs(versions) do
    local needs = row[version] or { required = {} }
    for _, name in ipairs(needs.required) do headers[name] = values[name] end
    if needs.sent then headers[needs.sent] = values[needs.sent] end
  end
  if row.command == "BEGIN" then headers.transaction = "new" end
  if row.command == "SUBSCRIBE" then headers.id = "new" end
  if row.command == "CONNECTED" then headers.version = spoken end
  if row.command == "CONNECT" or row.command == "STOMP" then headers["accept-version"] = "1.0,1.1,1.2" end
  return headers
end

local own = { CONNECT = true, STOMP = true, CONNECTED = true }

-- What sending must come to: true, or the error's name.
local function sending(row, role, state, version)
  if state == "closed" then return "CCLOSED" end
  if row.role ~= role or not row.states[state] then return "ISTATE" end
  if own[row.command] then return "ISTATE" end -- by connect and accept alone
  if state ~= "idle" and not row[version] then return "IVERSION" end
  return true
end

-- Whether the peer may send it to us.
local function receiving(row, role, state, version)
  if row.role == role or not row.states[state] then return false end
  if role == "client" and state == "idle" then return false end
  return state == "idle" or row[version] ~= nil
end

describe("the table of frames", function()
  local frames = tables.frames()

  it("has every command of the three versions", function()
    assert.equal(15, #frames)
  end)

  for _, role in ipairs { "client", "server" } do
    for _, state in ipairs(states) do
      it(("says what a %s may send and be sent while %s"):format(role, state), function()
        for _, version in ipairs(versions) do
          for _, row in ipairs(frames) do
            local what = table.concat({ role, state, version, row.command }, " ")
            local s = session_in(role, state, version)
            local ok, _, err = s:send(row.command, full(row, version))
            assert.equal(sending(row, role, state, version), ok or err.name, "send: " .. what)
            assert.equal(ok == true, #s:output() > 0, "output: " .. what)

            s = session_in(role, state, version)
            local fed, _, wrong = s:feed(frame_text(row.command, full(row, version)), 0)
            if state == "closed" then
              assert.is_nil(s:next(), what)
            elseif receiving(row, role, state, version) then
              assert(fed, what)
              assert.equal(row.command, s:next().command)
            else
              assert.equal("EUNEXPECTED", wrong and wrong.name, "receive: " .. what)
              assert.equal("closed", s.state)
            end
          end
        end
      end)
    end
  end

  it("says which headers each frame must have", function()
    local checked = 0
    for _, row in ipairs(frames) do
      for _, version in ipairs(versions) do
        for _, missing in ipairs((row[version] or { required = {} }).required) do
          local what = ("%s at %s without %s"):format(row.command, version, missing)
          local headers = full(row, version)
          headers[missing] = nil
          if row[version].instead then headers[row[version].instead] = nil end
          local state = row.command == "CONNECTED" and "connecting" or "connected"
          local _, message, err = session_in(row.role, state, version):send(row.command, headers)
          assert.equal("IREQUIRED", err and err.name, what)
          assert.matches(missing .. " of " .. row.command, message, 1, true)
          local peer = row.role == "client" and "server" or "client"
          _, message, err = session_in(peer, state, version):feed(frame_text(row.command, headers), 0)
          assert.equal("EREQUIRED", err and err.name, what)
          assert.matches(missing .. " of " .. row.command, message, 1, true)
          checked = checked + 1
        end
      end
    end
    assert.is_true(checked > 20)
  end)

  it("says what may stand in, and what is not missed", function()
    local stood_in, not_missed = 0, 0
    for _, row in ipairs(frames) do
      for _, version in ipairs(versions) do
        local needs = row[version] or {}
        if needs.instead then
          local s = core.session { versions = { version }, heartbeat = quiet }
          s:connect(0)
          assert(s:feed("CONNECTED\nversion:" .. version .. "\n\n\0", 0))
          assert(s:send("SUBSCRIBE", { destination = "/a" }))
          assert(s:send(row.command, { [needs.instead] = values[needs.instead] }))
          assert(session_in("server", "connected", version)
            :feed(frame_text(row.command, { [needs.instead] = values[needs.instead] }), 0))
          stood_in = stood_in + 1
        end
        if needs.sent then
          local headers = full(row, version)
          headers[needs.sent] = nil
          local _, _, err = session_in(row.role, "connected", version):send(row.command, headers)
          assert.equal("IREQUIRED", err.name)
          local peer = row.role == "client" and "server" or "client"
          assert(session_in(peer, "connected", version):feed(frame_text(row.command, headers), 0))
          not_missed = not_missed + 1
        end
      end
    end
    assert.equal(1, stood_in)
    assert.equal(2, not_missed)
  end)
end)

describe("the table of ends", function()
  for _, row in ipairs(tables.ends()) do
    it("says how the code " .. row.code .. " is read", function()
      for _, state in ipairs(states) do
        local s = session_in("client", state, "1.2")
        local ok, note, err = s:closed(row.code)
        local said = ok and (note and "clean, " .. note or "clean") or err.name
        assert.equal(row[state], said, state)
        assert.equal("closed", s.state)
        local again, _, same = s:closed(row.code)
        assert.equal(ok, again)
        assert.equal(err and err.name, same and same.name)
      end
    end)
  end
end)

describe("core.session", function()
  it("refuses options that are not STOMP's, by name", function()
    assert.has_error(function() core.session { upgrade_headers = {} } end, "unknown option 'upgrade_headers'")
    assert.has_error(function() core.session { compression = true } end, "unknown option 'compression'")
  end)

  for _, vector in ipairs(vectors.read "spec/vectors/session.md") do
    if dialogue.can(vector) then
      it("holds: " .. vector.title, function() dialogue.run(vector) end)
    end
  end
end)
