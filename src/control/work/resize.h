// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_RESIZE_H
#define SLUICE_CONTROL_RESIZE_H

#include "state.h"

// Another number of flows in the workers' caches (datapath/resize.h), as a reload asks for it:
// prepared in the half that can fail, ordered in the other one, and looked after from the loop.
// Thread safety: owner thread only (control).

// -ENOMEM, -EINVAL, -EBUSY.
int resize_prepare(struct control *c, uint32_t flows, struct sl_err *err);
void resize_cancel(struct control *c);
void resize_begin(struct control *c);
// From the loop's tick.
void resize_run(struct control *c);
// Do entries go from one cache to another? What is asked of workers' caches waits meanwhile.
bool resize_under_way(const struct control *c);

#endif
