-- SPDX-License-Identifier: MIT
-- What may be changed in a C source so that its meaning differs a little: the
-- places, in order. Knows C's tokens and no grammar, so some changes do not
-- compile; that is for the caller (tools/mutants.lua) to see.
local mutations = {}

local function set(text)
  local s = {}
  for word in text:gmatch("%S+") do s[word] = true end
  return s
end

-- ---- Tokens

local OPERATORS = { -- the longest first
  "<<=", ">>=", "...",
  "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||",
  "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=",
}

local function operator_at(source, at)
  for _, op in ipairs(OPERATORS) do
    if source:sub(at, at + #op - 1) == op then return op end
  end
  return source:sub(at, at)
end

-- Where a directive's line ends; what a backslash continues belongs to it.
local function directive_end(source, at)
  repeat
    at = source:find("\n", at, true) or #source
    local goes_on = source:sub(at - 1, at - 1) == "\\"
    at = at + 1
  until not goes_on or at > #source
  return at - 1
end

local function comment_end(source, at)
  local _, stop = source:find("*/", at + 2, true)
  return stop
end

local function token_at(source, at)
  local c = source:sub(at, at)
  if c == "#" then
    -- of directives only a constant's value is looked at
    local head = source:match("^#define%s+[%w_]+%s+", at)
    if head then return "space", at + #head - 1 end
    return "space", directive_end(source, at)
  elseif source:sub(at, at + 1) == "/*" then
    return "space", comment_end(source, at)
  elseif c == '"' or c == "'" then
    local stop = at
    repeat
      stop = stop + (source:sub(stop, stop) == "\\" and 2 or 1)
    until source:sub(stop, stop) == c
    return c == '"' and "string" or "character", stop
  elseif c:match "%s" then
    return "space", select(2, source:find("^%s+", at))
  elseif c:match "%d" then
    return "number", select(2, source:find("^[%w_.]+", at))
  elseif c:match "[%a_]" then
    return "word", select(2, source:find("^[%w_]+", at))
  end
  return "operator", at + #operator_at(source, at) - 1
end

local function tokenize(source)
  local list, at = {}, 1
  while at <= #source do
    local kind, stop = token_at(source, at)
    if kind ~= "space" then
      list[#list + 1] = { kind = kind, text = source:sub(at, stop), first = at, last = stop }
    end
    at = stop + 1
  end
  return list
end

-- ---- What a token may become

local SWAPS = {
  ["<"] = { "<=", ">=" }, ["<="] = { "<", ">" }, [">"] = { ">=", "<=" }, [">="] = { ">", "<" },
  ["=="] = { "!=" }, ["!="] = { "==" }, ["&&"] = { "||" }, ["||"] = { "&&" },
  ["+="] = { "-=" }, ["-="] = { "+=" }, ["++"] = { "--" }, ["--"] = { "++" },
  ["|="] = { "&=" }, ["&="] = { "|=" }, ["^="] = { "=" }, ["*="] = { "=" },
  ["true"] = { "false" }, ["false"] = { "true" },
}
local BINARY = { ["+"] = "-", ["-"] = "+", ["&"] = "|", ["|"] = "&", ["<<"] = ">>", [">>"] = "<<" }

local function changed_number(text)
  local hex, digits, suffix = text:match "^(0[xX])(%x+)([uUlL]*)$"
  if not hex then digits, suffix = text:match "^(%d+)([uUlL]*)$" end
  if not digits then return {} end
  local n = math.tointeger(tonumber((hex or "") .. digits))
  local form = hex and "0x%x" or "%d"
  local list = { form:format(n + 1) .. suffix }
  if n ~= 0 then list[2] = form:format(n - 1) .. suffix end
  -- a mask without its lowest bit
  if hex and n % 2 == 0 and n ~= 0 then list[3] = form:format(n & (n - 1)) .. suffix end
  return list
end

local NO_OPERAND = set "return case sizeof else"

local function is_operand(t)
  return t and (t.kind ~= "operator" and not NO_OPERAND[t.text] or t.text == ")" or t.text == "]")
end

local function changes_of(tokens, i)
  local t = tokens[i]
  if t.kind == "number" then
    return changed_number(t.text)
  elseif t.kind == "character" then
    return { "(" .. t.text .. " + 1)" }
  elseif t.text == "!" then
    return { "" }
  elseif BINARY[t.text] and is_operand(tokens[i - 1]) then
    return { BINARY[t.text] }
  end
  return SWAPS[t.text] or {}
end

-- ---- Statements

local KEYWORDS = set [[return break continue goto if for while do switch case default else
  typedef static const struct enum union extern]]
local ASSIGNS = set "= += -= *= /= %= &= |= ^= <<= >>= ++ --"
local HEADS = set "if for while switch"

-- The index of the `;` that ends the statement at tokens[i], if it is a call or
-- an assignment and not a declaration.
local function statement_end(tokens, i)
  local depth, acts = 0, false
  local second, third = tokens[i + 1], tokens[i + 2]
  if KEYWORDS[tokens[i].text] or tokens[i].text == ";" then return nil end
  if tokens[i].kind == "word" and second and (second.kind == "word"
      or second.text == "*" and third and third.kind == "word") then return nil end
  for k = i, #tokens do
    local t = tokens[k]
    if t.text == "{" or t.text == "}" then return nil end
    if t.text == "(" then
      depth = depth + 1
      acts = acts or k > i and tokens[k - 1].kind == "word"
    elseif t.text == ")" then
      depth = depth - 1
    elseif t.text == ";" and depth == 0 then
      return acts and k or nil
    end
    acts = acts or ASSIGNS[t.text]
  end
end

-- For each token: the function it stands in, whether a statement may begin there.
local function mark(tokens)
  local braces, parens, name, label = 0, {}, nil, false
  local begins = false
  for i, t in ipairs(tokens) do
    t.begins = begins and braces > 0
    begins = t.text == ";" and #parens == 0 or t.text == "{" or t.text == "}" or t.text == "else"
    if t.text == "(" then
      local before = tokens[i - 1]
      parens[#parens + 1] = before and before.text or ""
      if braces == 0 and #parens == 1 and before and before.kind == "word" then name = before.text end
    elseif t.text == ")" then
      begins = HEADS[table.remove(parens) or ""] or false
    elseif t.text == "{" then
      braces = braces + 1
    elseif t.text == "}" then
      braces = braces - 1
    elseif t.text == "case" or t.text == "default" then
      label = true
    elseif t.text == ":" and label then
      begins, label = true, false
    end
    t.name = braces > 0 and name or "-"
  end
end

-- ---- Places

local function line_of(source, at)
  local first, number = 1, 1
  for stop in source:gmatch "()\n" do
    if stop >= at then break end
    first, number = stop + 1, number + 1
  end
  local last = source:find("\n", first, true) or #source + 1
  return number, first, last - 1
end

local function trim(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- All places of a source, in order: { first, last, to, line (a number), func,
-- was, becomes (how a reader sees it) }.
function mutations.find(source)
  local tokens, places = tokenize(source), {}
  mark(tokens)
  local function add(first, last, to, name)
    local number, from, stop = line_of(source, first)
    local whole = last > stop
    places[#places + 1] = {
      first = first, last = last, to = to, line = number, func = name,
      was = trim(whole and source:sub(first, last) or source:sub(from, stop)),
      becomes = whole and to
        or trim(source:sub(from, first - 1) .. to .. source:sub(last + 1, stop)),
    }
  end
  for i, t in ipairs(tokens) do
    for _, to in ipairs(changes_of(tokens, i)) do add(t.first, t.last, to, t.name) end
    local stop = t.begins and statement_end(tokens, i)
    if stop then add(t.first, tokens[stop].last, "/* removed */;", t.name) end
  end
  return places
end

--- The source with that change.
function mutations.apply(source, place)
  return source:sub(1, place.first - 1) .. place.to .. source:sub(place.last + 1)
end

return mutations
