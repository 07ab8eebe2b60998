/* SPDX-License-Identifier: MIT
 *
 * The rules of the conversation as tables: who may send what in which state,
 * since which version a command exists, which headers it must have. The session
 * asks; the spec that walks all of it and docs/protocol.md show the same
 * tables. Knows session.h's enums only. */
#ifndef STOMP_SESSION_RULES_H
#define STOMP_SESSION_RULES_H

#include "session.h"

/* Whether this side may send the command in this state. */
bool stomp_rules_may_send(stomp_role role, stomp_state state,
                          stomp_command command);

/* Whether the command exists in the version (STOMP_UNSETTLED: yes). */
bool stomp_rules_has_command(stomp_version version, stomp_command command);

/* The `i`-th header that the command must have in the version, NULL after the
 * last. A constant. */
const char *stomp_rules_required(stomp_version version, stomp_command command,
                                 size_t i);

/* The header that may stand in for the first of them, NULL: none. A constant. */
const char *stomp_rules_instead(stomp_version version, stomp_command command);

/* One header more that the sender must give, NULL: none. A constant. */
const char *stomp_rules_required_sent(stomp_version version,
                                      stomp_command command);

#endif
