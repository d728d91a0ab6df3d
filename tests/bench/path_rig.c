// SPDX-License-Identifier: BSD-3-Clause
#include "path_rig.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "flow/text.h"

void
path_die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("bench: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

uint32_t
path_number(const char *text)
{
	unsigned long n;
	char *stop;

	errno = 0;
	n = strtoul(text, &stop, 10);
	if (errno != 0 || *stop != '\0' || n == 0 || n > UINT32_MAX / 2)
		path_die("'%s' is not a number that can be used", text);
	return (uint32_t)n;
}

void
path_pool(struct path *p)
{
	p->pool = rte_pktmbuf_pool_create("path", PATH_POOL, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (p->pool == NULL)
		path_die("no packet buffers");
}

uint16_t
path_device(struct path *p, const char *name, const char *args, uint16_t queues)
{
	struct rte_eth_conf conf = {0};
	uint16_t port, q;

	if ((args != NULL && rte_vdev_init(name, args) != 0) ||
		rte_eth_dev_get_port_by_name(name, &port) != 0)
		path_die("no device %s", name);
	if (rte_eth_dev_configure(port, queues, queues, &conf) != 0)
		path_die("cannot configure %s", name);
	for (q = 0; q < queues; q++)
		if (rte_eth_rx_queue_setup(port, q, PATH_DESCRIPTORS, 0, NULL, p->pool) != 0 ||
			rte_eth_tx_queue_setup(port, q, PATH_DESCRIPTORS, 0, NULL) != 0)
			path_die("no queues for %s", name);
	rte_eth_promiscuous_enable(port); // where there is such a thing
	if (rte_eth_dev_start(port) != 0)
		path_die("cannot start %s", name);
	return port;
}

static void
add_rule(struct path *p, uint32_t id, int32_t priority, const char *match, const char *actions)
{
	struct rules_entry e = {.id = id, .priority = priority};
	struct sl_err err;

	sl_err_init(&err);
	if (flow_match_parse(match, NULL, &e.match, &err) != 0 ||
		flow_actions_parse(actions, NULL, &e.actions, &err) != 0 ||
		rules_add(p->rules, &e, &err) != 0)
		path_die("%s: %s", match, err.text);
}

// As tests/bench/forward_policy.py.
static void
add_rules(struct path *p, const struct path_conf *conf)
{
	const char *actions = conf->actions != NULL ? conf->actions : "output=1";
	char match[160];
	uint32_t r;

	p->rules = rules_new(PATH_RULES + 1);
	if (p->rules == NULL)
		path_die("out of memory");
	for (r = 0; r < PATH_RULES; r++) {
		snprintf(match, sizeof(match),
			"port=%u udp ip_src=10.%u.%u.0/24 ip_dst=172.%u.%u.0/24 sport=0/0x8000 "
			"dport=%u",
			PATH_IN, r >> 8, r & 255, 16 + (r >> 8), r & 255, 1000 + r);
		add_rule(p, r, 100, match, actions);
	}
	if (conf->above != NULL)
		add_rule(p, PATH_RULES, 200, conf->above, "drop");
	p->set = rules_commit(p->rules);
	p->macs = dp_mac_table_new(NULL, 0, 7);
	if (p->set == NULL || p->macs == NULL)
		path_die("out of memory");
}

static void
make_snapshot(struct path *p, const struct path_conf *conf)
{
	struct dp_snapshot *s = &p->snap;
	uint16_t i;

	*s = (struct dp_snapshot){.gen = 1,
		.n_vports = PATH_PORTS,
		.n_switches = 1,
		.n_workers = 1,
		.n_classes = 1,
		.report_rate = conf->candidates ? 1 : UINT32_MAX,
		.lanes = p->lanes};
	for (i = 0; i < PATH_PORTS; i++) {
		p->vport[i] =
			(struct dp_vport){.id = i, .vm = DP_NONE, .port = p->port[i], .mtu = 1500};
		s->vport[i] = &p->vport[i];
		p->members[i] = i;
	}
	s->sw[0] = (struct dp_switch){.id = 1,
		.fields = rules_set_fields(p->set),
		.rules = p->set,
		.macs = p->macs,
		.max_rules = PATH_RULES + 1,
		.n_vports = PATH_PORTS,
		.vports = p->members};
	p->rxq =
		(struct dp_rxq){.port = p->port[PATH_IN], .queue = conf->queue, .kind = conf->kind};
	s->plan[0] = (struct dp_worker_plan){.n_rxq = 1, .rxq = &p->rxq};
}

void
path_begin(struct path *p, const struct path_conf *conf)
{
	static const struct qos_class_cfg class = {.level = 0, .weight = 1, .depth = 64};
	struct dp_datapath_cfg cfg = {.n_workers = 1,
		.lcore = {rte_lcore_id()},
		.flows = conf->flows,
		.seed = 42,
		.copies = p->pool};
	uint16_t queues = (uint16_t)(conf->queue + 1);
	struct sl_err err;
	uint16_t i;

	sl_err_init(&err);
	if (dp_new(&cfg, &p->dp, &err) != 0)
		path_die("%s", err.text);
	add_rules(p, conf);
	for (i = 0; i < PATH_PORTS; i++) {
		if (dp_port_ethdev(p->ethdev[i], queues, queues, &p->port[i]) != 0)
			path_die("out of memory");
		p->port[i]->index = i;
		p->port[i]->vport = i;
		if (conf->candidates && i == PATH_IN)
			p->port[i]->nic = 0;
		if (dp_port_attach(p->port[i], 1, &class, 1, 0) != 0)
			path_die("out of memory");
	}
	if (dp_rule_counts_new(p->dp, 0, PATH_RULES + 1) != 0)
		path_die("out of memory");
	make_snapshot(p, conf);
	p->worker = p->dp->worker[0];
	dp_publish(p->dp, &p->snap);
}

void
path_end(struct path *p)
{
	uint16_t i;

	dp_worker_offline(p->worker);
	dp_publish(p->dp, NULL);
	dp_free(p->dp);
	for (i = 0; i < PATH_PORTS; i++)
		dp_port_free(p->port[i]);
	rules_set_put(p->set);
	rules_free(p->rules);
	dp_mac_table_free(p->macs);
}

static int
order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
path_usual(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), order);
	return v[n / 50];
}
