---@meta stomp.broker
-- SPDX-License-Identifier: MIT
-- Types of require "stomp.broker". tools/typescov.lua checks the names.

---@class stomp.options.broker
---@field allow_remote? boolean listen elsewhere than on the loopback [false]
---@field logins? table<string, string> login = passcode
---@field heartbeat? { send?: number, receive?: number } seconds
---@field limits? stomp.options.connect.limits
---@field queue_limit? integer bytes [64 MiB]
---@field timeout? number seconds until CONNECT must have come [10]
---@field server? string header of CONNECTED
---@field compression? boolean
---@field loop? table docs/loops.md
---@field transport? table docs/transport.md

---docs/testing.md
---@class stomp.options.misbehave
---@field cut_after? integer
---@field cut_on? string|string[]|function
---@field error_on? string|string[]|function
---@field close_on? string|string[]|function
---@field refuse_logins? boolean|function
---@field refuse_sends? boolean|function
---@field withhold_receipts? boolean|function
---@field times? integer
---@field delay? number seconds
---@field silent? boolean
---@field refuse_connects? boolean

---@class stomp.broker
---@field url string where it listens
local broker = {}

---Start a broker.
---@param url string ws://127.0.0.1:0/ws; port 0 picks one
---@param options? stomp.options.broker
---@return stomp.broker? broker
---@return string? message
---@return stomp.Error? err
function broker.listen(url, options) end

---Serve until it is closed.
---@param timeout? number seconds
---@return true? ok
---@return string? message
---@return stomp.Error? err
function broker:run(timeout) end

function broker:close() end

function broker:stop() end

---@return true? ok
---@return string? message
---@return stomp.Error? err
function broker:start() end

---@return true? ok
---@return string? message
---@return stomp.Error? err
function broker:restart() end

---@param switches? stomp.options.misbehave
---@return true? ok
---@return string? message
---@return stomp.Error? err
function broker:misbehave(switches) end

---@param selector? fun(session: { id: string, login: string? }): boolean
---@return integer n
function broker:cut(selector) end

---@param destination? string
---@return table<string, number>
function broker:stats(destination) end

return broker
