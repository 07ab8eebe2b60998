-- SPDX-License-Identifier: MIT
-- The failures that waiting calls have in common, as nil, message, err.
-- Knows errors and show.
local errors = require "stomp.errors"
local show = require "stomp.show"

local function join(a, b)
  local new = {}
  for k, v in pairs(a) do new[k] = v end
  for k, v in pairs(b or {}) do new[k] = v end
  return new
end

--- The time is over. `fields` of the error are copied.
local function late(what, seconds, fields)
  return errors.failure("timeout",
    ("%s within %g s"):format(what, seconds), join({}, fields))
end

--- The connection has ended (`ended` of the pump) before `what` came. The error
-- of an unclean end is given out as it is: it says more than any other.
local function over(ended, what, fields)
  if ended.clean then
    return errors.failure("closed", what .. ": the connection is closed",
      join({}, fields))
  end
  local err = ended.err
  if fields then err = setmetatable(join(err, fields), getmetatable(err)) end
  return nil, ended.message, err
end

--- A call that began after the connection had ended: kind closed, and why it ended.
local function after_end(ended, what)
  local why = ended.message and (" (%s)"):format(ended.message) or ""
  return errors.failure("closed", what .. ": the connection is closed" .. why,
    { cause = ended.err })
end

--- What was in flight on a connection that is no more: message, err of kind
-- closed. `message, err`: why it ended; nil: we closed it.
local function lost(message, err)
  local text = err and ("the connection was lost (%s)"):format(message)
    or "the connection is closed"
  return select(2, errors.failure("closed", text, { cause = err }))
end

--- What a function of the program raised, as an error value.
local function raised(value, traceback)
  local text = value == nil and traceback:match("^[^\n]*") or show.value(value)
  return errors.new("handler", text, { traceback = traceback, value = value })
end

return {
  late = late, over = over, after_end = after_end, lost = lost, raised = raised,
}
