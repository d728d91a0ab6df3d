// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_STORE_H
#define SLUICE_DATAPATH_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/action.h"

// The action lists of a worker's GENERAL programs, each stored once.
//
// Problem: a list does not fit beside a flow's counters, and most flows share a few of them.
// Idea: a fixed table of lists with a hash over it; a program holds the number. Nothing is counted
// or freed one by one: when the table is full it starts anew as a whole, and the worker's
// generation moves, so that every flow is decided again at its next packet and brings back the
// lists that are still in use. Refuses: to start anew more than once in a while (STORE_PAUSE), as
// endless new lists would re-decide all flows all the time; the decision is then carried out
// without being stored. Thread safety: owner thread only.

#define STORE_LISTS 4096
#define STORE_PAUSE 8 // ticks between two new starts

struct dp_store;

struct dp_store *dp_store_new(int socket_id, uint64_t seed);
void dp_store_free(struct dp_store *s);
// The number of the list, or -1 when the table is full.
int dp_store_put(struct dp_store *s, const struct flow_actions *list);
const struct flow_actions *dp_store_get(const struct dp_store *s, uint16_t number);
// Empties the table. False: it did so less than STORE_PAUSE ticks ago.
bool dp_store_restart(struct dp_store *s, uint32_t tick);

#endif
