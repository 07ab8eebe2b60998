/* SPDX-License-Identifier: MIT
 *
 * The tables that protocol.c finds in protocol_codec.c: each prints markdown. */
#ifndef PROTOCOL_TABLES_H
#define PROTOCOL_TABLES_H

void print_escapes(void);
void print_unescapes(void);
void print_lengths(void);
void print_beats(void);

#endif
