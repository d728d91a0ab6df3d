// SPDX-License-Identifier: BSD-3-Clause
// What the configuration says of placement, told to the brain.
#include "place/offload_run.h"

#include <assert.h>
#include <string.h>

#include "offload/policy.h"
#include "offload/vm.h"

static void
policy_from(const struct config_policy *p, struct offload_policy *out)
{
	offload_policy_init(out);
	memcpy(out->name, p->name, sizeof(out->name));
	out->has_match = p->has_match;
	out->match = p->match;
	out->vm = p->vm < 0 ? OFFLOAD_NONE : (uint16_t)p->vm;
	out->vport = p->vport < 0 ? OFFLOAD_NONE : (uint16_t)p->vport;
	out->cls = p->cls;
	out->priority = p->priority == CONFIG_ANY_LEVEL ? -1 : p->priority;
	out->hint = p->hint == CONFIG_HINT_RAISE ? 1 : p->hint == CONFIG_HINT_LOWER ? -1 : 0;
	out->min_bps = p->min_bps;
	out->max_bps = p->max_bps;
	out->min_kbps = (uint32_t)(p->min_limit_bps / 1000);
	out->max_kbps = (uint32_t)(p->max_limit_bps / 1000);
	out->scale = (uint8_t)p->scale;
	out->min_age_ns = p->min_age_ms * (uint64_t)SL_NS_PER_MS;
	out->max_age_ns = p->max_age_ms * (uint64_t)SL_NS_PER_MS;
	out->dscp = p->dscp;
	out->dscp_raise = p->dscp_raise;
	out->dscp_lower = p->dscp_lower;
	out->n_places = p->n_places;
	memcpy(out->places, p->places, sizeof(out->places));
	out->share = (uint8_t)p->share;
	out->heavy_bps = p->heavy_bps;
	out->light_bps = p->light_bps;
	out->least_bps = p->least_bps;
	out->no_hints = !p->hints;
	out->strict_order = p->strict_order;
	out->queue_first = p->queue_first;
	out->queue_last = p->queue_last;
	out->queues_owned = p->own_queues;
	out->max_queues = p->max_queues;
	out->max_entries = p->max_entries;
	out->max_inserts = p->max_inserts;
	out->share_ratio_pct = p->share_ratio_pct;
}

static struct offload_vm_limits
limits_from(const struct config_vm *vm)
{
	return (struct offload_vm_limits){.min_queues = vm->min_queues,
		.max_queues = vm->max_queues,
		.min_entries = vm->min_entries,
		.max_entries = vm->max_entries,
		.min_inserts = vm->min_inserts,
		.max_inserts = vm->max_inserts};
}

int
offload_run_policy(struct control *c)
{
	struct offload_policy list[OFFLOAD_POLICIES_MAX];
	uint16_t i;

	static_assert(CONFIG_POLICIES_MAX <= OFFLOAD_POLICIES_MAX, "the brain takes all");
	static_assert(CONFIG_PLACES == OFFLOAD_PATHS, "places have the brain's numbers");
	for (i = 0; i < c->cfg->n_policies; i++)
		policy_from(&c->cfg->policies[i], &list[i]);
	for (i = 0; i < CONFIG_PORTS_MAX; i++) {
		const struct offload_vm_limits l = i < c->cfg->n_vms
							   ? limits_from(&c->cfg->vms[i])
							   : (struct offload_vm_limits){0};

		(void)offload_vm_set(c->offload, i, &l); // the file's are sound
	}
	return offload_policies_set(c->offload, list, c->cfg->n_policies);
}
