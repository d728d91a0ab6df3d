// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_CLASSIFY_FIELDS_H
#define SLUICE_DATAPATH_CLASSIFY_FIELDS_H

#include "lcore.h"

// Cache look-up in a switch where some rule reads a per-packet field (DSCP, TTL, TCP flags,
// fragment, PCP).
//
// Problem: two packets of a flow that differ in a field that the decision depends on must not share
// it; but only a few flows can reach such a rule, and a key with that field would split all the
// others too. Idea: a packet is looked up by its bare key first, that is without per-packet fields.
// The entry that is there is the decision for packets in which they are all 0, and names the fields
// that decisions on this flow depend on (program.fields, the same for all its packets; see
// rules_lookup). When the packet has one of them, it is looked up again by its key with these, and
// no other, fields. A bare entry may have had no packet: it is not shown as a flow. Mostly no flow
// of a burst depends on a field: so it is first taken as if no rule of the switch read one, and
// where that was in vain, the next bursts are not.
//
// Cost: a burst without such flows, three instructions a packet; else two masked copies of a key,
// the second look-up only for packets that have a field that they depend on. Thread safety: owner
// thread only.

// Are all packets, looked up by their bare keys, in entries that depend on no field?
bool fields_none(const struct dp_worker *w, const struct dp_burst *b);

// b->keys hold every field that a rule of the switch reads. Afterwards they, hashes and entries are
// those of the decision. Returns whether all are in the cache.
bool fields_lookup(struct dp_worker *w, struct dp_burst *b, uint16_t n);

#endif
