// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_HINTS_H
#define SLUICE_CONTROL_HINTS_H

#include <jansson.h>

#include "flow/match.h"
#include "state.h"

// What VMs ask for their own flows (a VM may suggest, policy decides): a match and raise or
// lower. A hint holds for the flows that are known and for those to come, while its vport has
// `hints` on. Thread safety: owner thread only (control).

#define HINTS_PER_VM 64

// hint: +1 or -1; 0 takes the one with this match away. -ENOSPC, -ENOENT. followed, refused: known
// flows that match, on vports that follow hints and on those that do not.
int hints_set(struct control *c, uint16_t vm, const struct flow_match *match, int8_t hint,
	uint32_t *followed, uint32_t *refused, struct sl_err *err);
// A flow became known, or has got another VM.
void hints_flow(struct control *c, uint32_t id);
// A configuration comes into force: the hints of VMs that have no port in it are forgotten (their
// places in the list of VMs are given to others). Before c->cfg is next.
void hints_keep(struct control *c, const struct config *next);
// The vports' settings changed: what holds for each known flow is found anew.
void hints_again(struct control *c);
json_t *hints_json(struct control *c, uint16_t vm);
void hints_fini(struct control *c);

#endif
