// SPDX-License-Identifier: BSD-3-Clause
// Which flows share which queues: 8 flows to four VMs on the 4 assigned queues of a NIC port, in
// mode share and split, without a policy and with rules that group by rate limit, by priority, and
// that give each of two VMs queues of its own and share these by priority. Once as the placement
// manager does it, by itself on simulated time, and once as the assignment engine of the emulated
// NIC does, by queue groups that say the same.
//
// A row for each: who decided, purity (of the pairs of flows on one queue, the part that belongs
// together: of one VM, one limit, one level), load of each queue (Mbit/s, q0 the default one, which
// feeds the rings), host messages for each flow and those that name no flow (groups, class rules),
// and the 99th percentile of the delay of packets in each kind of place. The delay is that of one
// worker that polls the queues in turn, 32 packets at a time, and serves the ring after them; what
// a packet costs there is assumed (COST_NS), so that the columns compare and say no more.
//
// usage: bench_queues        One line of JSON for each row.

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>

#include "offload/policy.h"
#include "queues.h"

static const char *const kind_names[KINDS] = {"none", "rate-limit", "priority", "partition"};

static uint32_t
make_policy(enum kind kind, struct offload_policy *list)
{
	int i;

	for (i = 0; i < 2; i++) {
		offload_policy_init(&list[i]);
		snprintf(list[i].name, sizeof(list[i].name), "%s-%d", kind_names[kind], i);
	}
	if (kind == PARTITIONS) {
		for (i = 0; i < 2; i++) {
			list[i].vm = (uint16_t)(1 + i);
			list[i].queue_first = (uint16_t)(1 + 2 * i);
			list[i].queue_last = (uint16_t)(2 + 2 * i);
			list[i].queues_owned = true;
			list[i].share = OFFLOAD_SHARE_PRIORITY;
		}
		return 2;
	}
	list[0].share = kind == RATE_LIMITS ? OFFLOAD_SHARE_RATE_LIMIT : OFFLOAD_SHARE_PRIORITY;
	return kind == PLAIN ? 0 : 1;
}

// Four heavy flows and four light ones for four queues, of four VMs and of four levels, each with a
// heavy flow and a light one; of six limits; with partitions of two VMs and of two levels in each.
static void
make_flow(struct bench_flow *f, unsigned i, enum kind kind, bool share)
{
	static const uint64_t bps[FLOWS] = {4000000000, 3000000000, 2000000000, 1000000000,
		40000000, 40000000, 30000000, 30000000};
	static const uint32_t kbps[] = {100000000, 10000000, 1000000, 100000, 10000, 1000};
	uint16_t vm = (uint16_t)(1 + i % (kind == PARTITIONS ? 2 : 4));

	flow_key_init(&f->key, 1, 0);
	f->key.eth_type = 8;
	f->key.l3 = FLOW_L3_IPV4;
	f->key.proto = 17;
	f->key.src[3] = (uint8_t)(1 + i);
	f->bps = bps[i];
	f->host = f->rule = (struct offload_place){.path = OFFLOAD_SOFTWARE};
	f->d = (struct offload_decision){
		.in = {.nic = 0, .port = 0, .vport = 0, .vm = OFFLOAD_NONE},
		.out = {.nic = OFFLOAD_NONE, .vport = vm, .vm = vm},
		.lane_ok = true,
		.priority = (uint8_t)(kind == PARTITIONS ? i / 2 % 2 : (i + 1) % 4),
		.share = share,
		.pinned_queue = OFFLOAD_NONE,
		.vm_max_queues = 16,
		.gen = 1,
	};
	f->d.actions.n = 2;
	f->d.actions.list[0].type = FLOW_ACT_RATE;
	f->d.actions.list[0].rate.kbps = kbps[i % 6];
	f->d.actions.list[1].type = FLOW_ACT_OUTPUT;
	f->d.actions.list[1].port = vm;
	f->group = kind == RATE_LIMITS  ? f->d.actions.list[0].rate.kbps
		   : kind == PRIORITIES ? f->d.priority
		   : kind == PARTITIONS ? vm * 4u + f->d.priority
					: vm;
}

static int
bench_init(struct bench *b, enum kind kind, bool share)
{
	struct offload_cfg cfg = {.enabled = true,
		.heavy_bps = HEAVY_BPS,
		.light_bps = LIGHT_BPS,
		.min_bps = 64000,
		.shared_flows = 64,
		.orders_per_tick = 64,
		.flows_max = 1024,
		.workers = 1};
	struct offload_nic_cfg nic = {.name = "nic0", .mark = true, .ports = 1};
	struct offload_policy list[2];
	uint32_t n = make_policy(kind, list);
	unsigned i;

	memset(b, 0, sizeof(*b));
	b->clock = sl_clock_manual(1000 * SL_NS_PER_S);
	nic.port[0] = (struct offload_nic_port_cfg){
		.rx_queues = QUEUES, .rx_default = 1, .tx_queues = 1, .tx_default = 1};
	for (i = 0; i < FLOWS; i++)
		make_flow(&b->flow[i], i, kind, share);
	if (offload_new(&cfg, &b->clock, &b->o) != 0 || offload_nic_add(b->o, 0, &nic) != 0)
		return -1;
	return offload_policies_set(b->o, list, n);
}

static struct bench_flow *
flow_of(struct bench *b, uint32_t id)
{
	unsigned i = 0;

	while (i + 1 < FLOWS && b->flow[i].id != id)
		i++;
	return &b->flow[i];
}

static void
answer(struct bench *b)
{
	uint32_t n = b->n_open, i;

	b->n_open = 0;
	for (i = 0; i < n; i++) {
		const struct offload_order *o = &b->open[i];

		flow_of(b, o->flow)->rule =
			o->type == OFFLOAD_INSTALL ? o->place : (struct offload_place){.path = 0};
		offload_done(b->o, o->flow, OFFLOAD_IN, OFFLOAD_OK, 0, NULL, 0, 0);
	}
}

static void
step(struct bench *b)
{
	struct offload_order out[ORDERS];
	uint32_t n, i;

	b->clock.manual_ns += TICK_NS;
	for (i = 0; i < FLOWS; i++) {
		struct bench_flow *f = &b->flow[i];
		uint64_t bytes = f->bps / 8 / 1000;

		if (f->rule.path != OFFLOAD_SOFTWARE)
			offload_flow_count(b->o, f->id, 1, bytes);
		else
			f->id = offload_flow_report(
				b->o, &f->key, 0, &f->d, 1, bytes, f->host.path);
	}
	answer(b);
	n = offload_tick(b->o, out, ORDERS);
	b->orders += n;
	for (i = 0; i < n; i++) {
		if (out[i].type == OFFLOAD_SET_HOST)
			flow_of(b, out[i].flow)->host = out[i].place;
		else
			b->open[b->n_open++] = out[i];
	}
}

static double
purity(const struct bench *b)
{
	unsigned pairs = 0, pure = 0, i, k;

	for (i = 0; i < FLOWS; i++) {
		for (k = i + 1; k < FLOWS; k++) {
			uint16_t q = queue_of(&b->flow[i]);

			if (q == 0 || q != queue_of(&b->flow[k]))
				continue;
			pairs++;
			pure += b->flow[i].group == b->flow[k].group;
		}
	}
	return pairs > 0 ? (double)pure / pairs : 1.0;
}

static void
print(const struct bench *b, const struct delays *d, enum kind kind, bool share, bool engine)
{
	double load[QUEUES] = {0};
	unsigned i;

	for (i = 0; i < FLOWS; i++)
		load[queue_of(&b->flow[i])] += (double)b->flow[i].bps / 1e6;
	printf("{\"bench\":\"queues\",\"decides\":\"%s\",\"mode\":\"%s\",\"policy\":\"%s\","
	       "\"purity\":%.2f",
		engine ? "nic" : "host", share ? "share" : "split", kind_names[kind], purity(b));
	for (i = 0; i < QUEUES; i++)
		printf(",\"q%u_mbps\":%.0f", i, load[i]);
	for (i = OFFLOAD_SOFTWARE; i <= OFFLOAD_EXCLUSIVE_QUEUE; i++) {
		double p99 = delays_p99(d, (enum offload_path)i);

		printf(",\"%s_p99_us\":", offload_path_name(i));
		if (p99 < 0)
			printf("null");
		else
			printf("%.2f", p99);
	}
	printf(",\"messages_per_flow\":%.2f,\"setup_messages\":%u}\n", (double)b->orders / FLOWS,
		b->setup);
}

static int
row(enum kind kind, bool share, bool engine)
{
	struct delays *d = NULL;
	struct bench b;
	unsigned i;
	int rc = bench_init(&b, kind, share);

	if (rc == 0 && engine)
		rc = engine_place(&b, kind, share);
	for (i = 0; rc == 0 && !engine && i < RUN_TICKS; i++)
		step(&b);
	if (rc == 0)
		d = delays_measure(&b);
	if (d != NULL)
		print(&b, d, kind, share, engine);
	else
		fprintf(stderr, "bench_queues: out of memory\n");
	if (d != NULL)
		delays_free(d);
	offload_free(b.o);
	return d != NULL ? 0 : -1;
}

int
main(void)
{
	char *eal[] = {"bench_queues", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--lcores=0", "-m64", "--log-level=error"};
	int kind, rc = 0;
	unsigned i;

	if (rte_eal_init(RTE_DIM(eal), eal) < 0)
		return 1;
	for (kind = PLAIN; kind < KINDS; kind++)
		for (i = 0; i < 4 && rc == 0; i++)
			rc = row((enum kind)kind, i % 2, i / 2);
	return rc != 0;
}
