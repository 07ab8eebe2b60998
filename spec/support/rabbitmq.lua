-- SPDX-License-Identifier: MIT
-- The RabbitMQ that `make test` started for the specs tagged #broker.
local url = os.getenv("STOMP_TEST_BROKER")

return {
  --- Its URL; raises where there is none: such a spec must not pass unseen.
  url = function()
    return url or error("no RabbitMQ: run the specs by `make test`, or set STOMP_TEST_BROKER", 0)
  end,
  login = "guest",
  passcode = "guest",
}
