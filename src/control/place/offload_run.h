// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_OFFLOAD_RUN_H
#define SLUICE_CONTROL_OFFLOAD_RUN_H

#include "state.h"

// Feeds the brain (lib/offload) with what workers and NICs say, and carries its orders to the
// mover. Thread safety: owner thread only (control).

// Events of the workers; true when a MAC was learned or aged.
bool offload_run_events(struct control *c);
// Answers of the NICs' executors.
void offload_run_answers(struct control *c);
// Counters of placements (at its own pace), the brain's tick, its orders.
void offload_run_tick(struct control *c);
// Until the next tick: tick_ms, or a quarter of it while flows come and go, since many are over
// before they are heard of otherwise. placing_ns: when something was last heard or ordered.
uint64_t offload_run_tick_ns(const struct config *cfg, uint64_t placing_ns, uint64_t now);
uint64_t offload_run_pause(const struct control *c);
// Rules, ports or MACs have changed and are published: every known flow is decided anew; lanes have
// the new program when this returns (the caller publishes once more before it answers);
// contradicted embedded-switch rules are on their way out.
void offload_run_redecide(struct control *c);
// What the rules in force say of a flow. dscp: of its packets, OFFLOAD_NO_DSCP: not known. *prog:
// what it was compiled to, with the rules that decided.
void offload_run_decide(struct control *c, const struct flow_key *key, uint8_t dscp,
	struct offload_decision *out, struct dp_program *prog);
// policy_run.c: the policy rules and the VMs' limits of the config in force. 0 or -ENOMEM.
int offload_run_policy(struct control *c);
// The brain's settings from a config.
struct offload_cfg offload_run_cfg(const struct config *cfg, uint32_t workers);

#endif
