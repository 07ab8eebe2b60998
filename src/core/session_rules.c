/* SPDX-License-Identifier: MIT
 *
 * The tables of session_rules.h. All that is not named is false. */
#include "session_rules.h"

/* clang-format off */

/* STOMP 1.2, "Client Frames": CONNECT only at the beginning, nothing after
 * DISCONNECT. */
static const bool client_may[STOMP_STATE_COUNT][STOMP_COMMAND_COUNT] = {
  [STOMP_STATE_IDLE] = { [STOMP_CONNECT_COMMAND] = true,
                         [STOMP_STOMP_COMMAND] = true },
  [STOMP_STATE_CONNECTED] = { [STOMP_SEND_COMMAND] = true,
                              [STOMP_SUBSCRIBE_COMMAND] = true,
                              [STOMP_UNSUBSCRIBE_COMMAND] = true,
                              [STOMP_ACK_COMMAND] = true,
                              [STOMP_NACK_COMMAND] = true,
                              [STOMP_BEGIN_COMMAND] = true,
                              [STOMP_COMMIT_COMMAND] = true,
                              [STOMP_ABORT_COMMAND] = true,
                              [STOMP_DISCONNECT_COMMAND] = true },
};

/* STOMP 1.2, "Server Frames". DISCONNECTING: the client's DISCONNECT is under
 * way or here; frames sent before it may still be answered. */
static const bool server_may[STOMP_STATE_COUNT][STOMP_COMMAND_COUNT] = {
  [STOMP_STATE_IDLE] = { [STOMP_ERROR_COMMAND] = true },
  [STOMP_STATE_CONNECTING] = { [STOMP_CONNECTED_COMMAND] = true,
                               [STOMP_ERROR_COMMAND] = true },
  [STOMP_STATE_CONNECTED] = { [STOMP_MESSAGE_COMMAND] = true,
                              [STOMP_RECEIPT_COMMAND] = true,
                              [STOMP_ERROR_COMMAND] = true },
  [STOMP_STATE_DISCONNECTING] = { [STOMP_MESSAGE_COMMAND] = true,
                                  [STOMP_RECEIPT_COMMAND] = true,
                                  [STOMP_ERROR_COMMAND] = true },
};

/* In which version each command came; 1.0 where nothing stands. */
static const stomp_version since[STOMP_COMMAND_COUNT] = {
  [STOMP_STOMP_COMMAND] = STOMP_1_1,
  [STOMP_NACK_COMMAND] = STOMP_1_1,
};

#define MOST_REQUIRED 2

typedef struct requirement { const char *names[MOST_REQUIRED]; } requirement;

/* By command, then version (STOMP 1.2, "Frames and Headers"). */
static const requirement required[STOMP_COMMAND_COUNT][STOMP_1_2 + 1] = {
  [STOMP_SEND_COMMAND] = { [STOMP_1_0] = { { "destination" } },
                           [STOMP_1_1] = { { "destination" } },
                           [STOMP_1_2] = { { "destination" } } },
  [STOMP_SUBSCRIBE_COMMAND] = { [STOMP_1_0] = { { "destination" } },
                                [STOMP_1_1] = { { "destination", "id" } },
                                [STOMP_1_2] = { { "destination", "id" } } },
  [STOMP_UNSUBSCRIBE_COMMAND] = { [STOMP_1_0] = { { "id" } },
                                  [STOMP_1_1] = { { "id" } },
                                  [STOMP_1_2] = { { "id" } } },
  [STOMP_ACK_COMMAND] = { [STOMP_1_0] = { { "message-id" } },
                          [STOMP_1_1] = { { "message-id", "subscription" } },
                          [STOMP_1_2] = { { "id" } } },
  [STOMP_NACK_COMMAND] = { [STOMP_1_1] = { { "message-id", "subscription" } },
                           [STOMP_1_2] = { { "id" } } },
  [STOMP_BEGIN_COMMAND] = { [STOMP_1_0] = { { "transaction" } },
                            [STOMP_1_1] = { { "transaction" } },
                            [STOMP_1_2] = { { "transaction" } } },
  [STOMP_COMMIT_COMMAND] = { [STOMP_1_0] = { { "transaction" } },
                             [STOMP_1_1] = { { "transaction" } },
                             [STOMP_1_2] = { { "transaction" } } },
  [STOMP_ABORT_COMMAND] = { [STOMP_1_0] = { { "transaction" } },
                            [STOMP_1_1] = { { "transaction" } },
                            [STOMP_1_2] = { { "transaction" } } },
  [STOMP_MESSAGE_COMMAND] = { [STOMP_1_0] = { { "destination", "message-id" } },
                              [STOMP_1_1] = { { "destination", "message-id" } },
                              [STOMP_1_2] = { { "destination", "message-id" } } },
  [STOMP_RECEIPT_COMMAND] = { [STOMP_1_0] = { { "receipt-id" } },
                              [STOMP_1_1] = { { "receipt-id" } },
                              [STOMP_1_2] = { { "receipt-id" } } },
};

/* What may stand in for the first of them. */
static const char *const instead[STOMP_COMMAND_COUNT][STOMP_1_2 + 1] = {
  [STOMP_UNSUBSCRIBE_COMMAND] = { [STOMP_1_0] = "destination" },
};

/* What the sender must give too, but is not missed when it does not come:
 * RabbitMQ leaves `subscription` out of a MESSAGE where SUBSCRIBE had no id. */
static const char *const required_sent[STOMP_COMMAND_COUNT][STOMP_1_2 + 1] = {
  [STOMP_MESSAGE_COMMAND] = { [STOMP_1_1] = "subscription",
                              [STOMP_1_2] = "subscription" },
};

/* clang-format on */

bool stomp_rules_may_send(stomp_role role, stomp_state state,
                          stomp_command command) {
  if (command >= STOMP_COMMAND_COUNT || state >= STOMP_STATE_COUNT)
    return false;
  return role == STOMP_CLIENT ? client_may[state][command]
                              : server_may[state][command];
}

bool stomp_rules_has_command(stomp_version version, stomp_command command) {
  if (command >= STOMP_COMMAND_COUNT)
    return false;
  return version == STOMP_UNSETTLED || version >= since[command];
}

const char *stomp_rules_required(stomp_version version, stomp_command command,
                                 size_t i) {
  if (command >= STOMP_COMMAND_COUNT || i >= MOST_REQUIRED)
    return NULL;
  return required[command][version].names[i];
}

const char *stomp_rules_instead(stomp_version version, stomp_command command) {
  return command < STOMP_COMMAND_COUNT ? instead[command][version] : NULL;
}

const char *stomp_rules_required_sent(stomp_version version,
                                      stomp_command command) {
  return command < STOMP_COMMAND_COUNT ? required_sent[command][version] : NULL;
}
