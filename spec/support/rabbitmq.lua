-- SPDX-License-Identifier: MIT
-- The RabbitMQ that `make test` started for the specs tagged #broker.
local url = os.getenv("STOMP_TEST_BROKER")

return {
  --- Its URL; raises where there is none: such a spec must not pass unseen.
  url = function()
    return url or error("no RabbitMQ: run the specs by `make test`, or set STOMP_TEST_BROKER", 0)
  end,
  --- Run its rabbitmqctl; what it says. Raises where it fails.
  ctl = function(arguments)
    local dir = os.getenv("STOMP_TEST_BROKER_DIR") or error("set STOMP_TEST_BROKER_DIR", 0)
    local pipe = assert(io.popen(("tools/rabbitmq.sh ctl '%s' %s 2>&1; echo status=$?"):format(dir, arguments)))
    local text = pipe:read("*a")
    pipe:close()
    assert(text:match("status=(%d+)%s*$") == "0", text)
    return text
  end,
  --- The port of STOMP over TCP.
  tcp_port = function()
    local directory = os.getenv("STOMP_TEST_BROKER_DIR") or error("no RabbitMQ: set STOMP_TEST_BROKER_DIR", 0)
    local file = assert(io.open(directory .. "/rabbitmq.conf"))
    local text = file:read("*a")
    file:close()
    return tonumber(text:match("stomp%.listeners%.tcp%.1 = [^:]*:(%d+)"))
  end,
  login = "guest",
  passcode = "guest",
}
