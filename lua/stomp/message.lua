-- SPDX-License-Identifier: MIT

--- What a handler or `receive` gets: a MESSAGE frame. Its headers and body become
-- Lua values when they are first touched. Its fields cannot be set. `tostring` is
-- one printable line, without the body.
--
-- (A frame of stomp.core, bound to its subscription. Loaded once; it adds its
-- methods to every frame. Knows core, errors and json; the subscription through
-- `frame.owner`, its tie.)
-- @classmod message
-- @alias methods

--- What a program may read.
-- @table fields
-- @tfield string body any bytes
-- @tfield table headers name = value; where a header is repeated the first counts
-- (STOMP 1.2, "Repeated Header Entries")
-- @tfield string command `"MESSAGE"`; of other frames theirs
-- @tfield string destination its header
-- @tfield string id the header message-id
-- @tfield string subscription its header; nil where a server of STOMP 1.0 left it out
-- @tfield boolean redelivered whether the broker gave it out before

local core = require "stomp.core"
local errors = require "stomp.errors"
local json = require "stomp.json"

local methods = core.frame_methods

--- The body as JSON.
-- @return[1] its value (`null` is lua-cjson's)
-- @treturn[2] nil, message, err: invalid (it is none)
function methods:json()
  return json.decode(self.body or "")
end

-- What came for nobody (on_unhandled) knows no client.
local function belongs_to_none(how)
  return errors.failure("invalid",
    ("%s: the message belongs to no subscription of this client"):format(how))
end

local function settle(self, how, transaction)
  local tie = self.owner
  if not tie then return belongs_to_none(how) end
  local ok, message, err = tie.subscription:settle(self, how, transaction, 3)
  return ok, message, err
end

--- Acknowledge it, in ack mode `client` also all before it.
-- @tparam[opt] transaction|string transaction it counts at its COMMIT
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid (ack mode auto, twice, a finished
-- transaction), closed (its connection has ended), timeout (no room in the
-- outbox)
-- @standard STOMP 1.2, "ACK"
function methods:ack(transaction)
  local ok, message, err = settle(self, "ack", transaction)
  return ok, message, err -- no tail call: levels count
end

--- Say that it was not consumed. What happens to it is the broker's choice.
-- @tparam[opt] transaction|string transaction it counts at its COMMIT
-- @treturn[1] true
-- @treturn[2] nil, message, err: as ack
-- @standard STOMP 1.2, "NACK"
function methods:nack(transaction)
  local ok, message, err = settle(self, "nack", transaction)
  return ok, message, err
end

--- Send an answer to the message's `reply-to`, with its `correlation-id`.
-- @tparam string|table body as of client:send
-- @tparam[opt] table headers
-- @treturn[1] true
-- @treturn[2] nil, message, err: invalid (it has no reply-to, or belongs to no
-- subscription, as what on_unhandled gets), and as client:send
function methods:reply(body, headers)
  local tie, to = self.owner, self.headers["reply-to"]
  if to and not tie then return belongs_to_none("reply") end
  if not to then
    return errors.failure("invalid", "reply: the message has no reply-to")
  end
  local correlation = self.headers["correlation-id"]
  local ok, message, err =
    tie.subscription.client:answer(to, body, headers, correlation)
  return ok, message, err
end

return {}
