-- SPDX-License-Identifier: MIT
-- Loaded by busted before the specs: nothing is printed late, a process that is
-- killed has said what it did.
io.stdout:setvbuf("line")
