// SPDX-License-Identifier: BSD-3-Clause
#include "nic/cost.h"

#include <math.h>

#define PARTS 4 // of an octave
#define KEEP 4096
#define RATE_NS 1000000 // so close together they are taken for one moment

static uint32_t
bucket_of(uint64_t ns)
{
	double at = ns > 1000 ? log2((double)ns / 1000) * PARTS : 0;

	return at < NIC_COST_BUCKETS - 1 ? (uint32_t)at : NIC_COST_BUCKETS - 1;
}

static double
decayed(const struct nic_cost *c, uint64_t now)
{
	return now > c->rate_ns ? c->rate * exp2(-(double)(now - c->rate_ns) / 1e9) : c->rate;
}

void
nic_cost_add(struct nic_cost *c, uint64_t took_ns, uint64_t now)
{
	uint32_t i;

	if (c->n >= KEEP) {
		c->n = 0;
		for (i = 0; i < NIC_COST_BUCKETS; i++)
			c->n += c->bucket[i] /= 2;
	}
	c->bucket[bucket_of(took_ns)]++;
	c->n++;
	c->last_ns = now;
	if (now - c->rate_ns < RATE_NS) {
		c->rate++;
	} else {
		c->rate = decayed(c, now) + 1;
		c->rate_ns = now;
	}
	c->total_ns += took_ns;
}

uint32_t
nic_cost_us(const struct nic_cost *c, unsigned percent)
{
	uint64_t want = ((uint64_t)c->n * percent + 99) / 100, sum = 0;
	uint32_t i;

	for (i = 0; c->n > 0 && i < NIC_COST_BUCKETS; i++) {
		sum += c->bucket[i];
		if (sum >= want) // the middle of it
			return (uint32_t)lround(exp2((i + 0.5) / PARTS));
	}
	return 0;
}

uint32_t
nic_cost_rate(const struct nic_cost *c, uint64_t now)
{
	return (uint32_t)lround(decayed(c, now) * M_LN2);
}
