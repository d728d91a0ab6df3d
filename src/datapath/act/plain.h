// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_PLAIN_H
#define SLUICE_DATAPATH_PLAIN_H

#include "lcore.h"

// The quick way through a burst: packets whose flow is in the cache, decided under the rules in
// force, with a plain program (act_is_plain) are counted and put into their transmit buffer in one
// go; the others are left to take_programs and act.
//
// A flow's packets in one burst mostly share one entry, so all or none of them are taken: their
// order stays. Where all are taken (told without a branch for each) and go to one output, what
// concerns the output is done once; where all are of one flow, its counters too. Cost: one pass of
// about 25 instructions, of which a flow's counters and rate take one addition and one comparison.
// Thread safety: owner thread only.

// b: plain, b->entries as looked up, one for each packet; all_hit: none of them is NULL, and
// b->alike is of them;
// all_or_none: for bursts in which a flow may have several entries (classify/fields.h). Returns a
// bit for each packet that is done.
uint64_t act_plain(struct dp_worker *w, struct dp_burst *b, bool all_hit, bool all_or_none);

#endif
