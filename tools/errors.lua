-- SPDX-License-Identifier: MIT
-- docs/errors.md from the one list in src/core/error.h.
--   lua5.4 tools/errors.lua [--check]
local file = assert(io.open("src/core/error.h"))
local source = file:read("*a")
file:close()

local out = {
  "# Errors", "",
  "Made from `src/core/error.h` by `tools/errors.lua`; do not edit.", "",
  "What a program can meet returns `nil, message, err`. `message` begins with the kind;",
  "`err.kind` is one of the list below, `err.name` is the stable name of the C core's",
  "failures (errors of the Lua layer have none), `err.offset` the octet of the stream.", "",
  "| kind | name | what |", "| --- | --- | --- |",
}
for name, kind, sentence in source:gmatch('X%((%u+),%s*"(%l+)",%s*\\?\n?%s*"([^"]+)"%)') do
  out[#out + 1] = ("| %s | %s | %s |"):format(kind, name, sentence)
end
for _, row in ipairs {
  { "timeout", "it took longer than the call's time-out; `err.outcome` is \"unknown\" where a frame was sent" },
  { "handler", "an error in the application's function; `err.traceback`, `err.value`" },
} do
  out[#out + 1] = ("| %s | – | %s |"):format(row[1], row[2])
end
for _, line in ipairs { "", "Fields of `err`, besides `kind`, `name` and `message` (which `tostring` gives):", "",
  "| field | of | what |", "| --- | --- | --- |" } do
  out[#out + 1] = line
end
for _, row in ipairs {
  { "detail", "failures of the core", "what names the offending thing, also part of the message" },
  { "offset", "protocol, limit", "the byte of the stream, from the first that was fed" },
  { "status", "upgrade", "of the HTTP answer" },
  { "headers", "upgrade", "of the HTTP answer: name in small letters = value" },
  { "body", "upgrade", "of the HTTP answer, its beginning" },
  { "code", "ends", "of the WebSocket's close frame" },
  { "reason", "ends", "of the WebSocket's close frame" },
  { "after", "ends", "the frames that were sent last, newest first: a list of `{command, destination}`" },
  { "frame", "broker", "the ERROR frame" },
  { "hint", "ends", "what is known about such an answer of a broker, also in brackets in the message" },
  { "permanent", "connecting", "true: another attempt will not help" },
  { "attempts", "connecting", "how many were made, where there were several" },
  { "outcome", "sends, requests, commits", "`\"unknown\"`: it was sent, nobody knows whether it was taken" },
  { "traceback", "handler", "of the error in the program's function" },
  { "value", "handler", "what that function raised" },
  { "expected", "handler, of `stomp.replay`", "the frame in the trace" },
  { "got", "handler, of `stomp.replay`", "the frame that the program sent" },
} do
  out[#out + 1] = ("| `%s` | %s | %s |"):format(row[1], row[2], row[3])
end
local text = table.concat(out, "\n") .. "\n"

if arg[1] == "--check" then
  local there = io.open("docs/errors.md")
  local is = there and there:read("*a")
  os.exit(is == text and 0 or 1)
end
local to = assert(io.open("docs/errors.md", "w"))
to:write(text)
to:close()
