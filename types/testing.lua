---@meta stomp.testing
-- SPDX-License-Identifier: MIT
-- Types of require "stomp.testing". tools/typescov.lua checks the names.

---@class stomp.options.world
---@field seed? number [1]

---@class stomp.testing
local testing = {}

---@param options? stomp.options.world
---@return stomp.testing.World
function testing.world(options) end

---@class stomp.testing.World
---@field loop table docs/loops.md
---@field network stomp.testing.Network
---@field random stomp.testing.Random
local world = {}

---Options of stomp.connect for a client in this world.
---@param given? stomp.options.connect
---@return stomp.options.connect
function world:options(given) end

---@param options? stomp.options.broker
---@return stomp.broker
function world:broker(options) end

---@param f function
---@param ... any
---@return any ...
function world:run(f, ...) end

---@param f function
---@param on_error? fun(text: string, value: any)
function world:spawn(f, on_error) end

---@param seconds number
function world:sleep(seconds) end

---@return number seconds
function world:now() end

function world:close() end

---docs/testing.md
---@class stomp.testing.Conditions
---@field latency? number seconds
---@field jitter? number seconds
---@field piece? integer bytes
---@field drip? { [1]: integer, [2]: number }
---@field silent? "up"|"down"|"both"|false
---@field refuse? boolean
---@field unreachable? boolean

---@class stomp.testing.Network
local network = {}

---@param conditions stomp.testing.Conditions
function network:set(conditions) end

---@return stomp.testing.Line[]
function network:lines() end

---@param only? "client"|"server"
function network:cut(only) end

---@class stomp.testing.Line
local line = {}

---@param conditions stomp.testing.Conditions
function line:set(conditions) end

---@param only? "client"|"server"
function line:cut(only) end

---@param way "up"|"down"
---@param n integer bytes
function line:cut_after(way, n) end

---@class stomp.testing.Random
local random = {}

---@return integer
function random:draw() end

---@param n integer
---@return integer
function random:upto(n) end

---@return number
function random:part() end

---@param p number
---@return boolean
function random:chance(p) end

---@generic T
---@param list T[]
---@return T
function random:one_of(list) end

---@return stomp.testing.Random
function random:fork() end

---@param n integer
---@return string
function random:bytes(n) end

return testing
