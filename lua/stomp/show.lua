-- SPDX-License-Identifier: MIT
-- Values and texts of others, to be shown to people. Knows nothing.

--- tostring of a value of the program. Its __tostring may raise: where an error is
-- told, that would end who tells it.
local function value(any)
  local ok, text = pcall(tostring, any)
  if ok and type(text) == "string" then return text end -- (5.1 takes any type)
  return "(a value that cannot be shown)"
end

-- Control characters would break the line, or the terminal; those of ISO 6429's
-- second half, which are two bytes of UTF-8, too.
local function line(text)
  text = text:gsub("%c", function(c)
    if c == "\n" then return "\\n" elseif c == "\r" then return "\\r" end
    return ("\\x%02x"):format(c:byte())
  end)
  return (text:gsub("\194([\128-\159])", function(c)
    return ("\\xc2\\x%02x"):format(c:byte())
  end))
end

return { value = value, line = line }
