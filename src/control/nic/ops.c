// SPDX-License-Identifier: BSD-3-Clause
#include "nic/ops.h"

#include <string.h>

#include <rte_common.h>
#include <rte_ethdev.h>

#include "device/xstats.h"
#include "nic/flow_calls.h"
#include "nic/trial.h"

// Any other NIC: what its PF says of the wire; the rest is not known.
static void
generic_ledger(uint16_t pf, struct nic_ledger *out, nic_drop_fn fn, void *ctx)
{
	struct rte_eth_stats st;

	if (rte_eth_stats_get(pf, &st) != 0)
		return;
	out->received_wire = st.ipackets + st.imissed;
	out->received_wire_bytes = st.ibytes;
	out->sent_wire = st.opackets;
	out->sent_host = st.ipackets;
	out->received_host = st.opackets;
	out->dropped = st.imissed;
	fn(ctx, "rx-missed", st.imissed);
}

struct ledger_field {
	const char *name;
	size_t offset;
};

#define FIELD(xstat, member)                                                                       \
	{                                                                                          \
		xstat, offsetof(struct nic_ledger, member)                                         \
	}

static const struct ledger_field ledger_fields[] = {
	FIELD("nic_received_wire", received_wire),
	FIELD("nic_received_vf", received_vf),
	FIELD("nic_received_host", received_host),
	FIELD("nic_copies", copies),
	FIELD("nic_sent_wire", sent_wire),
	FIELD("nic_sent_vf", sent_vf),
	FIELD("nic_sent_host", sent_host),
	FIELD("nic_held", held),
	FIELD("nic_originated_mailbox", originated),
	FIELD("nic_consumed_mailbox", consumed),
	FIELD("nic_received_wire_bytes", received_wire_bytes),
	FIELD("nic_received_vf_bytes", received_vf_bytes),
	FIELD("nic_eswitch_packets", eswitch_packets),
	FIELD("nic_eswitch_bytes", eswitch_bytes),
	FIELD("wire_played", wire_played),
};

struct ledger_reader {
	struct nic_ledger *out;
	nic_drop_fn drop;
	void *ctx;
};

static void
ledger_take(void *ctx, const char *name, uint64_t value)
{
	const struct ledger_reader *r = ctx;
	struct nic_ledger *out = r->out;
	static const char drop[] = "nic_drop_";
	size_t i;

	if (strncmp(name, drop, sizeof(drop) - 1) == 0) {
		out->dropped += value;
		r->drop(r->ctx, name + sizeof(drop) - 1, value);
		return;
	}
	if (strcmp(name, "wire_finished") == 0)
		out->finite_finished = value != 0;
	for (i = 0; i < RTE_DIM(ledger_fields); i++) {
		if (strcmp(name, ledger_fields[i].name) == 0)
			*(uint64_t *)(void *)((char *)out + ledger_fields[i].offset) = value;
	}
}

static void
emunic_ledger(uint16_t pf, struct nic_ledger *out, nic_drop_fn fn, void *ctx)
{
	struct ledger_reader r = {.out = out, .drop = fn, .ctx = ctx};

	out->exact = xstats_each(pf, ledger_take, &r);
}

static const struct nic_ops generic_ops = {
	.name = "generic",
	.validate = nic_flow_validate,
	.create = nic_flow_create,
	.destroy = nic_flow_destroy,
	.count = nic_flow_count,
	.evict = nic_flow_evict,
	.trial = nic_trial_run,
	.flush = nic_flow_flush,
	.ledger = generic_ledger,
};

static const struct nic_ops emunic_ops = {
	.name = "emulated",
	.validate = nic_flow_validate,
	.create = nic_flow_create,
	.destroy = nic_flow_destroy,
	.count = nic_flow_count,
	.evict = nic_flow_evict,
	.trial = nic_trial_run,
	.flush = nic_flow_flush,
	.ledger = emunic_ledger,
	.miss = nic_emunic_miss,
	.vf_queues = nic_emunic_vf_queues,
};

const struct nic_ops *
nic_ops_for(const char *driver)
{
	return driver != NULL && strcmp(driver, "net_emunic") == 0 ? &emunic_ops : &generic_ops;
}
