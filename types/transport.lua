---@meta stomp.transport.lws
-- SPDX-License-Identifier: MIT
-- Types of require "stomp.transport.lws". tools/typescov.lua checks the names.

---@class stomp.transport.lws
---@field name string
local transport = {}

---@param options table docs/transport.md
---@return userdata? link
---@return string? message
---@return stomp.Error? err
function transport.open(options) end

---@param options table docs/transport.md
---@return userdata? listener
---@return string? message
---@return stomp.Error? err
function transport.listen(options) end

return transport
