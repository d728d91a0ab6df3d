// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_RESIZE_STEP_H
#define SLUICE_DATAPATH_RESIZE_STEP_H

#include "lcore.h"

// The worker's part of datapath/resize.h. Thread safety: owner thread only (the worker).

// The order has come.
void resize_switch(struct dp_worker *w);
// A bounded step, once in each loop while w->resize.moving. Returns whether there was something to
// do.
bool resize_step(struct dp_worker *w);

#endif
