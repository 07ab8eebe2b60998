---@meta stomp
-- SPDX-License-Identifier: MIT
-- Types of require "stomp" for the Lua language server. tools/typescov.lua checks
-- that the names here are those of docs/api.txt.

---@alias stomp.ErrorKind
---| "connect"
---| "tls"
---| "upgrade"
---| "protocol"
---| "invalid"
---| "broker"
---| "timeout"
---| "heartbeat"
---| "closed"
---| "limit"
---| "handler"

---What failed; tostring is the message. docs/errors.md
---@class stomp.Error
---@field kind stomp.ErrorKind
---@field message string begins with the kind
---@field name? string of the C core's failures, stable
---@field detail? string what names the offending thing
---@field offset? integer byte of the stream
---@field status? integer of a refused upgrade
---@field headers? table<string, string> of a refused upgrade
---@field body? string of a refused upgrade
---@field frame? stomp.Message a broker's ERROR
---@field code? integer of a WebSocket close
---@field reason? string of a WebSocket close
---@field after? { command: string, destination: string }[] the frames sent last, newest first
---@field hint? string what is known about this answer of a broker
---@field permanent? boolean trying again does not help
---@field outcome? "unknown" it was sent, nobody knows whether it was taken
---@field attempts? integer to connect
---@field traceback? string of an error in a function of the program
---@field value? any what that function raised
---@field expected? stomp.Message of stomp.replay
---@field got? stomp.Message of stomp.replay

---@alias stomp.Headers table<string, string|number|boolean>|{ [1]: string, [2]: string|number|boolean }[]

---@alias stomp.Event
---| "error"
---| "close"
---| "disconnect"
---| "connected"
---| "reconnect"
---| "unhandled"
---| "sent"
---| "received"
---| "acked"
---| "receipt"

-- ---- stomp ----

---@class stomp
---@field _VERSION string
local stomp = {}

---Connect to a broker.
---@param url string|string[] ws:// or wss://, or a list to fail over between
---@param options? stomp.options.connect
---@return stomp.Client? client
---@return string? message
---@return stomp.Error? err
function stomp.connect(url, options) end

---Run f(...) as a task of the built-in loop; its results when every task has ended.
---@param f function
---@param ... any
---@return any ...
function stomp.run(f, ...) end

---Run f(...) as one more task.
---@param f function
---@param ... any
function stomp.spawn(f, ...) end

---Wait, while other tasks go on.
---@param seconds number
function stomp.sleep(seconds) end

---@return number seconds of a monotonic clock
function stomp.now() end

---A tracer for option trace. docs/trace.md
---@param where string|file*
---@param options? stomp.options.tracer
---@return stomp.Tracer? tracer
---@return string? message
---@return stomp.Error? err
function stomp.tracer(where, options) end

---Replay a trace: the program must send what was sent then. docs/trace.md
---@param where string|file*
---@param program? fun(url: string, options: stomp.options.connect)
---@param options? stomp.options.replay
---@return true? ok
---@return string? message
---@return stomp.Error? err
function stomp.replay(where, program, options) end

-- ---- Client ----

---docs/stats.md
---@class stomp.stats
---@field frames_sent integer
---@field frames_received integer
---@field messages integer
---@field bytes_sent integer
---@field bytes_received integer
---@field heartbeats_sent integer
---@field heartbeats_received integer
---@field reconnects integer
---@field paused_seconds number
---@field late_replies integer
---@field unknown_receipts integer
---@field inbox_bytes integer
---@field outbox_bytes integer
---@field receipts_outstanding integer
---@field queued integer
---@field unacked integer
---@field oldest_unacked number seconds
---@field round_trip number seconds

---@class stomp.Client
---@field state "connecting"|"connected"|"disconnecting"|"reconnecting"|"closed"
---@field url string without secrets
---@field version? "1.0"|"1.1"|"1.2"
---@field server? string
---@field session? string
---@field heartbeat? { send: number, receive: number } seconds
---@field compression? boolean
---@field loop string
local client = {}

---Subscribe to a destination.
---@param destination string
---@param options? stomp.options.subscribe
---@param handler? fun(message: stomp.Message, client: stomp.Client)
---@return stomp.Subscription? subscription
---@return string? message
---@return stomp.Error? err
---@overload fun(self: stomp.Client, destination: string, handler: fun(message: stomp.Message, client: stomp.Client)): stomp.Subscription?, string?, stomp.Error?
function client:subscribe(destination, options, handler) end

---Send a message.
---@param destination string
---@param body string|table a table goes out as JSON
---@param headers? stomp.Headers
---@param options? stomp.options.send
---@return true? ok
---@return string? message
---@return stomp.Error? err
function client:send(destination, body, headers, options) end

---Send a request and wait for its reply.
---@param destination string
---@param body string|table
---@param options? stomp.options.request
---@return stomp.Message? reply
---@return string? message
---@return stomp.Error? err
function client:request(destination, body, options) end

---@param id? string
---@return stomp.Transaction? transaction
---@return string? message
---@return stomp.Error? err
function client:begin(id) end

---Wait until every confirmed send so far has its RECEIPT.
---@param timeout? number seconds
---@return true? ok
---@return string? message
---@return stomp.Error? err
function client:flush(timeout) end

---The next message of any subscription without handler or waiter.
---@param timeout? number seconds
---@return stomp.Message? message
---@return string? text
---@return stomp.Error? err
function client:receive(timeout) end

---Let handlers run until the connection is closed for good.
---@param timeout? number seconds
---@return true? ok
---@return string? message
---@return stomp.Error? err
function client:run(timeout) end

---@param event stomp.Event
---@param f function
---@return fun() off takes it off again
function client:on(event, f) end

---Leave without losing anything.
---@param timeout? number seconds
---@return true? ok
---@return string? message also "no receipt" after true
---@return stomp.Error? err
function client:drain(timeout) end

---@param timeout? number seconds [5]
---@return true? ok
---@return string? message also "no receipt" after true
---@return stomp.Error? err
function client:disconnect(timeout) end

---@return true
function client:close() end

---docs/stats.md
---@return stomp.stats
function client:stats() end

-- ---- Subscription, message, transaction, tracer ----

---@class stomp.Subscription
---@field id string
---@field destination string
---@field ack "auto"|"client"|"client-individual"
local subscription = {}

---@param timeout? number seconds
---@return stomp.Message? message
---@return string? text
---@return stomp.Error? err
function subscription:receive(timeout) end

---@return fun(subscription: stomp.Subscription): stomp.Message?
---@return stomp.Subscription
function subscription:messages() end

---@param options? stomp.options.unsubscribe
---@return true? ok
---@return string? message
---@return stomp.Error? err
function subscription:unsubscribe(options) end

---@class stomp.Message
---@field body string any bytes
---@field headers table<string, string>
---@field command string
---@field destination string
---@field id string
---@field subscription? string
---@field redelivered boolean
local message = {}

---@return any? value
---@return string? text
---@return stomp.Error? err
function message:json() end

---@param transaction? stomp.Transaction|string
---@return true? ok
---@return string? text
---@return stomp.Error? err
function message:ack(transaction) end

---@param transaction? stomp.Transaction|string
---@return true? ok
---@return string? text
---@return stomp.Error? err
function message:nack(transaction) end

---Send an answer to the message's reply-to.
---@param body string|table
---@param headers? stomp.Headers
---@return true? ok
---@return string? text
---@return stomp.Error? err
function message:reply(body, headers) end

---@class stomp.Transaction
---@field id string
---@field state "open"|"committed"|"aborted"|"lost"
local transaction = {}

---@param destination string
---@param body string|table
---@param headers? stomp.Headers
---@param options? stomp.options.send
---@return true? ok
---@return string? message
---@return stomp.Error? err
function transaction:send(destination, body, headers, options) end

---@param message stomp.Message
---@return true? ok
---@return string? text
---@return stomp.Error? err
function transaction:ack(message) end

---@param message stomp.Message
---@return true? ok
---@return string? text
---@return stomp.Error? err
function transaction:nack(message) end

---@param options? stomp.options.commit
---@return true? ok
---@return string? message
---@return stomp.Error? err
function transaction:commit(options) end

---@param options? stomp.options.abort
---@return true? ok
---@return string? message
---@return stomp.Error? err
function transaction:abort(options) end

---@class stomp.Tracer
local tracer = {}

---Write nothing more.
function tracer:close() end

return stomp
