-- SPDX-License-Identifier: MIT
-- The failures that waiting calls have in common, as nil, message, err.
-- Knows errors.
local errors = require "stomp.errors"

--- The time is over.
local function late(what, seconds, fields)
  return errors.failure("timeout",
    ("%s within %g s"):format(what, seconds), fields)
end

local function copy(err, fields)
  local new = {}
  for k, v in pairs(err) do new[k] = v end
  for k, v in pairs(fields) do new[k] = v end
  return setmetatable(new, getmetatable(err))
end

--- The connection has ended (`ended` of the pump) before `what` came. The error
-- of an unclean end is given out as it is: it says more than any other.
local function over(ended, what, fields)
  if ended.clean then
    return errors.failure("closed", what .. ": the connection is closed",
      fields)
  end
  local err = ended.err
  if fields then err = copy(err, fields) end
  return nil, ended.message, err
end

--- What a function of the program raised, as an error value.
local function raised(value, traceback)
  local text = value == nil and traceback:match("^[^\n]*") or tostring(value)
  return errors.new("handler", text, { traceback = traceback, value = value })
end

return { late = late, over = over, raised = raised }
