-- SPDX-License-Identifier: MIT
-- What each broker does in its own way, by the `server` header of CONNECTED: where
-- replies come, what limits unacknowledged messages, whether a transaction holds
-- acknowledgements. (docs/brokers.md says it to people.)
-- Knows nothing.

-- Artemis counts octets of frames, and gives out the next message while any of
-- them are left. No MESSAGE of it is shorter than this and its subscription's id:
-- so n times as many never let more than n messages out, and always one.
local ARTEMIS_LEAST = 112

-- With ack = "auto" it never gives the octets back: there a limit would be the end.
local function limit_artemis(headers, n, id, ack)
  if ack == "auto" then return end
  headers["consumer-window-size"] =
    n == 0 and -1 or math.min(n * (ARTEMIS_LEAST + #id), 2 ^ 31 - 1)
end

-- 0 would be: nothing, ever.
local function limit_classic(headers, n)
  if n > 0 then headers["activemq.prefetchSize"] = n end
end

local function limit_rabbitmq(headers, n)
  headers["prefetch-count"] = n
end

-- A broker that does not say who it is gets both: each ignores the other's. (Artemis
-- does not say so at 1.0, and takes Classic's for its own.)
local function limit_unknown(headers, n, _, ack)
  limit_rabbitmq(headers, n)
  if ack ~= "auto" then limit_classic(headers, n) end
end

-- replies: where they come.
--   "reply-to"   to what /temp-queue/ name reply-to has, without SUBSCRIBE
--   "subscribe"  the same, when SUBSCRIBEd to
--   "address"    to any name of our own, when SUBSCRIBEd to with reply_headers
--   nil          it is not known
-- limit(headers, n, id, ack): adds what SUBSCRIBE needs for n messages, 0: any number
-- answers_refused: a SEND that it refuses may get a RECEIPT all the same, see proof
-- acks_at_once: ACK and NACK are carried out whatever transaction they name
local rabbitmq = { replies = "reply-to", limit = limit_rabbitmq, answers_refused = true }
local embedded = { replies = "reply-to", limit = limit_rabbitmq }
local classic = { replies = "subscribe", limit = limit_classic }
local artemis = {
  replies = "address", reply_headers = { ["subscription-type"] = "MULTICAST" },
  limit = limit_artemis, acks_at_once = true,
}
local unknown = { limit = limit_unknown }

local names = {
  { "^RabbitMQ/", rabbitmq },
  { "^lua%-stomp/", embedded },
  { "^ActiveMQ/", classic },
  { "^ActiveMQ%-Artemis/", artemis },
}

--- What is known about the broker of this header (nil: it has none).
local function of(server)
  for _, row in ipairs(server and names or {}) do
    if server:find(row[1]) then return row[2] end
  end
  return unknown
end

return { of = of }
