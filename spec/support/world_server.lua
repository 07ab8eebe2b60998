-- SPDX-License-Identifier: MIT
-- A scripted server in a world of stomp.testing: `take(link, frame)` gets each frame
-- of each connection. Returns the URL that clients connect to.
local function start(world, take)
  local listener = world.network.listen { host = "127.0.0.1" }
  local function serve(link)
    while true do
      local frame, message = link:next()
      if frame then
        take(link, frame)
      elseif frame == false or message then
        return
      else
        world.loop.wait(link)
      end
    end
  end
  world:spawn(function()
    while true do
      local link = listener:next()
      if link then world:spawn(function() serve(link) end) else world.loop.wait(listener) end
    end
  end)
  return "ws://127.0.0.1:" .. listener:port()
end

return { start = start }
