-- SPDX-License-Identifier: MIT
-- What people who know the brokers would say about an answer of theirs: a table
-- of answers and hints. Most are RabbitMQ's, who tells some refusals by a close
-- code alone; each was seen there unless its row names its source.
-- Knows nothing.

-- Whether the frames that were sent last (err.after) have one of these commands
-- in front, receipts and heart-beats aside.
local function last_is(err, commands)
  local last = err.after and err.after[1]
  return last ~= nil and commands[last.command] == true
end

local function never_pings(_, settings)
  return settings.ping == 0 or settings.ping >= 60
end

local function sent_text(_, settings)
  return settings.binary == "never"
end

local function to_a_name(err)
  return last_is(err, { SEND = true, SUBSCRIBE = true, COMMIT = true })
end

local function settling(err)
  return last_is(err, { ACK = true, NACK = true })
end

local function all_binary(_, settings)
  return settings.binary == "always"
end

local refusal = "RabbitMQ closes so for an exchange that does not exist, a missing"
  .. " permission, a queue with other arguments, heart-beats that it missed;"
  .. " err.after has the last frames"

local no_nack = "ActiveMQ cannot commit a NACK: nack outside of the transaction"

-- The first that fits counts. kind; code (of the close); status (of the upgrade);
-- says: in the message, the reason or the frame's body, small letters, no
-- pattern; when: a state of the client, connecting or not; server: what its name
-- begins with; fits(err, settings).
local rows = {
  -- CONNECT
  { kind = "broker", says = "virtual host", when = "connecting",
    hint = "option host is the virtual host, \"/\" unless the broker has others;"
      .. " the login needs permissions in it" },
  { kind = "broker", says = "access refused for user", when = "connecting",
    hint = "options login and passcode; RabbitMQ lets guest in from its own"
      .. " machine only" },
  { kind = "broker", says = "or password is invalid", when = "connecting", -- ActiveMQ's words
    hint = "options login and passcode" },
  { kind = "timeout", when = "connecting", says = "connect was sent", fits = all_binary,
    hint = "ActiveMQ ignores binary messages, CONNECT too: option binary" },
  { kind = "broker", says = "version mismatch", when = "connecting",
    hint = "option versions: the broker speaks none of these" },
  -- The upgrade
  { kind = "upgrade", status = 200,
    hint = "behind SockJS the path ends in /websocket" },
  { kind = "upgrade", status = 400,
    hint = "behind SockJS the path ends in /websocket" },
  { kind = "upgrade", status = 401,
    hint = "credentials of HTTP go into option upgrade_headers" },
  { kind = "upgrade", status = 403, -- RabbitMQ 4.2.6, web_stomp.allow_origins
    hint = "the server may not accept this Origin: option upgrade_headers" },
  { kind = "upgrade", status = 404,
    hint = "the path: RabbitMQ has /ws, ActiveMQ and Artemis mostly /, and behind"
      .. " SockJS it ends in /websocket" },
  -- Sizes. RabbitMQ 4.2.6 and 4.3.5, by their source
  { says = "frame_too_big",
    hint = "larger than the broker takes: RabbitMQ 4.2.6 and later 4 MiB a frame,"
      .. " 64 KiB for CONNECT" },
  { says = "too_many_headers",
    hint = "RabbitMQ 4.2.6 and later take 100 headers a frame" },
  { kind = "closed", code = 1009,
    hint = "larger than the peer takes as one message: RabbitMQ 4.2.6 and later"
      .. " 4 MiB, ActiveMQ 64 KiB unless its ws connector has"
      .. " websocket.maxTextMessageSize" },
  { kind = "limit", says = "limits.frame",
    hint = "option limits.frame is what this client accepts" },
  -- Permissions and names, where the broker has words for them
  { kind = "broker", says = "access_refused",
    hint = "the login has no permission there: rabbitmqctl set_permissions" },
  { kind = "broker", says = "no exchange",
    hint = "SEND and SUBSCRIBE do not declare an exchange: it must be there" },
  { kind = "broker", says = "'/temp-queue/",
    hint = "RabbitMQ knows /temp-queue/ in reply-to only, without SUBSCRIBE" },
  { kind = "broker", says = "unexpected ack", -- ActiveMQ's words
    hint = "acknowledged twice, or by another connection" },
  { kind = "broker", says = "amq339025", -- Artemis
    hint = "acknowledged twice, or by another connection" },
  { kind = "broker", says = "is not authorized to", -- ActiveMQ
    hint = "the login has no permission there: the broker's authorizationEntry" },
  { kind = "broker", says = "amq339011", -- Artemis
    hint = "Artemis did not take the message: mostly the login has no permission to"
      .. " send there (security-setting), or the address is full" },
  { kind = "broker", says = "amq339016", -- Artemis
    hint = "a durable subscription needs the header client-id on CONNECT (option"
      .. " headers); or the login has no permission to consume there" },
  { kind = "broker", says = "amq339031", -- Artemis
    hint = "a header that Artemis cannot read: priority and expires are numbers" },
  { kind = "broker", says = "amq229014", -- Artemis
    hint = "Artemis wants a frame or a heart-beat every 60 s, and each that was"
      .. " promised: option heartbeat; 1.0 has none, pings do not count" },
  -- ActiveMQ says one or the other
  { kind = "broker", says = "marked rollback only", hint = no_nack },
  { kind = "broker", says = "poison ack cannot be transacted", hint = no_nack },
  -- Closes without an ERROR
  { kind = "closed", code = 1007, fits = sent_text,
    hint = "with binary = \"never\" a body that is no UTF-8 cannot be sent" },
  { kind = "closed", code = 1000, says = "stomp died", fits = settling,
    hint = "RabbitMQ closes so for an ACK that it does not expect, and for any NACK of a"
      .. " stream's message" },
  { kind = "closed", code = 1000, says = "stomp died", fits = to_a_name,
    hint = refusal },
  { kind = "closed", code = 1000, says = "stomp died", when = "connected",
    hint = "RabbitMQ closes so when it missed our heart-beats, too" },
  { kind = "closed", code = 1000, when = "connected", server = "ActiveMQ/",
    hint = "ActiveMQ closes so for a destination without a name, a priority or"
      .. " expires that is no number, heart-beats that it missed; err.after has the"
      .. " last frames" },
  { kind = "closed", code = 1000, when = "connected", fits = never_pings,
    hint = "RabbitMQ drops who sends nothing for 60 s, whatever the heart-beats"
      .. " say: option ping" },
  { kind = "closed", code = 1000, when = "connecting", -- RabbitMQ 4.2.6, source
    hint = "RabbitMQ 4.2.6 and later close where no CONNECTED came in 10 s" },
}

-- All that the peer said, in small letters.
local function words_of(err)
  local frame = err.frame
  local words = { err.message, err.reason or "" }
  if frame then words[3] = (frame.body or ""):sub(1, 1000) end
  return table.concat(words, "\n"):lower()
end

local function fits(row, err, words, settings, connecting, server)
  if row.kind and row.kind ~= err.kind then return false end
  if row.code and row.code ~= err.code then return false end
  if row.status and row.status ~= err.status then return false end
  if row.when and (row.when == "connecting") ~= connecting then return false end
  if row.server and server:sub(1, #row.server) ~= row.server then return false end
  if row.says and not words:find(row.says, 1, true) then return false end
  return not row.fits or row.fits(err, settings)
end

--- The hint for an error that ended a connection, or nil. `settings`: the options
-- of connect with their defaults; `connecting`: CONNECTED had not come; `server`:
-- its header of that name, or nil.
local function find(err, settings, connecting, server)
  local words = words_of(err)
  for _, row in ipairs(rows) do
    if fits(row, err, words, settings, connecting, server or "") then return row.hint end
  end
end

--- Add the hint to the error: err.hint, and in brackets to its message, which is
-- returned. Once.
local function add(err, settings, connecting, server)
  if err.hint == nil then
    err.hint = find(err, settings, connecting, server)
    if err.hint then err.message = ("%s (%s)"):format(err.message, err.hint) end
  end
  return err.message
end

return { find = find, add = add, rows = rows }
