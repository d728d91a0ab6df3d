// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_CONTROL_SUPPORT_H
#define SLUICE_TESTS_CONTROL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "base/rng.h"
#include "lcore.h"
#include "datapath/loop.h" // not control's own
#include "switch/macs.h"
#include "switch/meters.h"
#include "memory.h"
#include "place/ahead.h"
#include "place/mover.h"
#include "place/offload_run.h"
#include "place/placements.h"
#include "publish.h"
#include "switch/rule_book.h"
#include "state.h"

// Control without its loop: a real configuration, real rules, brain, packet path and executors, on
// devices that carry nothing and a NIC whose driver the test plays. Time is set by hand, and the
// one worker does a loop when the test says so. Thread safety: init only; the driver's parts are
// atomic, since the executor's thread calls them.

struct fake_driver {
	atomic_uint created, destroyed, counted, flushed, live;
	_Atomic int outcome;      // enum offload_outcome of the next creations
	_Atomic int undo_outcome; // of the next removals
	atomic_bool hold;         // the driver does not come back
	atomic_bool hold_evict;   // the same of evictions only
	_Atomic uint64_t packets, bytes;
	atomic_bool blind; // queries fail
	uint16_t ethdev[256];
	atomic_uint n_ethdevs;              // of the creations, in order
	void (*judge)(struct nic_job *job); // sees each creation and removal, and may refuse it
};

static struct fake_driver driver;

static inline void
nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static inline void
driver_answer(struct nic_job *job, int outcome)
{
	static const int errors[] = {[OFFLOAD_OK] = 0,
		[OFFLOAD_FULL] = ENOSPC,
		[OFFLOAD_UNSUPPORTED] = ENOTSUP,
		[OFFLOAD_TRANSIENT] = EBUSY,
		[OFFLOAD_GONE] = EIO};

	while (atomic_load(&driver.hold))
		nap();
	job->outcome = outcome;
	job->error = errors[outcome];
	snprintf(job->text, sizeof(job->text), "%s", outcome == OFFLOAD_OK ? "" : "played");
}

static inline void
driver_create(struct nic_job *job)
{
	driver_answer(job, atomic_load(&driver.outcome));
	if (driver.judge != NULL)
		driver.judge(job);
	if (job->outcome == OFFLOAD_OK) {
		atomic_fetch_add(&driver.live, 1);
		job->flow = (struct rte_flow *)(uintptr_t)(1 + atomic_load(&driver.created));
	}
	driver.ethdev[atomic_fetch_add(&driver.n_ethdevs, 1) % 256] = job->ethdev;
	atomic_fetch_add(&driver.created, 1);
}

static inline void
driver_destroy(struct nic_job *job)
{
	driver_answer(job, atomic_load(&driver.undo_outcome));
	if (driver.judge != NULL)
		driver.judge(job);
	job->counted = !atomic_load(&driver.blind);
	if (job->counted) {
		job->packets = atomic_load(&driver.packets);
		job->bytes = atomic_load(&driver.bytes);
	}
	if (job->outcome == OFFLOAD_OK)
		atomic_fetch_sub(&driver.live, 1);
	atomic_fetch_add(&driver.destroyed, 1);
}

static inline void
driver_count(struct nic_job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_counts; i++) {
		job->counts[i].error = atomic_load(&driver.blind) ? -EIO : 0;
		job->counts[i].packets = atomic_load(&driver.packets);
		job->counts[i].bytes = atomic_load(&driver.bytes);
	}
	atomic_fetch_add(&driver.counted, 1);
}

static inline void
driver_evict(struct nic_job *job)
{
	uint32_t i;

	while (atomic_load(&driver.hold_evict))
		nap();
	driver_count(job);
	for (i = 0; i < job->n_counts; i++) {
		job->counts[i].destroy =
			atomic_load(&driver.undo_outcome) == OFFLOAD_OK ? 0 : -EBUSY;
		if (job->counts[i].destroy == 0)
			atomic_fetch_sub(&driver.live, 1);
		atomic_fetch_add(&driver.destroyed, 1);
	}
}

static inline void
driver_flush(uint16_t ethdev)
{
	atomic_fetch_add(&driver.flushed, 1);
}

static inline void
driver_ledger(uint16_t pf, struct nic_ledger *out, nic_drop_fn fn, void *ctx)
{
	out->exact = true;
}

static const struct nic_ops driver_ops = {
	.name = "played",
	.validate = driver_create,
	.create = driver_create,
	.destroy = driver_destroy,
	.count = driver_count,
	.evict = driver_evict,
	.flush = driver_flush,
	.ledger = driver_ledger,
};

// ---- ports that carry nothing

static inline uint16_t
still_burst(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	return 0;
}

static inline bool
still_link(const struct dp_port *p)
{
	return true;
}

static inline void
still_counters(const struct dp_port *p, struct dp_port_counters *out)
{
	memset(out, 0, sizeof(*out));
}

static inline void
still_close(struct dp_port *p)
{
}

static inline struct dp_port *
still_port(struct control *c, const struct config_port *cfg)
{
	static const struct dp_port_ops ops = {.kind = "still",
		.rx = still_burst,
		.tx = still_burst,
		.link = still_link,
		.counters = still_counters,
		.close = still_close};
	const struct qos_class_cfg class = {.weight = 1, .depth = 64};
	const struct config_attachment *a = &cfg->attach;
	struct dp_port *p = dp_zalloc(sizeof(*p), SOCKET_ID_ANY);

	assert_non_null(p);
	p->ops = &ops;
	p->index = cfg->id;
	p->vport = cfg->id;
	p->n_rxq = p->n_txq = 1;
	p->nic = p->nic_port = DP_NONE;
	if (a->kind == CONFIG_ATTACH_NIC || a->kind == CONFIG_ATTACH_VF) {
		p->nic = a->nic;
		p->nic_port = a->kind == CONFIG_ATTACH_VF ? 1 + a->vf : 0;
		p->n_rxq = p->n_txq = c->nics[a->nic]->ports[p->nic_port].rx_queues;
	}
	assert_int_equal(dp_port_attach(p, c->n_workers, &class, 1, SOCKET_ID_ANY), 0);
	c->ports[p->index] = p;
	return p;
}

// ---- the rig

static inline int
control_eal(const char *name, const char *lcores)
{
	char lcores_arg[64];
	char *argv[] = {(char *)(uintptr_t)name, "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", lcores_arg, "-m512", "--log-level=critical", NULL};

	snprintf(lcores_arg, sizeof(lcores_arg), "--lcores=%s", lcores);
	return rte_eal_init(8, argv) < 0 ? -1 : 0;
}

static inline struct config *
config_of(const char *json, const struct config *old)
{
	struct config *cfg = NULL;
	struct sl_err err;

	sl_err_init(&err);
	if (config_parse(json, strlen(json), "test", old, &cfg, &err) != 0)
		fail_msg("%s: %s", err.path, err.text);
	return cfg;
}

static inline void
played_nic(struct control *c, uint16_t index)
{
	const struct config_nic *cfg = &c->cfg->nics[index];
	struct offload_nic_cfg *oc = calloc(1, sizeof(*oc));
	struct nic *n = calloc(1, sizeof(*n));
	uint16_t i;

	assert_non_null(oc);
	assert_non_null(n);
	snprintf(n->name, sizeof(n->name), "%s", cfg->name);
	n->index = index;
	n->mark = n->eswitch = true;
	n->ops = &driver_ops;
	n->n_ports = 1 + cfg->vfs;
	n->ports = calloc(n->n_ports, sizeof(*n->ports));
	for (i = 0; i < n->n_ports; i++) {
		n->ports[i].ethdev = (uint16_t)(100 * (index + 1) + i);
		n->ports[i].rx_queues = i == 0 ? cfg->queues : cfg->vf_queues;
		n->ports[i].rx_default = i == 0 ? cfg->default_queues : cfg->vf_default_queues;
		n->ports[i].tx_queues = n->ports[i].rx_queues;
	}
	assert_int_equal(nic_executor_new(n->name, n->ops, c->wake_fd, &n->executor), 0);
	nic_offload_cfg(n, cfg, c->n_workers, oc);
	assert_int_equal(offload_nic_add(c->offload, index, oc), 0);
	free(oc);
	c->nics[index] = n;
}

static inline void
rig_switch(struct control *c, uint16_t sw)
{
	struct sl_err err;
	uint32_t i, id;

	sl_err_init(&err);
	assert_int_equal(rule_book_new(c, sw, &c->book[sw], &err), 0);
	for (i = 0; i < c->cfg->n_tables; i++) {
		if (c->cfg->tables[i].sw == sw)
			assert_int_equal(rule_book_table_default(c->book[sw], c->cfg->tables[i].id,
						 &c->cfg->tables[i].fallback, &err),
				0);
	}
	for (i = 0; i < c->cfg->n_rules; i++) {
		if (c->cfg->rules[i].sw == sw)
			assert_int_equal(
				rule_book_add(c->book[sw], &c->cfg->rules[i], true, &id, &err), 0);
	}
	assert_int_equal(dp_rule_counts_new(c->dp, sw, rule_book_max(c->book[sw])), 0);
}

static inline struct control *
rig_new(const char *json)
{
	struct control *c = calloc(1, sizeof(*c));
	struct dp_datapath_cfg dc = {.n_workers = 1, .flows = 1024, .seed = 42};
	struct offload_cfg oc;
	struct sl_err err;
	uint16_t i;

	assert_non_null(c);
	memset(&driver, 0, sizeof(driver));
	sl_err_init(&err);
	c->cfg = config_of(json, NULL);
	c->clock = sl_clock_manual(SL_NS_PER_S);
	c->wake_fd = eventfd(0, EFD_NONBLOCK);
	c->n_workers = 1;
	dc.lcore[0] = c->lcore[0] = rte_get_main_lcore();
	c->copies = rte_pktmbuf_pool_create("copies", 511, 0, 0, 2048, SOCKET_ID_ANY);
	dc.copies = c->copies;
	assert_int_equal(dp_new(&dc, &c->dp, &err), 0);
	assert_int_equal(macs_new(c), 0);
	assert_int_equal(placements_new(c), 0);
	assert_int_equal(mover_new(&c->mover), 0);
	assert_int_equal(ahead_new(c), 0);
	oc = offload_run_cfg(c->cfg, c->n_workers);
	assert_int_equal(offload_new(&oc, &c->clock, &c->offload), 0);
	for (i = 0; i < c->cfg->n_nics; i++)
		played_nic(c, i);
	for (i = 0; i < c->cfg->n_ports; i++) {
		struct control_vport *v = &c->vports[c->cfg->ports[i].id];

		v->cfg = c->cfg->ports[i];
		v->used = true;
		v->port = still_port(c, &v->cfg);
	}
	for (i = 0; i < c->cfg->n_switches; i++)
		rig_switch(c, i);
	assert_int_equal(publish(c, true), 0);
	dp_publish(c->dp, c->snapshot);
	c->running = true;
	return c;
}

static inline void
rig_free(struct control *c)
{
	unsigned i;

	c->running = false;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] == NULL)
			continue;
		nic_executor_free(c->nics[i]->executor);
		free(c->nics[i]->ports);
		free(c->nics[i]);
	}
	dp_free(c->dp);
	for (i = 0; i < DP_PORTS_MAX; i++)
		dp_port_free(c->ports[i]);
	publish_fini(c);
	for (i = 0; i < DP_SWITCHES_MAX; i++)
		rule_book_free(c->book[i]);
	offload_free(c->offload);
	ahead_free(c);
	mover_free(c->mover);
	placements_fini(c);
	macs_fini(c);
	meters_free(c);
	rte_mempool_free(c->copies);
	close(c->wake_fd);
	config_free(c->cfg);
	free(c);
}

// The worker does one loop; between loops it holds nothing.
static inline void
rig_loop(struct control *c)
{
	dp_worker_once(c->dp->worker[0]);
	dp_worker_offline(c->dp->worker[0]);
}

static inline void
rig_pass(struct control *c, uint64_t ms)
{
	c->clock.manual_ns += ms * SL_NS_PER_MS;
}

// All that the executors have is answered and taken.
static inline void
rig_answers(struct control *c)
{
	unsigned i, tries;
	bool busy = true;

	for (tries = 0; busy && tries < 50000; tries++) {
		offload_run_answers(c);
		busy = false;
		for (i = 0; i < CONFIG_NICS_MAX; i++)
			busy = busy || (c->nics[i] != NULL &&
					       nic_executor_pending(c->nics[i]->executor) > 0);
		if (busy)
			nap();
	}
	assert_false(busy);
}

// As many ticks, answers and loops as orders need to be carried out.
static inline void
rig_settle(struct control *c)
{
	unsigned i;

	for (i = 0; i < 12; i++) {
		rig_pass(c, 5);
		offload_run_tick(c);
		rig_loop(c);
		rig_answers(c);
		rig_loop(c);
	}
}

static inline uint16_t
vport_of(const struct control *c, const char *name)
{
	const struct config_port *p = config_port_by_name(c->cfg, name);

	assert_non_null(p);
	return p->id;
}

static inline struct flow_key
udp_key(const struct control *c, const char *from, uint16_t port)
{
	struct flow_key key;

	flow_key_init(&key, c->cfg->switches[0].id, vport_of(c, from));
	key.eth_type = htons(0x0800);
	key.l3 = FLOW_L3_IPV4;
	key.proto = IPPROTO_UDP;
	key.eth_dst[0] = key.eth_src[0] = 2;
	key.eth_src[5] = 1;
	key.eth_dst[5] = 2;
	key.src[0] = key.dst[0] = 10;
	key.src[3] = 1;
	key.dst[3] = 2;
	key.l4_src = htons(port);
	key.l4_dst = htons(port);
	return key;
}

// A worker's report of a flow, as the event gives it. Returns its id.
static inline uint32_t
rig_report(struct control *c, const struct flow_key *key, uint32_t packets, uint64_t bytes)
{
	struct offload_decision d;
	struct dp_program prog;

	offload_run_decide(c, key, OFFLOAD_NO_DSCP, &d, &prog);
	return offload_flow_report(c->offload, key, 0, &d, packets, bytes, OFFLOAD_SOFTWARE);
}

#endif
