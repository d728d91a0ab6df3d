// SPDX-License-Identifier: BSD-3-Clause
#include "assign/assign.h"

#include <assert.h>
#include <string.h>

#include "eswitch/packet.h"

// What makes flows alike: the parts of their keys, traits and rates that a group asks for.

#define CLASSES 16 // of rates, the last without end

static_assert(sizeof(struct rte_pmd_emunic_kind) == 28, "kinds are compared as bytes");

static uint64_t
class_end(uint8_t rate_class)
{
	uint64_t bps = RTE_PMD_EMUNIC_RATE_FIRST;

	while (rate_class-- > 0)
		bps *= RTE_PMD_EMUNIC_RATE_STEP;
	return bps;
}

// The class of a flow that was in one before.
static uint8_t
class_of(uint64_t bps, uint8_t before)
{
	uint8_t c = 0;

	if (bps < class_end(before) / 4 * 5 &&
		(before == 0 || bps >= class_end(before - 1) / 4 * 3))
		return before;
	while (c < CLASSES - 1 && bps >= class_end(c))
		c++;
	return c;
}

void
emu_assign_kind(const struct emu_assign *a, const struct emu_assign_key *key,
	const struct emu_assign_traits *traits, const struct emu_assign_flow *f,
	struct rte_pmd_emunic_kind *out)
{
	uint32_t alike = a->conf.alike;

	memset(out, 0, sizeof(*out));
	if (alike & RTE_PMD_EMUNIC_ALIKE_RATE && f != NULL)
		out->rate_class = class_of(f->rate.bps, f->kind.rate_class);
	if (alike & RTE_PMD_EMUNIC_ALIKE_SOURCE)
		out->source = key->side;
	if (alike & RTE_PMD_EMUNIC_ALIKE_VLAN)
		out->vlan = key->vlan[0];
	if (alike & RTE_PMD_EMUNIC_ALIKE_PCP)
		out->pcp = traits->pcp;
	if (alike & RTE_PMD_EMUNIC_ALIKE_DSCP)
		out->dscp = traits->dscp;
	if (alike & RTE_PMD_EMUNIC_ALIKE_MARK)
		out->mark = traits->mark;
	if (alike & RTE_PMD_EMUNIC_ALIKE_DESTINATION && key->layers & (EMU_L_IPV4 | EMU_L_IPV6)) {
		out->ip_version = key->layers & EMU_L_IPV4 ? 4 : 6;
		memcpy(out->destination, key->dst, sizeof(out->destination));
	}
}
