// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_MOVER_H
#define SLUICE_CONTROL_MOVER_H

#include "state.h"

// Carries out the brain's orders: rules through the NICs' executors, and around moves between
// queues the workers' order of polling, so that no packet of a flow is overtaken.
//
// Moves between host queues go in batches of one direction, for all workers at once:
//   enter   the workers poll in that direction's order (datapath/order.h) and say so
//   work    the executors make (or unmake) the batch's rules
//   leave   one more loop in that order: what lay in the old queues is handled; then normal order
//   again
// Moves to and from the embedded switch need no such step and go straight to the executor.
// Thread safety: owner thread only (control).

struct mover;

int mover_new(struct mover **out);
void mover_free(struct mover *m);

void mover_order(struct control *c, const struct offload_order *order);
// An executor's answer (freed here).
void mover_answer(struct control *c, struct nic_job *job);
// Goes on where it can. Call every tick and after answers.
void mover_run(struct control *c);
// The NIC is out of use: its orders that wait are forgotten, and so are answers that are not told
// yet; what was made by then counts as placed. The executor's are failover/evict.h's.
void mover_nic_out(struct control *c, uint16_t nic);
// Orders and answers that are under way.
uint32_t mover_pending(const struct control *c);

// The driver said that the NIC is gone.
void mover_nic_gone(struct control *c, struct nic *nic, const char *text);

// The rule that carries a placed flow, and the ethdev that it is made on.
struct placement;
int mover_rule(const struct control *c, const struct offload_flow_view *f,
	const struct placement *pl, uint16_t *ethdev, struct translate_rule *out,
	struct sl_err *err);

#endif
