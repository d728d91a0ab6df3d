// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_ANSWER_H
#define SLUICE_CONTROL_ANSWER_H

#include <jansson.h>

#include "state.h"

// Small pieces that several commands share: arguments, names, and the objects of an answer.
// Thread safety: owner thread only (control).

const char *arg_str(const json_t *args, const char *name); // NULL: not given
int64_t arg_int(const json_t *args, const char *name, int64_t otherwise);
bool arg_bool(const json_t *args, const char *name);

// The switch that args names, or the only one. -ENOENT, -EINVAL.
int arg_switch(const struct control *c, const json_t *args, struct sl_err *err);
struct control_vport *arg_port(struct control *c, const json_t *args, struct sl_err *err); // "port"
struct control_vport *find_port(struct control *c, const char *name);
int find_vm(const struct control *c, const char *name); // index or -ENOENT
int find_nic(const struct control *c, const char *name);
int find_class(const struct control *c, const char *name);
const char *port_name(const struct control *c, uint16_t vport); // "-" for none
const char *vm_name(const struct control *c, int vm);

// Key and lists as text (new references).
json_t *json_rule_match(const struct control *c, const struct config_rule *r); // all of it
json_t *json_match(const struct control *c, uint16_t sw, const struct flow_match *m);
json_t *json_actions(const struct control *c, uint16_t sw, const struct flow_actions *a);
json_t *json_key(const struct control *c, const struct flow_key *key);
json_t *json_place(
	const struct control *c, const struct offload_place *place); // queue name or null

// A rate and its burst as configured; null: none.
json_t *json_rate(uint64_t rate_bps, uint64_t burst_bytes);
// {"items": items}; steals items; total is added where it is above the number of items.
json_t *json_items(json_t *items, uint64_t total);

#endif
