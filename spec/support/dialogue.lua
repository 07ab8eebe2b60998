-- SPDX-License-Identifier: MIT
-- Runs the scripts of spec/vectors/session.md through core.session.
-- spec/vectors/session.md says what the lines mean.
local assert = require "luassert"
local core = require "stomp.core"
local vectors = require "spec.support.vectors"
local caret = vectors.caret

local short, octets = vectors.short, vectors.octets_of_short

local function value_text(bytes)
  return (caret.encode(bytes):gsub(" ", "^x20"))
end

-- The first frame of the output in one line, and the rest of the output.
local function rendered(out)
  if out:sub(1, 1) == "\n" then return "beat", out:sub(2) end
  local head, body, rest = out:match("^(.-)\n\n([^%z]*)%z(.*)$")
  local text = {}
  for line in (head .. "\n"):gmatch("(.-)\n") do
    local name, value = line:match("^(.-):(.*)$")
    text[#text + 1] = name and #text > 0 and caret.encode(name) .. "=" .. value_text(value) or caret.encode(line)
  end
  local said = table.concat(text, " ")
  if body ~= "" then said = said .. " | " .. caret.encode(body) end
  return said, rest
end

-- Results of a call -> "ok", "FULL" or "NAME: detail"
local function said(first, message, err)
  if first == false then return "FULL" end
  if err then return err.name .. (err.detail ~= "" and ": " .. caret.encode(err.detail) or "") end
  return "ok", message
end

local actions = {}

function actions.connect(run) return said(run.session:connect(run.now)) end
function actions.accept(run, text)
  local _, headers = short("CONNECTED " .. text)
  return said(run.session:accept(run.now, headers))
end
function actions.refuse(run, text)
  local message, _, body = short(text)
  return said(run.session:refuse(message, body))
end
function actions.send(run, text)
  local command, headers, body = short(text)
  return said(run.session:send(command, headers, body))
end
function actions.ack(run, text)
  local n, transaction = text:match("^(%d+) ?(.*)$")
  return said(run.session:ack(run.messages[tonumber(n)], transaction ~= "" and transaction or nil))
end
function actions.nack(run, text)
  local n, transaction = text:match("^(%d+) ?(.*)$")
  return said(run.session:nack(run.messages[tonumber(n)], transaction ~= "" and transaction or nil))
end
function actions.disconnect(run) return said(run.session:disconnect(run.now)) end
function actions.close(run) run.session:close(run.now) return "ok" end
function actions.tick(run) return said(run.session:tick(run.now)) end
function actions.pause(run) run.session:pause(run.now) return "ok" end
function actions.resume(run) run.session:resume(run.now) return "ok" end
function actions.at(run, text) run.now = tonumber(text) / 1000 return "ok" end
actions["end"] = function(run, text)
  local code, reason = text:match("^(%d+) ?(.*)$")
  local ok, note, err = run.session:closed(tonumber(code), reason)
  if ok then return note and "clean, " .. note or "clean" end
  return said(nil, nil, err)
end
local function feed(run, bytes)
  local result = said(run.session:feed(bytes, run.now))
  while true do
    local frame = run.session:next()
    if not frame then return result end
    run.events[#run.events + 1] = frame
    if frame.command == "MESSAGE" then run.messages[#run.messages + 1] = frame end
  end
end
actions["<"] = function(run, text) return feed(run, octets(text)) end
actions["<<"] = function(run, text) return feed(run, caret.decode(text)) end

local function after(run)
  local _, _, err = run.session:closed()
  local list = {}
  for i, sent in ipairs(err and err.after or {}) do
    list[i] = sent.command .. (sent.destination and sent.destination ~= "" and " " .. sent.destination or "")
  end
  return table.concat(list, ", ")
end

local questions = {
  state = function(run) return run.session.state end,
  version = function(run) return run.session.version or "" end,
  heartbeat = function(run)
    local h = run.session.heartbeat
    return ("%.0f,%.0f"):format(h.send * 1000, h.receive * 1000)
  end,
  deadline = function(run)
    local at = run.session:deadline()
    return at and ("%.0f"):format(at * 1000) or "never"
  end,
  receipts = function(run) return tostring(run.session.receipts) end,
  after = after,
}

-- What the last action left unclaimed must be nothing.
local function check_claimed(run)
  assert.equal("ok", run.said, run.where)
  assert.equal("", caret.encode(run.out), run.where)
  assert.equal(0, #run.events, run.where)
end

local function claim_frame(run, text)
  local frame = assert(table.remove(run.events, 1), run.where)
  local command, headers, body = short(text)
  assert.equal(command, frame.command, run.where)
  for _, h in ipairs(headers) do assert.equal(h[2], frame.headers[h[1]], run.where) end
  if body then assert.equal(body, frame.body, run.where) end
end

local function step(run, line)
  local verb, rest = line:match("^(%S+) ?(.*)$")
  if verb == "=" then
    claim_frame(run, rest)
  elseif verb == ">" then
    assert.is_true(run.out ~= "", run.where)
    local text
    text, run.out = rendered(run.out)
    assert.equal(rest, text, run.where)
  elseif verb == "!" then
    assert.equal(rest, run.said, run.where)
    run.said = "ok"
  elseif questions[verb] then
    assert.equal(rest, questions[verb](run), run.where)
  else
    check_claimed(run)
    run.said = assert(actions[verb], verb)(run, rest)
    if run.session then run.out = run.out .. run.session:output() end
  end
end

local function open(run, block, with)
  local offered, named = vectors.options(block, { "1.0", "1.1", "1.2" })
  local _, headers = short("CONNECT " .. with)
  local session, _, err = core.session {
    role = named.server and "server" or "client",
    versions = offered,
    connect_headers = headers,
    heartbeat = { send = (named.send or 10000) / 1000, receive = (named.receive or 10000) / 1000 },
    heartbeat_margin = (named.margin or 200) / 1000,
    heartbeat_grace = (named.grace or 1000) / 1000,
    limits = { receipts = named.receipts, frame = named.frame },
    escape_connect = named.escape_connect,
  }
  run.session, run.said = session, said(session, nil, err)
end

--- Whether Lua can run the vector: not what is `bare` or needs limits that have
-- no option; the C runner does those.
local function can(vector)
  local _, named = vectors.options(vector.blocks[1], {})
  return not (named.bare or named.table or named.room)
end

--- Run one vector.
local function run(vector)
  local block = vector.blocks[1]
  local state = { now = 0, out = "", events = {}, messages = {}, said = "ok" }
  local with = ""
  for i, line in ipairs(block.lines) do
    state.where = ("%s, line %d: %s"):format(vector.title, i, line)
    if line:match("^with ") then
      with = line:sub(6)
    else
      if not state.opened then open(state, block, with) end
      state.opened = true
      step(state, line)
    end
  end
  check_claimed(state)
end

return { run = run, can = can }
