-- SPDX-License-Identifier: MIT
-- Streams of RabbitMQ: queues that keep what was read, so that a subscription
-- names the place where it begins, and after a reconnect goes on behind the last
-- message that was handled. RabbitMQ wants a prefetch and an ack mode with them.
-- Knows nothing.

local PREFETCH = 100

local places = { first = true, last = true, next = true }

local function is_offset(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 53
    and value % 1 == 0
end

--- Check option stream of subscribe, and set what a stream needs; misuse raises
-- at `level`.
-- @tparam table options of subscribe; stream: "first", "last", "next", an offset
-- (number), or what else the broker reads ("offset=5", "timestamp=1700000000")
local function prepare(options, level)
  local stream = options.stream
  if stream == nil then return end
  if type(stream) == "number" and not is_offset(stream) then
    error("option 'stream': a whole number expected", level + 1)
  elseif type(stream) == "string" and not places[stream]
    and not stream:find("^%a+=%S+$") then
    error(("option 'stream': \"first\", \"last\", \"next\" or an offset expected,"
      .. " got \"%s\""):format(stream), level + 1)
  elseif options.ack == "auto" then
    error("option 'stream' with ack = \"auto\": a stream is read with"
      .. " acknowledgements", level + 1)
  elseif options.concurrency and options.concurrency > 1 then
    error("option 'stream' with concurrency: what was handled must be told by"
      .. " one offset", level + 1)
  end
  options.ack = options.ack or "client-individual"
  options.prefetch = options.prefetch or PREFETCH
end

local function place_of(subscription)
  local stream = subscription.stream
  if subscription.offset then
    return ("offset=%.0f"):format(subscription.offset + 1)
  elseif type(stream) == "number" then
    return ("offset=%.0f"):format(stream)
  end
  return stream
end

--- Add the headers of SUBSCRIBE to a stream.
local function add_headers(headers, subscription)
  headers["x-stream-offset"] = place_of(subscription)
  if subscription.destination:find("^/queue/") then -- may have to be declared
    headers["x-queue-type"] = "stream"
    headers.durable, headers["auto-delete"] = "true", "false"
    headers.exclusive = "false"
  end
end

return { prepare = prepare, add_headers = add_headers }
