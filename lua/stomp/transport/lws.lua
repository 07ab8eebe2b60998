-- SPDX-License-Identifier: MIT

--- The transport on libwebsockets' I/O thread: links are C objects that have the
-- methods of docs/transport.md themselves.
-- @module stomp.transport.lws

local lws = require "stomp.lws"

local transport = { name = "lws" }

--- Open a link; returns at once.
-- @tparam table options see docs/transport.md
-- @treturn[1] link
-- @treturn[2] nil, message, err of kind invalid, tls or connect
function transport.open(options)
  local proxy = options.proxy
  return lws.open {
    connect_host = options.host,
    connect_port = options.port,
    secure = options.secure,
    tls = options.tls,
    host_header = options.host_header,
    path = options.path,
    upgrade_headers = options.upgrade_headers,
    connect_headers = options.connect_headers,
    versions = options.versions,
    heartbeat = options.heartbeat,
    heartbeat_margin = options.heartbeat_margin,
    heartbeat_grace = options.heartbeat_grace,
    limits = options.limits,
    binary = options.binary,
    on_invalid_frame = options.on_invalid_frame,
    escape_connect = options.escape_connect,
    ping = options.ping,
    compression = options.compression,
    proxy = proxy and {
      host = proxy.host,
      port = proxy.port,
      target = proxy.target,
      authorization = proxy.authorization,
    } or nil,
  }
end

--- Listen; returns at once.
-- @tparam table options see docs/transport.md
-- @treturn[1] listener
-- @treturn[2] nil, message, err of kind connect
function transport.listen(options)
  return lws.listen {
    connect_host = options.host,
    connect_port = options.port,
    heartbeat = options.heartbeat,
    limits = options.limits,
    compression = options.compression,
  }
end

return transport
