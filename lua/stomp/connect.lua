-- SPDX-License-Identifier: MIT
-- From URLs and options to a client that is CONNECTED, or the reason why not.
-- Knows chance, check, errors, guard, options, url, trace and client; finds the loop.
local chance = require "stomp.chance"
local check = require "stomp.check"
local client_module = require "stomp.client"
local errors = require "stomp.errors"
local guard = require "stomp.guard"
local options_module = require "stomp.options"
local trace_module = require "stomp.trace"
local url_module = require "stomp.url"

-- The list that a URL or a list of them means.
local function list_of(given, level)
  check.argument("url", given, "string table", level + 1)
  if type(given) == "string" then return { given } end
  if #given == 0 then error("url: the list is empty", level + 1) end
  local list = {}
  for i, text in ipairs(given) do
    check.argument(("url[%d]"):format(i), text, "string", level + 1)
    list[i] = text
  end
  return list
end

-- Each must be a URL, and all as safe as the first: a client that believes in
-- wss must not find itself on ws.
-- Another attempt would not help, as with a URL that before_connect gives.
local function check_urls(list)
  local secure
  for _, text in ipairs(list) do
    local url, message, err = url_module.parse(text)
    if not url then
      err.permanent = true
      return nil, message, err
    end
    if secure ~= nil and url.secure ~= secure then
      return errors.failure("invalid", ("URL: ws and wss in one list (%s)")
        :format(url.text), { permanent = true })
    end
    secure = url.secure
  end
  return true
end

-- So that the clients of one list spread over its servers.
local function shuffle(list, random)
  for i = #list, 2, -1 do
    local k = math.floor(random() * i) + 1
    list[i], list[k] = list[k], list[i]
  end
  return list
end

local callbacks = { "error", "close", "disconnect", "reconnect", "unhandled" }

--- stomp.connect; misuse raises at `level`.
local function connect(given_urls, given, level)
  local urls = list_of(given_urls, level + 1)
  local settings = options_module.read(given, level + 1)
  local ok, message, err = check_urls(urls)
  if not ok then return nil, message, err end
  local loop = settings.loop or require "stomp.loop.scheduler"
  local trace = trace_module.new(settings.trace, settings.redact,
    loop.now)
  local client = client_module.new(loop, settings,
    shuffle(urls, chance.fractions(loop.random)), trace)
  ok, message, err = guard.run(client.close, client, nil, client.open, client)
  if not ok then return nil, message, err end
  for _, event in ipairs(callbacks) do
    if settings["on_" .. event] then client:on(event, settings["on_" .. event]) end
  end
  return client
end

return { connect = connect }
