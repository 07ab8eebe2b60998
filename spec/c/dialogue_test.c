/* SPDX-License-Identifier: MIT
 *
 * A client and a server connection joined in memory talk through every legal
 * dialogue of so many moves; before each move every illegal one is tried, and
 * must be refused with its name, leaving no octet and no trace; and each frame
 * that the peer may not send ends the connection. What is legal
 * and what comes of it is told by a second, simpler account of the protocol
 * (the model below), which knows nothing of src/core. */
#include "core/connection.h"
#include "check.h"

/* ---- The moves ---- */

/* clang-format off */
#define MOVES(X) \
  X(CONNECT) X(ACCEPT) X(REFUSE) X(SUBSCRIBE_AUTO) X(SUBSCRIBE_CLIENT) \
  X(SUBSCRIBE_EACH) X(UNSUBSCRIBE) X(SEND) X(SEND_RECEIPT) X(BEGIN) \
  X(COMMIT) X(ABORT) X(SEND_IN_T) X(ACK_1) X(NACK_1) X(ACK_2) X(ACK_1_IN_T) \
  X(DISCONNECT) X(MESSAGE) X(RECEIPT) X(LAST_RECEIPT) X(ERROR) \
  X(CLIENT_CLOSE) X(SERVER_CLOSE) X(TO_SERVER) X(TO_CLIENT)
/* clang-format on */

typedef enum action {
#define X(name) DO_##name,
  MOVES(X)
#undef X
    MOVE_COUNT
} action;

static const char *const move_names[] = {
#define X(name) #name,
  MOVES(X)
#undef X
};

#define QUEUE 16
#define END   STOMP_COMMAND_COUNT       /* in a queue: the bytes end */
#define LAST  (STOMP_COMMAND_COUNT + 1) /* RECEIPT of DISCONNECT */

/* ---- The model ---- */

typedef struct message {
  bool here; /* the client has it */
  stomp_ack_mode mode;
  bool foreign;   /* of a subscription that is over */
  bool settled;   /* for good */
  bool tentative; /* in the open transaction */
} message;

typedef struct side {
  stomp_state state;
  bool clean, end_sent;
  int queue[QUEUE]; /* what is under way to it */
  size_t n_queue;
} side;

typedef struct model {
  stomp_version version;
  bool websocket, delayed;
  side client, server;
  stomp_ack_mode mode; /* STOMP_ACK_NONE: not subscribed */
  bool open;           /* transaction t */
  bool receipt;        /* r is outstanding */
  message messages[2];
  size_t n_sent; /* messages sent by the server */
} model;

static void post(side *to, int what) {
  if (to->n_queue < QUEUE)
    to->queue[to->n_queue++] = what;
}

/* ---- What a client's move must come to ---- */

static stomp_status client_may(const model *m, stomp_version since) {
  if (m->client.state == STOMP_STATE_CLOSED)
    return STOMP_CCLOSED;
  if (m->client.state != STOMP_STATE_CONNECTED)
    return STOMP_ISTATE;
  return m->version < since ? STOMP_IVERSION : STOMP_OK;
}

static stomp_status expect_ack(const model *m, size_t i, bool nack,
                               bool in_transaction) {
  const message *a = &m->messages[i];
  if (a->mode == STOMP_ACK_AUTO)
    return STOMP_IACKAUTO;
  if (a->foreign || a->mode == STOMP_ACK_NONE)
    return STOMP_IUNKNOWN;
  if (a->settled || a->tentative)
    return STOMP_IACKTWICE;
  if (in_transaction && !m->open)
    return STOMP_IUNKNOWN;
  return client_may(m, nack ? STOMP_1_1 : STOMP_1_0);
}

static stomp_status expect_client(const model *m, action move) {
  stomp_status may = client_may(m, STOMP_1_0);
  switch (move) {
    case DO_CONNECT:
      return m->client.state == STOMP_STATE_IDLE ? STOMP_OK : STOMP_ISTATE;
    case DO_SUBSCRIBE_AUTO:
    case DO_SUBSCRIBE_CLIENT:
    case DO_SUBSCRIBE_EACH:
      return may == STOMP_OK && m->mode ? STOMP_IDUPLICATE : may;
    case DO_UNSUBSCRIBE:
      return may == STOMP_OK && !m->mode ? STOMP_IUNKNOWN : may;
    case DO_SEND_RECEIPT:
      return may == STOMP_OK && m->receipt ? STOMP_IDUPLICATE : may;
    case DO_BEGIN: return may == STOMP_OK && m->open ? STOMP_IDUPLICATE : may;
    case DO_COMMIT:
    case DO_ABORT:
    case DO_SEND_IN_T:
      return may == STOMP_OK && !m->open ? STOMP_IUNKNOWN : may;
    case DO_ACK_1: return expect_ack(m, 0, false, false);
    case DO_NACK_1: return expect_ack(m, 0, true, false);
    case DO_ACK_2: return expect_ack(m, 1, false, false);
    case DO_ACK_1_IN_T: return expect_ack(m, 0, false, true);
    default: return may;
  }
}

static stomp_status expect_server(const model *m, action move) {
  stomp_state s = m->server.state;
  if (move == DO_ACCEPT)
    return s == STOMP_STATE_CONNECTING ? STOMP_OK : STOMP_ISTATE;
  if (move == DO_REFUSE)
    return s == STOMP_STATE_CLOSED ? STOMP_ISTATE : STOMP_OK;
  if (s == STOMP_STATE_CLOSED)
    return STOMP_CCLOSED;
  if (move == DO_ERROR)
    return STOMP_OK;
  return s == STOMP_STATE_CONNECTED || s == STOMP_STATE_DISCONNECTING
           ? STOMP_OK
           : STOMP_ISTATE;
}

/* Whether the move makes sense at all: there is something to do it with. */
static bool exists(const model *m, action move) {
  switch (move) {
    case DO_ACK_1:
    case DO_NACK_1:
    case DO_ACK_1_IN_T: return m->messages[0].here;
    case DO_ACK_2: return m->messages[1].here;
    case DO_MESSAGE: return m->n_sent < 2;
    case DO_CLIENT_CLOSE: return m->client.state != STOMP_STATE_CLOSED;
    case DO_SERVER_CLOSE: return m->server.state != STOMP_STATE_CLOSED;
    /* a client that has said DISCONNECT too early closes: its own vectors */
    case DO_DISCONNECT: return m->client.state >= STOMP_STATE_CONNECTED;
    case DO_TO_SERVER: return m->delayed && m->server.n_queue > 0;
    case DO_TO_CLIENT: return m->delayed && m->client.n_queue > 0;
    /* over WebSocket nothing is said before the upgrade */
    case DO_REFUSE:
    case DO_ERROR: return !m->websocket || m->server.state != STOMP_STATE_IDLE;
    default: return true;
  }
}

/* ---- What a move changes ---- */

static void finish(side *s, bool clean) {
  if (s->state != STOMP_STATE_CLOSED) {
    s->state = STOMP_STATE_CLOSED;
    s->clean = clean;
  }
}

static void settle(model *m, size_t i, bool tentative) {
  size_t k = m->messages[i].mode == STOMP_ACK_CLIENT ? 0 : i;
  for (; k <= i; k++)
    if (tentative)
      m->messages[k].tentative = true;
    else
      m->messages[k].settled = true;
}

static void end_transaction(model *m, bool commit) {
  size_t i;
  m->open = false;
  for (i = 0; i < 2; i++) {
    if (m->messages[i].tentative && commit)
      m->messages[i].settled = true;
    m->messages[i].tentative = false;
  }
}

static void change_client(model *m, action move) {
  static const stomp_command commands[MOVE_COUNT] = {
    [DO_CONNECT] = STOMP_CONNECT_COMMAND,
    [DO_SUBSCRIBE_AUTO] = STOMP_SUBSCRIBE_COMMAND,
    [DO_SUBSCRIBE_CLIENT] = STOMP_SUBSCRIBE_COMMAND,
    [DO_SUBSCRIBE_EACH] = STOMP_SUBSCRIBE_COMMAND,
    [DO_UNSUBSCRIBE] = STOMP_UNSUBSCRIBE_COMMAND,
    [DO_SEND] = STOMP_SEND_COMMAND,
    [DO_SEND_RECEIPT] = STOMP_SEND_COMMAND,
    [DO_BEGIN] = STOMP_BEGIN_COMMAND,
    [DO_COMMIT] = STOMP_COMMIT_COMMAND,
    [DO_ABORT] = STOMP_ABORT_COMMAND,
    [DO_SEND_IN_T] = STOMP_SEND_COMMAND,
    [DO_ACK_1] = STOMP_ACK_COMMAND,
    [DO_NACK_1] = STOMP_NACK_COMMAND,
    [DO_ACK_2] = STOMP_ACK_COMMAND,
    [DO_ACK_1_IN_T] = STOMP_ACK_COMMAND,
    [DO_DISCONNECT] = STOMP_DISCONNECT_COMMAND,
  };
  size_t i;
  if (move == DO_CLIENT_CLOSE) {
    finish(&m->client, true);
    return;
  }
  post(&m->server, (int)commands[move]);
  switch (move) {
    case DO_CONNECT: m->client.state = STOMP_STATE_CONNECTING; break;
    case DO_SUBSCRIBE_AUTO: m->mode = STOMP_ACK_AUTO; break;
    case DO_SUBSCRIBE_CLIENT: m->mode = STOMP_ACK_CLIENT; break;
    case DO_SUBSCRIBE_EACH: m->mode = STOMP_ACK_INDIVIDUAL; break;
    case DO_UNSUBSCRIBE:
      m->mode = STOMP_ACK_NONE;
      for (i = 0; i < 2; i++)
        m->messages[i].foreign |= m->messages[i].here;
      break;
    case DO_SEND_RECEIPT: m->receipt = true; break;
    case DO_BEGIN: m->open = true; break;
    case DO_COMMIT: end_transaction(m, true); break;
    case DO_ABORT: end_transaction(m, false); break;
    case DO_ACK_1:
    case DO_NACK_1: settle(m, 0, false); break;
    case DO_ACK_2: settle(m, 1, false); break;
    case DO_ACK_1_IN_T: settle(m, 0, true); break;
    case DO_DISCONNECT: m->client.state = STOMP_STATE_DISCONNECTING; break;
    default: break;
  }
}

static void change_server(model *m, action move) {
  switch (move) {
    case DO_ACCEPT:
      m->server.state = STOMP_STATE_CONNECTED;
      post(&m->client, STOMP_CONNECTED_COMMAND);
      break;
    case DO_MESSAGE:
      m->n_sent++;
      post(&m->client, STOMP_MESSAGE_COMMAND);
      break;
    case DO_RECEIPT: post(&m->client, STOMP_RECEIPT_COMMAND); break;
    case DO_LAST_RECEIPT: post(&m->client, LAST); break;
    case DO_REFUSE:
    case DO_ERROR:
      post(&m->client, STOMP_ERROR_COMMAND);
      finish(&m->server, true);
      break;
    default: finish(&m->server, true); break; /* SERVER_CLOSE */
  }
}

/* ---- What arrives ---- */

/* The bytes end at this side. */
static void take_end(side *s) {
  finish(s, s->state == STOMP_STATE_DISCONNECTING);
}

static void client_takes(model *m, int what) {
  size_t i;
  if (what == END) {
    take_end(&m->client);
  } else if (m->client.state == STOMP_STATE_IDLE) {
    finish(&m->client, false); /* a server that speaks first */
  } else if (what == STOMP_CONNECTED_COMMAND) {
    m->client.state = STOMP_STATE_CONNECTED;
  } else if (what == STOMP_ERROR_COMMAND) {
    finish(&m->client, false);
  } else if (what == STOMP_MESSAGE_COMMAND) {
    i = m->messages[0].here ? 1 : 0;
    m->messages[i].here = true;
    m->messages[i].mode = m->mode;
  } else if (what == STOMP_RECEIPT_COMMAND) {
    m->receipt = false;
  } else if (what == LAST && m->client.state == STOMP_STATE_DISCONNECTING) {
    finish(&m->client, true);
  }
}

static void server_takes(model *m, int what) {
  if (what == END)
    take_end(&m->server);
  else if (what == STOMP_CONNECT_COMMAND)
    m->server.state = STOMP_STATE_CONNECTING;
  else if (what == STOMP_DISCONNECT_COMMAND)
    m->server.state = STOMP_STATE_DISCONNECTING;
}

#include "dialogue_world.h"

/* ---- All of it ---- */

typedef struct walk {
  model start;
  action path[16];
  size_t depth;
  unsigned long dialogues, refusals, intrusions;
} walk;

static void say_path(const walk *w, size_t n, const char *what) {
  size_t i;
  fprintf(stderr, "%s at %s%s%s:", what, stomp_version_name(w->start.version),
          w->start.websocket ? " websocket" : "",
          w->start.delayed ? " delayed" : "");
  for (i = 0; i < n; i++)
    fprintf(stderr, " %s", move_names[w->path[i]]);
  fprintf(stderr, "\n");
}

/* Begin anew and go the path so far. */
static void replay(const walk *w, size_t n, world *world_) {
  size_t i;
  world_open(world_, &w->start);
  for (i = 0; i < n; i++)
    world_move(world_, w->path[i]);
}

static bool is_legal(const model *m, action move) {
  return exists(m, move) && world_expects(m, move) == STOMP_OK;
}

/* Each frame that the peer may not send now, each in a dialogue of its own. (In
 * so many moves every state is reached.) */
static void intrude(walk *w, size_t n) {
  unsigned long failures = check_failures;
  int to_client;
  stomp_command command;
  world world_;
  if (w->start.websocket || w->start.delayed || n > 4)
    return;
  for (to_client = 0; to_client < 2; to_client++)
    for (command = 0; command < STOMP_COMMAND_COUNT; command++) {
      bool closed;
      replay(w, n, &world_);
      closed = (to_client ? world_.model.client.state
                          : world_.model.server.state) == STOMP_STATE_CLOSED;
      if (closed || !world_may_come(&world_.model, to_client, command)) {
        world_intrudes(&world_, to_client, command);
        w->intrusions++;
      }
      world_close(&world_);
      if (check_failures != failures) {
        say_path(w, n, stomp_command_name(command));
        return;
      }
    }
}

/* From here on by every legal move; the illegal ones are tried on the way. */
static void go(walk *w, size_t n) {
  unsigned long failures = check_failures;
  world world_;
  model here;
  action move;
  replay(w, n, &world_);
  for (move = 0; move < MOVE_COUNT; move++)
    if (exists(&world_.model, move) && !is_legal(&world_.model, move)) {
      w->path[n] = move;
      world_refuses(&world_, move);
      w->refusals++;
    }
  here = world_.model;
  world_close(&world_);
  w->dialogues++;
  intrude(w, n);
  if (check_failures != failures) {
    say_path(w, n + 1, "wrong");
    return;
  }
  if (n == w->depth)
    return;
  for (move = 0; move < MOVE_COUNT; move++)
    if (is_legal(&here, move)) {
      w->path[n] = move;
      go(w, n + 1);
    }
}

static void walk_all(stomp_version version, bool websocket, bool delayed,
                     size_t depth) {
  walk w = {
    .start = { .version = version, .websocket = websocket, .delayed = delayed },
    .depth = depth
  };
  go(&w, 0);
  CHECK(w.dialogues > 1000);
  CHECK(websocket || delayed || w.intrusions > 1000);
  printf("%s%s%s, up to %zu moves: %lu dialogues, %lu moves refused, "
         "%lu frames out of turn\n",
         stomp_version_name(version), websocket ? " over WebSocket" : "",
         delayed ? ", frames cross" : "", depth, w.dialogues, w.refusals,
         w.intrusions);
}

int main(void) {
  stomp_version version;
  for (version = STOMP_1_0; version <= STOMP_1_2; version++)
    walk_all(version, false, false, 6);
  walk_all(STOMP_1_2, true, false, 6);
  walk_all(STOMP_1_2, false, false, 7);
  walk_all(STOMP_1_2, false, true, 8);
  return check_result("dialogue_test");
}
