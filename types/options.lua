---@meta
-- SPDX-License-Identifier: MIT
-- Types of the options that calls of stomp and its objects take.
-- tools/typescov.lua checks that the names are those of docs/api.txt.

---@class stomp.options.connect
---@field login? string
---@field passcode? string
---@field host? string|false virtual host ["/"]; false sends none
---@field headers? stomp.Headers more headers of CONNECT
---@field versions? ("1.2"|"1.1"|"1.0")[]
---@field heartbeat? stomp.options.connect.heartbeat
---@field heartbeat_margin? number part of the interval to be early by [0.2]
---@field heartbeat_grace? number part of the interval the peer may be late by [1]
---@field timeout? number seconds from DNS to CONNECTED [10]
---@field confirm_timeout? number seconds for a RECEIPT or for room [30]
---@field upgrade_headers? stomp.Headers HTTP headers of the upgrade
---@field tls? stomp.options.connect.tls
---@field proxy? string|false URL; nil: from the environment; false: none
---@field compression? boolean permessage-deflate [false]
---@field reconnect? boolean|stomp.options.connect.reconnect [false]
---@field before_connect? fun(attempt: stomp.options.attempt): any, string? before each attempt; may wait and change it; `nil, reason` fails it
---@field limits? stomp.options.connect.limits
---@field on_invalid_frame? "close"|"ignore" ["close"]
---@field escape_connect? boolean for a RabbitMQ password with a backslash [false]
---@field binary? "auto"|"always"|"never" ["auto"]
---@field ping? number seconds without a byte sent; 0 is off [20]
---@field trace? true|stomp.Tracer|fun(direction: "send"|"receive"|"info", text: string)
---@field redact? string[] more headers that a trace hides
---@field on_error? fun(message: string, err: stomp.Error)
---@field on_close? fun(clean: boolean, message?: string, err?: stomp.Error)
---@field on_disconnect? fun(message: string, err: stomp.Error)
---@field on_reconnect? fun(client: stomp.Client, url: string, attempt: integer)
---@field on_unhandled? fun(message: stomp.Message, client: stomp.Client)
---@field loop? table docs/loops.md
---@field transport? table docs/transport.md

---@class stomp.options.connect.heartbeat
---@field send? number seconds, 0 is off [10]
---@field receive? number seconds, 0 is off [10]

---@class stomp.options.connect.tls
---@field ca? string file or PEM text
---@field cert? string file or PEM text
---@field key? string file or PEM text
---@field passphrase? string
---@field verify? boolean [true]
---@field server_name? string
---@field min_version? "1.2"|"1.3"
---@field pin? string

---@class stomp.options.connect.limits
---@field frame? integer bytes [16 MiB]
---@field headers? integer bytes [64 KiB]
---@field header_line? integer bytes [64 KiB]
---@field header_count? integer [512]
---@field inbox? integer bytes [8 MiB]
---@field inbox_hard? integer bytes [2 x inbox]
---@field outbox? integer bytes [8 MiB]
---@field receipts? integer [65536]
---@field table? integer subscriptions, and transactions [65536]
---@field upgrade? integer bytes [64 KiB]
---@field inflate_ratio? integer times; 0: no limit [200]

---@class stomp.options.connect.reconnect
---@field min? number seconds [0.5]
---@field max? number seconds [30]
---@field jitter? number 0 to 1 [0.5]
---@field attempts? integer per outage [unlimited]
---@field max_time? number seconds per outage [unlimited]
---@field auth_attempts? integer [1]
---@field initial? boolean the first connection is tried again, too [false]

---@class stomp.options.attempt
---@field number integer from 1, of this outage
---@field err? stomp.Error how the last connection or attempt failed
---@field url string
---@field login? string
---@field passcode? string
---@field headers? stomp.Headers
---@field upgrade_headers? stomp.Headers

---@class stomp.options.subscribe
---@field id? string
---@field ack? "auto"|"client"|"client-individual" ["auto"]
---@field headers? stomp.Headers|fun(): stomp.Headers
---@field confirm? boolean wait for the RECEIPT [false]
---@field timeout? number seconds
---@field prefetch? integer
---@field acknowledge? stomp.options.subscribe.acknowledge
---@field concurrency? integer handlers at a time [1]
---@field order_by? string name of a header
---@field stream? "first"|"last"|"next"|integer of RabbitMQ

---@class stomp.options.subscribe.acknowledge
---@field destination string
---@field header? string ["messageId"]
---@field automatic? boolean [false]

---@class stomp.options.unsubscribe
---@field headers? stomp.Headers
---@field confirm? boolean
---@field timeout? number seconds

---@class stomp.options.send
---@field confirm? boolean|"once"|"later" wait for the RECEIPT; "later": flush does
---@field timeout? number seconds
---@field transaction? stomp.Transaction|string
---@field content_length? boolean false leaves the header out
---@field queue? boolean false: not while reconnecting
---@field idempotent? string|true name of a header that gets an id of this send alone

---@class stomp.options.request
---@field timeout? number seconds
---@field headers? stomp.Headers
---@field content_length? boolean
---@field reply? stomp.options.request.reply

---@class stomp.options.request.reply
---@field to? string
---@field subscribe? boolean|string
---@field correlation_id? string

---@class stomp.options.commit
---@field confirm? boolean
---@field timeout? number seconds

---@class stomp.options.abort
---@field timeout? number seconds

---@class stomp.options.tracer
---@field bodies? boolean [false]

---@class stomp.options.replay
---@field client? integer [1]
---@field ignore? string[] names of headers
---@field speed? number
---@field timeout? number seconds [10]
---@field loop? table
