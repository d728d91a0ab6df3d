// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_ACT_H
#define SLUICE_DATAPATH_ACT_H

#include "lcore.h"

// The last stage of a burst: carries out the program of each packet, counts rules and places.
// Thread safety: owner thread only.

void act(struct dp_worker *w, struct dp_burst *b);

#endif
