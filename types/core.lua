---@meta stomp.core
-- SPDX-License-Identifier: MIT
-- Types of require "stomp.core". tools/typescov.lua checks the names.

---@class stomp.core
---@field _VERSION string
local core = {}

---A parser of STOMP frames.
---@param limits? { frame?: integer, headers?: integer, header_line?: integer, header_count?: integer }
---@param version? "1.0"|"1.1"|"1.2"
---@return stomp.core.Parser
function core.parser(limits, version) end

---The bytes of a frame.
---@param command string
---@param headers stomp.Headers
---@param body? string
---@param version? "1.0"|"1.1"|"1.2"
---@return string? bytes
---@return string? message
---@return stomp.Error? err
function core.encode(command, headers, body, version) end

---The whole protocol as one machine.
---@param options table
---@return stomp.core.Connection? connection
---@return string? message
---@return stomp.Error? err
function core.connection(options) end

---The same without upgrade and framing.
---@param options table
---@return stomp.core.Connection? connection
---@return string? message
---@return stomp.Error? err
function core.session(options) end

---The framing of RFC 6455 alone.
---@param options? table
---@return stomp.core.WebSocket? websocket
---@return string? message
---@return stomp.Error? err
function core.websocket(options) end

---@class stomp.core.Parser
local parser = {}

---@param version "1.0"|"1.1"|"1.2"
function parser:version(version) end

---@param bytes string
---@return true? ok
---@return string? message
---@return stomp.Error? err
function parser:feed(bytes) end

---@return stomp.Message|"heartbeat"|nil frame
---@return string? message
---@return stomp.Error? err
function parser:next() end

---@class stomp.core.Connection
---@field state "idle"|"connecting"|"connected"|"disconnecting"|"closed"
---@field version? "1.0"|"1.1"|"1.2"
---@field heartbeat { send: number, receive: number }
---@field receipts integer
---@field compression boolean
local connection = {}

---@param now number seconds
---@return true? ok
---@return string? message
---@return stomp.Error? err
function connection:connect(now) end

---@param now number seconds
---@param headers? stomp.Headers
---@return boolean? ok
---@return string? message
---@return stomp.Error? err
function connection:accept(now, headers) end

---@param message string
---@param body? string
---@return boolean? ok
---@return string? text
---@return stomp.Error? err
function connection:refuse(message, body) end

---@param bytes string
---@param now number seconds
---@return true? ok
---@return string? message
---@return stomp.Error? err
function connection:feed(bytes, now) end

---@return stomp.Message? frame
---@return string? message
---@return stomp.Error? err
function connection:next() end

---@param command string
---@param headers stomp.Headers
---@param body? string
---@param options? { content_length?: boolean }
---@return boolean? ok false: no room now
---@return string? message
---@return stomp.Error? err
function connection:send(command, headers, body, options) end

---@param frame stomp.Message
---@param transaction? string|stomp.Headers
---@return boolean? ok
---@return string? message
---@return stomp.Error? err
function connection:ack(frame, transaction) end

---@param frame stomp.Message
---@param transaction? string|stomp.Headers
---@return boolean? ok
---@return string? message
---@return stomp.Error? err
function connection:nack(frame, transaction) end

---@return string bytes
function connection:output() end

---@return number? seconds
function connection:deadline() end

---@param now number seconds
---@return true? ok
---@return string? message
---@return stomp.Error? err
function connection:tick(now) end

---@param now number seconds
function connection:pause(now) end

---@param now number seconds
function connection:resume(now) end

---@param now number seconds
---@return string? id
---@return string? message
---@return stomp.Error? err
function connection:disconnect(now) end

---@param now number seconds
function connection:close(now) end

---@return boolean
function connection:wants_end() end

---@param code? integer
---@param reason? string
---@return true? ok
---@return string? message also "no receipt" after true
---@return stomp.Error? err
function connection:closed(code, reason) end

---@return false? ended
---@return string? message also "no receipt" after false
---@return stomp.Error? err
function connection:ended() end

---@return string? message
---@return stomp.Error? err
function connection:warning() end

---@return table<string, number>
function connection:counts() end

---@class stomp.core.WebSocket
local websocket = {}

---@param bytes string
---@return true? ok
---@return string? message
---@return stomp.Error? err
function websocket:feed(bytes) end

---@return "text"|"binary"|"ping"|"pong"|"close"|nil kind
---@return string|integer? bytes of "close": the code
---@return string|stomp.Error? reason
function websocket:next() end

---@param kind "text"|"binary"|"ping"|"pong"
---@param bytes? string
---@return boolean? ok
---@return string? message
---@return stomp.Error? err
function websocket:send(kind, bytes) end

---@param code? integer
---@param reason? string
---@return boolean? ok
---@return string? message
---@return stomp.Error? err
function websocket:close(code, reason) end

---@return string bytes
function websocket:output() end

return core
