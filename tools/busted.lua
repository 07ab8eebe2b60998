-- SPDX-License-Identifier: MIT
-- busted in this very process: sanitizers and valgrind must see the interpreter
-- that loads our modules, and Debian's `busted` is a script that starts another.
require "busted.runner" { standalone = false }
