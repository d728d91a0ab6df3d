// SPDX-License-Identifier: BSD-3-Clause
#include "offload/offload.h"

#include <errno.h>
#include <stdlib.h>

#include "internal.h"

#define FLOWS_MIN 64
#define FLOWS_MAX (1u << 20)

int
offload_new(const struct offload_cfg *cfg, const struct sl_clock *clock, struct offload **out)
{
	struct offload *o;

	*out = NULL;
	if (cfg->flows_max < FLOWS_MIN || cfg->flows_max > FLOWS_MAX || cfg->workers == 0 ||
		cfg->workers > UINT8_MAX || cfg->orders_per_tick == 0 || cfg->shared_flows == 0 ||
		cfg->light_bps > cfg->heavy_bps)
		return -EINVAL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->cfg = *cfg;
	o->clock = clock;
	o->now = sl_now(clock);
	o->tick = 2;
	o->rng.state = 1; // the same on simulated time, each time
	o->vm = calloc(OFFLOAD_NONE, sizeof(*o->vm));
	o->limited = calloc(OFFLOAD_NONE, sizeof(*o->limited));
	if (!o->vm || !o->limited || offload_table_init(o) < 0) {
		offload_free(o);
		return -ENOMEM;
	}
	*out = o;
	return 0;
}

void
offload_free(struct offload *o)
{
	uint16_t nic, i;

	if (!o)
		return;
	for (nic = 0; nic < OFFLOAD_NICS_MAX; nic++)
		offload_nic_del(o, nic);
	offload_table_fini(o);
	offload_heap_fini(&o->timers);
	free(o->policies);
	for (i = 0; o->vm && i < OFFLOAD_NONE; i++) {
		free(o->vm[i].kinds);
		free(o->vm[i].parts);
	}
	free(o->vm);
	free(o->limited);
	free(o);
}
