-- SPDX-License-Identifier: MIT
-- What a simulated program does in a transaction, committed or aborted.

--- One transaction of this program.
local function transact(self, connection)
  local sim, client, random = self.sim, connection.client, self.random
  local timeout = sim.scenario.timeout
  self.n_transactions = self.n_transactions + 1
  local stream = { name = ("%s-t%d"):format(self.name, self.n_transactions), n = 0 }
  local t, message, err = sim:call("begin", 30, client.begin, client)
  if not t then return sim:failed("begin", message, err) end
  local ids = {}
  for _ = 1, random:upto(4) do
    local destination = self:queue()
    local id, body = self:compose(stream, destination)
    local confirm = random:chance(0.5) or nil
    local ok
    ok, message, err = sim:call("transaction:send", timeout, t.send, t, destination, body,
      { n = id, stream = stream.name }, { timeout = timeout, confirm = confirm })
    if ok then
      ids[#ids + 1] = id
    else
      sim:failed("transaction:send", message, err)
      sim:log("failed", id, err.outcome)
    end
    if random:chance(0.3) then sim.world:sleep(random:part()) end
  end
  if random:chance(0.3) then
    for _, id in ipairs(ids) do sim:log("aborted", id) end
    local ok
    ok, message, err = sim:call("abort", timeout, t.abort, t, { timeout = timeout })
    if not ok then sim:failed("abort", message, err) end
    return
  end
  local ok, _
  ok, _, err = self:ask(connection, "commit", timeout, t.commit, t,
    { timeout = timeout, confirm = true })
  for _, id in ipairs(ids) do
    if ok then sim:log("confirmed", id) else sim:log("failed", id, err.outcome) end
  end
end

return transact
