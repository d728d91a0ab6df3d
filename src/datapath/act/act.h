// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_ACT_H
#define SLUICE_DATAPATH_ACT_H

#include "lcore.h"

// The last stage of a burst: carries out the program of each packet, counts rules and places.
// Thread safety: owner thread only.

void act(struct dp_worker *w, struct dp_burst *b);
// A burst of one packet by the way of those that are nothing special, so that out/output.c sees it.
// count: rules and places.
void act_traced(struct dp_worker *w, struct dp_burst *b, bool count);

#endif
