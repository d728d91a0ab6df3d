// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_OBEY_H
#define SLUICE_DATAPATH_OBEY_H

#include "lcore.h"

// Carries out control's orders (datapath/order.h), a few in each loop. Thread safety: owner thread
// only.

uint32_t obey_orders(struct dp_worker *w);
// At the end of a loop: the move mode has been in force for a whole loop.
void obey_loop_end(struct dp_worker *w);

#endif
