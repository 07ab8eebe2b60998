---@meta stomp.loop.scheduler
-- SPDX-License-Identifier: MIT
-- Types of require "stomp.loop.scheduler". tools/typescov.lua checks the names.

---@class stomp.Pollable
---@field pollfd integer|fun(self): integer
---@field events string|fun(self): string

---@class stomp.Condition
---@field wait fun(self, timeout?: number): boolean
---@field signal fun(self)

---@class stomp.loop.scheduler
---@field name string
local scheduler = {}

---@param pollable stomp.Pollable
---@param timeout? number seconds
---@return boolean ready
function scheduler.wait(pollable, timeout) end

---@param seconds number
function scheduler.sleep(seconds) end

---@return number seconds
function scheduler.now() end

---@param n integer
---@return string
function scheduler.random(n) end

---@param f function
---@param on_error? fun(text: string, value: any)
---@param daemon? boolean
function scheduler.spawn(f, on_error, daemon) end

---@return stomp.Condition
function scheduler.condition() end

---@return boolean
function scheduler.running() end

---@param f function
---@param ... any
---@return any ...
function scheduler.run(f, ...) end

return scheduler
