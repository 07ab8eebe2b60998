-- SPDX-License-Identifier: MIT
-- How a client's frames go out: bodies, headers, room in the outbox, receipts.
-- Knows check, headers, json, errors, failures; pump and receipts through the
-- client.
local check = require "stomp.check"
local errors = require "stomp.errors"
local failures = require "stomp.failures"
local headers_of = require "stomp.headers"
local json = require "stomp.json"

local send_options = {
  confirm = "boolean", timeout = "number", content_length = "boolean",
  transaction = "table string",
}

local without_length = { content_length = false }

--- Queue a frame; wait up to `timeout` seconds for room in the outbox.
-- @treturn[1] true
-- @treturn[2] nil, message, err; nothing was sent
local function transmit(client, timeout, command, what, headers, body, options)
  local pump = client.pump
  local ok, message, err =
    pump:push(timeout, what, "send", command, headers, body, options)
  if ok then
    if client.watched then client:sent(command, headers, body) end
    return true
  end
  if ok == nil then return nil, message, err end
  what = command .. " " .. what
  if pump.ended then return failures.over(pump.ended, what) end
  return failures.late(what .. ": no room in the outbox", timeout)
end

local function set_header(headers, name, value)
  if headers[1] ~= nil then
    headers[#headers + 1] = { name, value }
  else
    headers[name] = value
  end
end

--- The same with a receipt, which is waited for.
local function transmit_confirmed(client, timeout, command, what, headers, body,
                                  options)
  local receipts = client.receipts
  local deadline = client.pump.loop.now() + timeout
  local entry = receipts:expect(command .. " " .. what)
  set_header(headers, "receipt", entry.id)
  local ok, message, err =
    transmit(client, timeout, command, what, headers, body, options)
  if not ok then
    receipts:forget(entry)
    return nil, message, err
  end
  return receipts:await(entry, deadline, timeout)
end

--- The same within a transaction: COMMIT waits for the RECEIPT.
local function transmit_expecting(client, timeout, command, what, headers, body,
                                  options, transaction)
  local receipts = client.receipts
  local entry = receipts:expect(command .. " " .. what)
  set_header(headers, "receipt", entry.id)
  local ok, message, err =
    transmit(client, timeout, command, what, headers, body, options)
  if not ok then
    receipts:forget(entry)
    return nil, message, err
  end
  transaction:expect(entry)
  return true
end

-- Which of these three a send wants.
local function way_of(options, transaction)
  if not options.confirm then return transmit end
  return transaction and transmit_expecting or transmit_confirmed
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

-- The transaction of a send, false where it has none: the argument's, or the
-- option's.
local function find_transaction(client, given, option, level)
  if given and option ~= nil then
    error("option 'transaction' is set by the transaction", level + 1)
  end
  given = given or option
  if given == nil then return false end
  local transaction, message, err = client.transactions:find(given, level + 1)
  return transaction, message, err
end

--- client:send with all its arguments; misuse raises at `level`. `more`: headers
-- that the caller sets; `within`: the transaction whose method was called.
local function send(client, destination, body, headers, options, level, more,
                    within)
  check.argument("body", body, "string table", level + 1)
  options = check.options(options, send_options, level + 1)
  local transaction
  local ok, message, err = check_destination(destination, level + 1)
  if not ok then return nil, message, err end
  local ours = more or {}
  ours.destination = destination
  transaction, message, err =
    find_transaction(client, within, options.transaction, level + 1)
  if transaction == nil then return nil, message, err end
  if transaction then ours.transaction = transaction.id end
  if type(body) == "table" then
    body, message, err = encode(body, headers, ours)
    if not body then return nil, message, err end
  end
  if options.confirm and not headers_of.has(headers, "persistent") then
    ours.persistent = "true"
  end
  ours, message, err = headers_of.join(headers, ours, level + 1)
  if not ours then return nil, message, err end
  local put = way_of(options, transaction)
  return put(client, options.timeout or client.settings.confirm_timeout, "SEND",
    destination, ours, body,
    options.content_length == false and without_length or nil, transaction)
end

return {
  send = send, transmit = transmit, transmit_confirmed = transmit_confirmed,
  check_destination = check_destination,
}
