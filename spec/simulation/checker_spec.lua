-- SPDX-License-Identifier: MIT
-- The checker (spec/support/checker.lua): what it complains about, event by event.
local checker_module = require "spec.support.checker"

-- { what, its events, a line each, words separated by blanks; the complaint, or nil }
local cases = {
  { "a message that was confirmed, received and acknowledged", [[
    attempt a s 1 /queue/q
    confirmed a
    received a 1#x /queue/q false
    acked a 1#x]] },
  { "a confirmed message that nobody got", [[
    attempt a s 1 /queue/q
    confirmed a]], "a is lost" },
  { "a confirmed message that was received and not acknowledged", [[
    attempt a s 1 /queue/q
    confirmed a
    received a 1#x /queue/q false
    over 1#x]], "a is lost" },
  { "a confirmed message that is left", [[
    attempt a s 1 /queue/q
    confirmed a
    left a]] },
  { "a confirmed message of a topic that nobody got", [[
    attempt a s 1 /topic/t
    confirmed a]] },
  { "a message that nobody sent", [[
    received a 1#x /queue/q false]], "a came, and nobody sent it" },
  { "a message from elsewhere", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/p false]], "was sent to /queue/q and came from /queue/p" },
  { "a message with another body", [[
    attempt a s 1 /queue/q one
    received a 1#x /queue/q false two]], "another body" },
  { "a message that was not sent", [[
    attempt a s 1 /queue/q
    failed a
    left a]], "a came, and was not sent" },
  { "a message that may have been sent", [[
    attempt a s 1 /queue/q
    failed a unknown
    left a]] },
  { "a message of a transaction that was aborted", [[
    attempt a s 1 /queue/q
    aborted a
    left a]], "its transaction was aborted" },
  { "a message twice", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    received a 1#y /queue/q false]], "again, not as redelivered" },
  { "a message twice, redelivered", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    over 1#x
    received a 2#y /queue/q true]] },
  { "a message twice that may have been sent twice", [[
    attempt a s 1 /queue/q
    uncertain a
    received a 1#x /queue/q false
    received a 1#y /queue/q false]] },
  { "a message that two have", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    received a 2#y /queue/q true]], "while 1#x has it" },
  { "a message after it was acknowledged", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    acked a 1#x
    received a 2#y /queue/q true]], "after it was acknowledged" },
  { "a message again whose ACK may have been lost", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    acked a 1#x
    over 1#x
    received a 2#y /queue/q true
    acked a 2#y]] },
  { "a message that a transaction held when its subscription ended", [[
    attempt a s 1 /queue/q
    attempt b s 2 /queue/q
    confirmed a
    confirmed b
    received a 1#x /queue/q false
    received b 1#x /queue/q false
    over 1#x a
    received b 2#y /queue/q true
    acked a 1#x
    acked b 2#y
    over 1#x]] },
  { "a message of a COMMIT that did not go out", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    acked a 1#x
    undone a
    over 1#x
    received a 2#y /queue/q true
    acked a 2#y]] },
  { "one that was sent again for want of a RECEIPT", [[
    attempt a s 1 /queue/q
    repeated a
    taken a
    received a 1#x /queue/q false
    received a 1#x /queue/q false]] },
  { "one that was given to another meanwhile", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    over 1#x a
    received a 2#y /queue/q true]], "while 1#x has it" },
  { "a message that is left and was acknowledged", [[
    attempt a s 1 /queue/q
    received a 1#x /queue/q false
    acked a 1#x
    left a]], "a is left, and was acknowledged" },
  { "an ACK where the message is not", [[
    attempt a s 1 /queue/q
    acked a 1#x]], "which does not have it" },
  { "an ACK of all before it", [[
    attempt a s 1 /queue/q
    attempt b s 2 /queue/q
    attempt c s 3 /queue/q
    confirmed a
    confirmed b
    confirmed c
    received a 1#x /queue/q false
    received b 1#x /queue/q false
    received c 1#x /queue/q false
    acked b 1#x true]], "c is lost" },
  { "an ACK of all before a second copy", [[
    attempt a s 1 /queue/q
    attempt b s 2 /queue/q
    uncertain a
    confirmed b
    received a 1#x /queue/q false
    received b 1#x /queue/q false
    received a 1#x /queue/q false
    acked a 1#x true]] },
  { "a NACK of all before it", [[
    attempt a s 1 /queue/q
    attempt b s 2 /queue/q
    received a 1#x /queue/q false
    received b 1#x /queue/q false
    returned b 1#x true
    received a 2#x /queue/q true
    received b 2#x /queue/q true]] },
  { "another order", [[
    attempt a s 1 /queue/q
    attempt b s 2 /queue/q
    received b 1#x /queue/q false
    received a 1#x /queue/q false]], "a came to 1#x after number 2 of its stream" },
  { "another order of streams", [[
    attempt a s 1 /queue/q
    attempt b r 1 /queue/q
    received b 1#x /queue/q false
    received a 1#x /queue/q false]] },
  { "a message twice to one subscription of a topic", [[
    attempt a s 1 /topic/t
    received a 1#x /topic/t false
    received a 1#x /topic/t false]], "came twice" },
  { "a message to two subscriptions of a topic", [[
    attempt a s 1 /topic/t
    received a 1#x /topic/t false
    received a 1#y /topic/t false]] },
  { "a name of a message that is used twice", [[
    attempt a s 1 /queue/q
    attempt a s 2 /queue/q]], "attempted twice" },
}

-- `taken`: the broker takes each message at once.
local function verdict(text, exact, taken)
  local checker = checker_module.new {
    loses = function(destination) return destination:find("^/topic/") ~= nil end,
    exact = exact,
  }
  local seen = {}
  for line in text:gmatch("[^\n]+") do
    checker:line((line:match("^%s*(.*)$"):gsub(" ", "\t")))
    local attempted = line:match("attempt (%S+)")
    if attempted and taken and not seen[attempted] then
      seen[attempted] = true
      checker:event("taken", attempted)
    end
  end
  return checker:verdict()
end

describe("the checker", function()
  for _, case in ipairs(cases) do
    it((case[3] and "complains about " or "takes ") .. case[1], function()
      local well, numbers = verdict(case[2], true, true)
      assert.equal(case[3] == nil, well, table.concat(numbers.complaints, "; "))
      if case[3] then
        assert.equal(1, #numbers.complaints, table.concat(numbers.complaints, "; "))
        assert.truthy(numbers.complaints[1]:find(case[3], 1, true), numbers.complaints[1])
      end
    end)
  end

  it("complains about a RECEIPT for what the broker does not have", function()
    local well, numbers = verdict("attempt a s 1 /queue/q\nconfirmed a\nleft a", true)
    assert.is_false(well)
    assert.matches("the broker does not have it", numbers.complaints[1])
  end)

  it("lets two have a message where the broker cannot be asked", function()
    assert.is_true((verdict(
      "attempt a s 1 /queue/q\nreceived a 1#x /queue/q false\nreceived a 2#y /queue/q true")))
  end)

  it("counts", function()
    local _, numbers = verdict([[
attempt a s 1 /queue/q
attempt b s 2 /queue/q
attempt c s 3 /queue/q
confirmed a
confirmed b
received a 1#x /queue/q false
acked a 1#x
received c 1#x /queue/q true]])
    assert.equal(3, numbers.attempted)
    assert.equal(2, numbers.confirmed)
    assert.equal(2, numbers.received)
    assert.equal(1, numbers.acknowledged)
    assert.equal(1, numbers.lost)
    assert.equal(0, numbers.unexpected)
  end)

  it("refuses an event that it does not know", function()
    assert.error_matches(function() checker_module.new():line("nonsense\ta") end,
      "no such event: nonsense")
  end)
end)
