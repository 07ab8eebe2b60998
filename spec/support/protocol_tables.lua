-- SPDX-License-Identifier: MIT
-- The tables of docs/protocol.md, read back.

local function cells(line)
  local list = {}
  for cell in line:gmatch("|([^|]*)") do list[#list + 1] = cell:match("^%s*(.-)%s*$") end
  list[#list] = nil -- behind the last bar
  return list
end

--- The rows of one table, each a list of its cells; the first is the heading.
local function rows(name)
  local list, inside = {}, false
  for line in assert(io.open("docs/protocol.md")):lines() do
    if line == ("<!-- table %s -->"):format(name) then
      inside = true
    elseif line == "<!-- end -->" then
      inside = false
    elseif inside and not line:find("^| %-%-%-") then
      list[#list + 1] = cells(line)
    end
  end
  return list
end

local function set(text)
  local s = {}
  for word in text:gmatch("[%w-]+") do s[word] = true end
  return s
end

-- "a or b, c, (d)" -> { "a", "c" }, "b", "d"; nil where the frame does not exist.
local function headers(cell)
  if cell == "—" then return nil end
  local list, instead, sent = {}, nil, nil
  for word in cell:gmatch("[^,]+") do
    word = word:match("^%s*(.-)%s*$")
    local first, other = word:match("^(%S+) or (%S+)$")
    local bracketed = word:match("^%((.+)%)$")
    if bracketed then
      sent = bracketed
    else
      list[#list + 1] = first or word
      instead = instead or other
    end
  end
  return { required = list, instead = instead, sent = sent }
end

--- { { command =, role =, states = set, ["1.0"] = {required =, instead =,
-- sent =} or nil … } … }
local function frames()
  local list = {}
  for i, row in ipairs(rows "frames") do
    if i > 1 then
      list[#list + 1] = {
        command = row[1], role = row[2], states = set(row[3]),
        ["1.0"] = headers(row[4]), ["1.1"] = headers(row[5]), ["1.2"] = headers(row[6]),
      }
    end
  end
  return list
end

--- { { code = number, idle = "CEOF", … } … }
local function ends()
  local list, all = {}, rows "ends"
  for i = 2, #all do
    local row = { code = tonumber(all[i][1]:match("^(%d+)") or all[i][1]:match("%((%d+)%)")) }
    for column = 2, #all[1] do row[all[1][column]] = all[i][column] end
    list[#list + 1] = row
  end
  return list
end

return { frames = frames, ends = ends }
