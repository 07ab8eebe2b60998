-- SPDX-License-Identifier: MIT
-- How a client's frames go out: bodies, headers, room in the outbox, receipts;
-- and where they go while there is no connection.
-- Knows check, guard, headers, json, errors, failures, proof; pump, receipts and reconnector
-- through the client.
local check = require "stomp.check"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local guard = require "stomp.guard"
local headers_of = require "stomp.headers"
local json = require "stomp.json"
local proof = require "stomp.proof"
local queue = require "stomp.queue"
local room = require "stomp.room"

local send_options = {
  confirm = "boolean string", queue = "boolean", timeout = "number", content_length = "boolean",
  transaction = "table string", idempotent = "boolean string",
}

-- The header of `idempotent = true`.
local IDEMPOTENCY = "idempotency-key"

local without_length = { content_length = false }
local without_queue = { queue = false }
local without_both = { content_length = false, queue = false }

-- Frames that wait for a connection where there is none; SENDs are queued, the
-- others belong to the connection that is lost, see is_bound.
local waits = { SUBSCRIBE = true, BEGIN = true }

local function has_transaction(headers)
  if headers[1] == nil then return headers.transaction ~= nil end
  for _, pair in ipairs(headers) do
    if pair[1] == "transaction" then return true end
  end
  return false
end

-- Whether a frame belongs to the connection on which its call began: on another it
-- would mean nothing, or something else.
local function is_bound(command, headers, options)
  if options and options.queue == false then return true end
  if command == "SEND" then return has_transaction(headers) end
  return not waits[command]
end

-- There is no connection.
-- @treturn[1] true it is queued
-- @treturn[2] false there is one now
-- @treturn[3] nil, message, err; nothing was or will be sent
local function transmit_later(client, timeout, command, what, headers, body,
                              options, entry)
  local reconnector = client.reconnector
  local text = command .. " " .. what
  if client.pump.ended then return failures.over(client.pump.ended, text) end
  if is_bound(command, headers, options) then
    return errors.failure("closed", text .. ": the connection was lost")
  elseif waits[command] then
    local ok, message, err = reconnector:await_up(text, timeout)
    if ok then return false end
    return nil, message, err
  end
  local item = {
    command = command, what = text, headers = headers, body = body,
    options = options, entry = entry,
  }
  if entry then entry.item = item end
  return reconnector.backlog:add(item, client.version, timeout)
end

-- Whether the link would not take a frame because it has ended, and another one
-- is being made. What came before the end is routed: an ERROR says why.
local function is_lost(client, err)
  local pump = client.pump
  if err.kind == "invalid" or err.kind == "limit" then return false end
  if not pump.down then pump:notice_end() end
  return pump.down and not pump.ended
end

-- Whether it went out at once, which is nearly always so: there is a connection, its
-- outbox has room, and nobody watches.
local function went_out(client, command, headers, body, options)
  local pump = client.pump
  return not pump.down and not client.watched and queue.size(pump.room) == 0
    and not pump.gate and pump.link:send(command, headers, body, options)
end

-- What went_out would not send: once more, and then by waiting, or with a reason why
-- not. As transmit.
local function transmit_in_turn(client, timeout, command, what, headers, body, options,
                                entry, on_sent)
  local pump = client.pump
  if pump.ended then return failures.after_end(pump.ended, command .. " " .. what) end
  local deadline, left = pump.loop.now() + timeout, timeout
  local ok, message, err
  repeat
    local again = false
    if pump.down then
      ok, message, err = transmit_later(client, left, command, what, headers,
        body, options, entry)
      if ok then return true end
      if ok == nil then return nil, message, err end
      left = math.max(deadline - pump.loop.now(), 0)
    end
    ok, message, err =
      room.push(pump, left, what, is_bound(command, headers, options), entry, "send",
        command, headers, body, options)
    if ok and message == "kept" then return true end
    if ok == nil then again = is_lost(client, err) end
    if again then left = math.max(deadline - pump.loop.now(), 0) end
  until not again
  if ok then
    if entry then client.receipts:sent(entry) end
    if on_sent then on_sent() end
    if client.watched then client:sent(command, headers, body) end
    return true
  end
  local why = room.why(pump, "send", command)
  what = command .. " " .. what
  if pump.ended and (not err or err.kind == "closed") then
    return failures.over(pump.ended, what)
  end
  if ok == nil then
    if err.name == "LOUTBOX" then
      err = errors.about(what, err)
      message = err.message
    end
    return nil, message, err
  end
  return failures.late(("%s: %s"):format(what, why), timeout)
end

--- Queue a frame; wait up to `timeout` seconds for room in the outbox. `entry`:
-- its RECEIPT, or nil; `on_sent()` is called once it is queued on a connection,
-- if it is at once.
-- @treturn[1] true
-- @treturn[2] nil, message, err; nothing was sent
local function transmit(client, timeout, command, what, headers, body, options,
                        entry, on_sent)
  if went_out(client, command, headers, body, options) then
    if entry then client.receipts:sent(entry) end
    if on_sent then on_sent() end
    return true
  elseif not entry then
    return transmit_in_turn(client, timeout, command, what, headers, body, options, nil,
      on_sent)
  end
  local receipts = client.receipts
  return guard.run(receipts.abandon, receipts, entry, transmit_in_turn, client, timeout,
    command, what, headers, body, options, entry, on_sent)
end

--- A SEND without headers or options of its own. (0.3 us a message less than by
-- `transmit`: bench/publish.lua.)
-- @treturn[1] true
-- @treturn[2] nil, message, err; nothing was sent
local function transmit_plain(client, destination, body)
  local pump = client.pump
  local headers = { destination = destination }
  if not pump.down and not client.watched and queue.size(pump.room) == 0
    and not pump.gate and pump.link:send("SEND", headers, body) then return true end
  return transmit_in_turn(client, client.settings.confirm_timeout, "SEND", destination,
    headers, body)
end

-- What is sent again on the next connection.
local function keep(entry, command, headers, body, options)
  entry.again = { command = command, headers = headers, body = body,
    options = options }
end

-- What is to be done once a confirmed SEND is out, where nothing may follow it yet;
-- nil: nothing.
local function opener(client, destination, headers, body, options, entry)
  if not proof.is_needed(client, destination) then return nil end
  local frame = { command = "SEND", headers = headers, body = body, options = options }
  return function() proof.begin(client, frame, entry) end
end

-- A frame gets a receipt: its entry, before it goes out.
local function ask(client, command, what, headers)
  local entry = client.receipts:expect(command, what)
  if headers[1] == nil then
    headers.receipt = entry.id
  else
    headers[#headers + 1] = { "receipt", entry.id }
  end
  return entry
end

--- The same with a receipt, which is waited for; across connections unless
-- `how` is "once". `how` may be a function, which gets the entry and cares for
-- that itself.
local function transmit_confirmed(client, timeout, command, what, headers, body,
                                  options, how, on_sent)
  local deadline = client.pump.loop.now() + timeout
  local receipts = client.receipts
  local entry = ask(client, command, what, headers)
  if type(how) == "function" then
    how(entry)
  elseif how ~= "once" and client.reconnector.options then
    keep(entry, command, headers, body, options)
  end
  if command == "SEND" then
    on_sent = opener(client, what, headers, body, options, entry)
  end
  local ok, message, err = transmit(client, timeout, command, what, headers, body,
    options, entry, on_sent)
  if not ok then
    receipts:forget(entry)
    return nil, message, err
  end
  ok, message, err = receipts:await(entry, deadline, timeout)
  receipts:withdraw(entry)
  return ok, message, err
end

--- In a transaction: its COMMIT waits for the RECEIPT.
local function transmit_within(client, timeout, destination, headers, body, options,
                               transaction)
  local entry = ask(client, "SEND", destination, headers)
  local ok, message, err = transmit(client, timeout, "SEND", destination, headers, body,
    options, entry)
  if not ok then
    client.receipts:forget(entry)
    return nil, message, err
  end
  transaction:expect(entry)
  return true
end

-- confirm = "later": the client's pipeline waits.
local function transmit_pipelined(client, timeout, destination, headers, body,
                                  options)
  local pipeline, is_kept = client.pipeline, client.reconnector.options ~= false
  local ok, message, err
  timeout, message, err = pipeline:make_room(is_kept and #body or 0, timeout)
  if not timeout then return nil, message, err end
  local entry = ask(client, "SEND", destination, headers)
  entry.keeper = pipeline
  if is_kept then
    keep(entry, "SEND", headers, body, options)
    entry.size = #body
  end
  pipeline:expect(entry) -- before it waits: its room is taken
  ok, message, err = transmit(client, timeout, "SEND", destination, headers, body,
    options, entry, opener(client, destination, headers, body, options, entry))
  if not ok then
    client.receipts:forget(entry)
    return nil, message, err
  end
  return true
end

-- What link:send is to be told.
local function link_options(options)
  if options.content_length == false then
    return options.queue == false and without_both or without_length
  end
  return options.queue == false and without_queue or nil
end

-- In the way that its options want: bare, with a receipt, or within a
-- transaction with one.
local function put(client, options, transaction, destination, headers, body)
  local timeout = options.timeout or client.settings.confirm_timeout
  local told = link_options(options)
  if not options.confirm then
    return transmit(client, timeout, "SEND", destination, headers, body, told)
  elseif transaction then
    return transmit_within(client, timeout, destination, headers, body, told,
      transaction)
  elseif options.confirm == "later" then
    return transmit_pipelined(client, timeout, destination, headers, body, told)
  end
  return transmit_confirmed(client, timeout, "SEND", destination, headers, body,
    told, options.confirm)
end

-- A table goes out as JSON, and says so.
local function encode(body, headers, ours)
  local text, message, err = json.encode(body)
  if not text then return nil, message, err end
  if not headers_of.has(headers, "content-type") then
    ours["content-type"] = "application/json"
  end
  return text
end

local function check_destination(destination, level)
  check.argument("destination", destination, "string", level + 1)
  if destination == "" then
    return errors.failure("invalid", "the destination is empty")
  end
  return true
end

local function check_options(given, level)
  given = check.options(given, send_options, level + 1)
  local confirm = given.confirm
  if type(confirm) == "string" and confirm ~= "once" and confirm ~= "later" then
    error(("option 'confirm': true, false, \"once\" or \"later\" expected, got \"%s\"")
      :format(confirm), level + 1)
  end
  return given
end

-- The transaction of a send: the one whose method was called, or that of the option.
local function find_transaction(client, given, option, level)
  if given and option ~= nil then
    error("option 'transaction' is set by the transaction", level + 1)
  end
  local transaction, message, err =
    client.transactions:find(given or option, level + 1)
  return transaction, message, err
end

-- One id per send, in the header of that name: made here, before the first
-- attempt, so each copy of it has the same.
local function add_id(client, name, headers, ours, level)
  if name == true then name = IDEMPOTENCY end
  if name == "" then
    error("option 'idempotent': the name of a header expected", level + 1)
  end
  local ok, message, err = headers_of.check(name, "", level + 1)
  if not ok then return nil, message, err end
  if ours[name] or headers_of.has(headers, name) then
    return errors.failure("invalid",
      ("header %s is set by option idempotent"):format(name))
  end
  ours[name] = client.unique()
  return true
end

--- client:send with all its arguments; misuse raises at `level`. `more`: headers
-- that the caller sets; `within`: the transaction whose method was called.
local function send(client, destination, body, headers, options, level, more,
                    within)
  if type(body) ~= "string" then
    check.argument("body", body, "string table", level + 1)
  end
  options = check_options(options, level + 1)
  local transaction
  local ok, message, err = check_destination(destination, level + 1)
  if not ok then return nil, message, err end
  -- with the places of what is added below: a table that grows costs
  local ours = more or { destination = "", persistent = nil, receipt = nil, transaction = nil }
  ours.destination = destination
  if within or options.transaction ~= nil then
    transaction, message, err =
      find_transaction(client, within, options.transaction, level + 1)
    if transaction == nil then return nil, message, err end
    ours.transaction = transaction.id
  end
  if type(body) == "table" then
    body, message, err = encode(body, headers, ours)
    if not body then return nil, message, err end
  end
  if options.confirm and not headers_of.has(headers, "persistent") then
    ours.persistent = "true"
  end
  if options.idempotent then
    ok, message, err = add_id(client, options.idempotent, headers, ours, level + 1)
    if not ok then return nil, message, err end
  end
  ours, message, err = headers_of.join(headers, ours, level + 1)
  if not ours then return nil, message, err end
  return put(client, options, transaction, destination, ours, body)
end

return {
  send = send, transmit = transmit, transmit_plain = transmit_plain,
  transmit_confirmed = transmit_confirmed, check_destination = check_destination,
}
