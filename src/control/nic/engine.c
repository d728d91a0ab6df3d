// SPDX-License-Identifier: BSD-3-Clause
#include "nic/engine.h"

#include <errno.h>
#include <string.h>

#include <arpa/inet.h>

#include <rte_common.h>
#include <rte_pmd_emunic.h>

#include "nic/pmd.h"

#define FLOWS_AT_ONCE 64

typedef int (*set_fn)(uint16_t port, uint16_t group, const char *text, char *why, size_t len);
typedef int (*del_fn)(uint16_t port, uint16_t group, char *why, size_t len);
typedef int (*get_fn)(uint16_t port, uint16_t group, struct rte_pmd_emunic_group *out);
typedef int (*queues_fn)(
	uint16_t port, uint16_t group, struct rte_pmd_emunic_queue *out, uint16_t n);
typedef int (*flows_fn)(
	uint16_t port, uint16_t group, uint32_t *next, struct rte_pmd_emunic_flow *out, uint32_t n);

static int
engine_set(uint16_t ethdev, uint16_t group, const char *text, char *why, size_t len)
{
	set_fn set;

	why[0] = '\0';
	nic_pmd_find("rte_pmd_emunic_group_set", &set);
	return set != NULL ? set(ethdev, group, text, why, len) : -ENOTSUP;
}

static int
engine_del(uint16_t ethdev, uint16_t group)
{
	char why[128];
	del_fn del;

	nic_pmd_find("rte_pmd_emunic_group_del", &del);
	return del != NULL ? del(ethdev, group, why, sizeof(why)) : -ENOTSUP;
}

static int
engine_get(uint16_t ethdev, uint16_t group, struct nic_group *out)
{
	struct rte_pmd_emunic_group g;
	get_fn get;
	int rc;

	nic_pmd_find("rte_pmd_emunic_group_get", &get);
	rc = get != NULL ? get(ethdev, group, &g) : -ENOTSUP;
	if (rc == 0)
		*out = (struct nic_group){
			.flows = g.flows, .packets = g.packets, .moves = g.moves, .mixed = g.mixed};
	return rc;
}

static uint8_t
use_of(uint8_t state)
{
	static const uint8_t uses[] = {[RTE_PMD_EMUNIC_QUEUE_FREE] = NIC_GROUP_FREE,
		[RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE] = NIC_GROUP_ALONE,
		[RTE_PMD_EMUNIC_QUEUE_SHARED] = NIC_GROUP_SHARED,
		[RTE_PMD_EMUNIC_QUEUE_STOPPED] = NIC_GROUP_STOPPED};

	return state < RTE_DIM(uses) ? uses[state] : NIC_GROUP_STOPPED;
}

static int
engine_queues(uint16_t ethdev, uint16_t group, struct nic_group_queue *out, uint16_t n)
{
	struct rte_pmd_emunic_queue q[128];
	queues_fn queues;
	const uint16_t most = RTE_MIN(n, (uint16_t)RTE_DIM(q));
	int got, i;

	nic_pmd_find("rte_pmd_emunic_group_queues", &queues);
	got = queues != NULL ? queues(ethdev, group, q, most) : -ENOTSUP;
	got = RTE_MIN(got, most); // it says how many there are
	for (i = 0; i < got; i++)
		out[i] = (struct nic_group_queue){.queue = q[i].queue,
			.use = use_of(q[i].state),
			.flows = q[i].flows,
			.bps = q[i].bps};
	return got;
}

// What the engine does not look at is not compared: tags, and what is within a tunnel.
static bool
is_flow(const struct rte_pmd_emunic_flow *f, const struct flow_key *key)
{
	const size_t addr = f->ip_version == 4 ? 4 : 16;

	return f->ether_type == ntohs(key->eth_type) && f->proto == key->proto &&
	       f->src_port == ntohs(key->l4_src) && f->dst_port == ntohs(key->l4_dst) &&
	       memcmp(f->src_mac, key->eth_src, 6) == 0 &&
	       memcmp(f->dst_mac, key->eth_dst, 6) == 0 &&
	       (f->ip_version == 0 || (memcmp(f->src, key->src, addr) == 0 &&
					      memcmp(f->dst, key->dst, addr) == 0));
}

static int
engine_find(
	uint16_t ethdev, uint16_t group, const struct flow_key *key, struct nic_group_queue *out)
{
	struct rte_pmd_emunic_flow list[FLOWS_AT_ONCE];
	uint32_t next = 0;
	flows_fn flows;
	int n, i;

	nic_pmd_find("rte_pmd_emunic_group_flows", &flows);
	while (flows != NULL && (n = flows(ethdev, group, &next, list, FLOWS_AT_ONCE)) > 0) {
		for (i = 0; i < n; i++) {
			if (!is_flow(&list[i], key))
				continue;
			*out = (struct nic_group_queue){.queue = list[i].queue,
				.use = use_of(list[i].state),
				.flows = 1,
				.bps = list[i].bps};
			return 0;
		}
	}
	return -ENOENT;
}

const struct nic_engine *
nic_engine_for(const char *driver)
{
	static const struct nic_engine engine = {
		.index = RTE_PMD_EMUNIC_GROUP,
		.set = engine_set,
		.del = engine_del,
		.get = engine_get,
		.queues = engine_queues,
		.find = engine_find,
	};

	static_assert(NIC_GROUPS == RTE_PMD_EMUNIC_GROUPS, "of a port");
	return driver != NULL && strcmp(driver, "net_emunic") == 0 ? &engine : NULL;
}
