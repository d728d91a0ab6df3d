// SPDX-License-Identifier: BSD-3-Clause
#include "backend/gen_flows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_prefetch.h>

#include "backend/gen_cdf.h"

// Ephemeral source ports in use; a multiplier without a common factor walks all of them, so that
// flows are distinct whatever the prefixes are.
#define PORT_FIRST 1024u
#define PORT_COUNT 64512u
#define PORT_STEP 40507u

struct alias {
	uint32_t keep; // of 2^32: chance that the column's own flow is taken
	uint32_t other;
};

struct emu_gen_flows {
	uint32_t n;
	struct emu_gen_flow *flows;
	struct alias *table;
};

static void
draw_address(const struct emu_prefix *p, unsigned int len, struct emu_rng *rng, uint8_t *out)
{
	for (unsigned int i = 0; i < len; i++) {
		uint8_t random = emu_rng_next(rng) >> 56;
		unsigned int fixed = p->len > i * 8 ? RTE_MIN(p->len - i * 8, 8u) : 0;

		out[i] = p->addr[i] | (random & (0xff >> fixed));
	}
}

static void
draw_flow(const struct emu_gen_plan *plan, uint32_t index, struct emu_rng *rng,
	struct emu_gen_flow *f)
{
	static const uint16_t services[] = {443, 80, 53, 22, 8080, 3306, 6379, 9000};
	uint16_t service = services[emu_rng_below(rng, RTE_DIM(services))];
	uint32_t lap = index / PORT_COUNT;
	struct emu_gen_addresses a;

	memcpy(a.dst_mac, plan->dst_mac, sizeof(a.dst_mac));
	memcpy(a.src_mac, plan->src_mac, sizeof(a.src_mac));
	a.v6 = emu_rng_below(rng, 100) < plan->v6_percent;
	a.udp = emu_rng_below(rng, 100) < plan->udp_percent;
	draw_address(a.v6 ? &plan->src6 : &plan->src4, a.v6 ? 16 : 4, rng, a.src);
	draw_address(a.v6 ? &plan->dst6 : &plan->dst4, a.v6 ? 16 : 4, rng, a.dst);
	a.src_port = PORT_FIRST + (uint64_t)index * PORT_STEP % PORT_COUNT;
	a.dst_port = lap == 0 ? service : 10000 + lap;
	emu_gen_flow_set(f, &a, emu_rng_next(rng), emu_rng_next(rng));
}

static int
draw_weights(const struct emu_gen_plan *plan, struct emu_rng *rng, double *weight, char *why,
	size_t why_len)
{
	struct emu_gen_cdf *cdf;
	int rc;

	if (plan->cdf == NULL) {
		for (uint32_t i = 0; i < plan->flows; i++)
			weight[i] = pow(i + 1.0, -plan->skew);
		return 0;
	}
	cdf = malloc(sizeof(*cdf));
	if (cdf == NULL) {
		snprintf(why, why_len, "generator: no memory");
		return -ENOMEM;
	}
	rc = emu_gen_cdf_read(plan->cdf, cdf, why, why_len);
	for (uint32_t i = 0; i < plan->flows && rc == 0; i++)
		weight[i] = emu_gen_cdf_inverse(cdf, emu_rng_real(rng));
	free(cdf);
	return rc;
}

// Vose's construction: a column of the mean height is filled from one flow below the mean and, for
// the rest, one above it, until all columns are full. order holds the flows below the mean at its
// front and those above at its back.
static void
build_alias(struct emu_gen_flows *f, double *weight, uint32_t *order)
{
	uint32_t small = 0, large = f->n;
	double sum = 0;

	for (uint32_t i = 0; i < f->n; i++)
		sum += weight[i];
	for (uint32_t i = 0; i < f->n; i++) {
		weight[i] *= f->n / sum;
		if (weight[i] < 1)
			order[small++] = i;
		else
			order[--large] = i;
	}
	while (small > 0 && large < f->n) {
		uint32_t low = order[--small], high = order[large];

		f->table[low].keep = weight[low] * 0x1p32;
		f->table[low].other = high;
		weight[high] -= 1 - weight[low];
		if (weight[high] < 1) {
			order[small++] = high;
			large++;
		}
	}
	for (uint32_t i = 0; i < small; i++)
		f->table[order[i]] = (struct alias){.keep = UINT32_MAX, .other = order[i]};
	for (uint32_t i = large; i < f->n; i++)
		f->table[order[i]] = (struct alias){.keep = UINT32_MAX, .other = order[i]};
}

int
emu_gen_flows_new(const struct emu_gen_plan *plan, struct emu_rng *rng, struct emu_gen_flows **out,
	char *why, size_t why_len)
{
	struct emu_gen_flows *f = calloc(1, sizeof(*f));
	double *weight = calloc(plan->flows, sizeof(*weight));
	uint32_t *order = calloc(plan->flows, sizeof(*order));
	int rc = -ENOMEM;

	if (f != NULL) {
		f->n = plan->flows;
		f->flows = calloc(plan->flows, sizeof(*f->flows));
		f->table = calloc(plan->flows, sizeof(*f->table));
	}
	if (weight == NULL || order == NULL || f == NULL || f->flows == NULL || f->table == NULL)
		snprintf(why, why_len, "generator: no memory for %u flows", plan->flows);
	else
		rc = draw_weights(plan, rng, weight, why, why_len);
	if (rc == 0) {
		build_alias(f, weight, order);
		for (uint32_t i = 0; i < f->n; i++)
			draw_flow(plan, i, rng, &f->flows[i]);
		*out = f;
	} else if (f != NULL) {
		emu_gen_flows_free(f);
	}
	free(order);
	free(weight);
	return rc;
}

void
emu_gen_flows_free(struct emu_gen_flows *f)
{
	free(f->flows);
	free(f->table);
	free(f);
}

uint32_t
emu_gen_flows_pick(const struct emu_gen_flows *f, struct emu_rng *rng)
{
	uint32_t column = emu_rng_below(rng, f->n);
	uint32_t chance = emu_rng_next(rng) >> 32;

	return chance < f->table[column].keep ? column : f->table[column].other;
}

struct emu_gen_flow *
emu_gen_flows_at(struct emu_gen_flows *f, uint32_t index)
{
	return &f->flows[index];
}

void
emu_gen_flows_prefetch(const struct emu_gen_flows *f, uint32_t index)
{
	rte_prefetch0(&f->flows[index]);
	rte_prefetch0(&f->flows[index].ip_sum);
}
