// SPDX-License-Identifier: BSD-3-Clause
#include "assign/groups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#define FAIL(code, ...) (snprintf(why, why_len, __VA_ARGS__), -(code))

static_assert(RTE_PMD_EMUNIC_GROUP >= EMU_MAX_QUEUES, "a queue is no group");

static bool
queue_usable(void *arg, uint16_t queue)
{
	const struct emu_port *port = arg;

	return queue < port->n_rxq && port->rxq[queue] != NULL && port->rxq[queue]->started;
}

// The ring's count of all that ever went in, what is staged for it included.
static uint32_t
queue_place(void *arg, uint16_t queue, uint32_t n)
{
	const struct emu_port *port = arg;

	if (!queue_usable(arg, queue))
		return 0;
	return port->rxq[queue]->ring->prod.tail + port->rxq[queue]->n_staged + n;
}

// A place may be too far, where a packet was lost on its way into the ring: an empty one has
// passed all.
static bool
queue_passed(void *arg, uint16_t queue, uint32_t place)
{
	const struct emu_port *port = arg;
	const struct emu_rxq *q = queue < EMU_MAX_QUEUES ? port->rxq[queue] : NULL;
	uint32_t taken;

	if (q == NULL)
		return true;
	taken = __atomic_load_n(&q->ring->cons.tail, __ATOMIC_ACQUIRE);
	return (int32_t)(taken - place) >= 0 || (q->n_staged == 0 && taken == q->ring->prod.tail);
}

static const struct emu_assign_ops queue_ops = {queue_usable, queue_place, queue_passed};

struct emu_assign *
emu_groups_get(const struct emu_port *port, uint16_t group)
{
	return port->groups != NULL && group < RTE_PMD_EMUNIC_GROUPS ? port->groups->group[group]
								     : NULL;
}

uint32_t
emu_groups_rules(const struct emu_port *port, uint16_t group)
{
	const struct rte_flow *rule;
	uint32_t n = 0;

	TAILQ_FOREACH(rule, &port->rules, list)
	n += rule->act.fate == EMU_FATE_GROUP && rule->act.target == group;
	return n;
}

// Whether the port can have such a group beside the others.
static int
check(const struct emu_port *port, uint16_t group, const struct emu_assign_conf *conf, char *why,
	size_t why_len)
{
	for (uint16_t i = 0; i < conf->n_queues; i++)
		if (conf->queues[i] >= port->max_queues)
			return FAIL(EINVAL, "queues: the port has queues 0 to %u, so no %u",
				port->max_queues - 1, conf->queues[i]);
	if (conf->overflow != EMU_MIX && conf->overflow >= port->max_queues)
		return FAIL(EINVAL, "overflow: the port has queues 0 to %u, so no %u",
			port->max_queues - 1, conf->overflow);
	for (uint16_t g = 0; g < RTE_PMD_EMUNIC_GROUPS; g++) {
		const struct emu_assign *other = emu_groups_get(port, g);

		if (other == NULL || g == group)
			continue;
		for (uint16_t i = 0; i < conf->n_queues; i++)
			if (other->slot[conf->queues[i]].member)
				return FAIL(EBUSY, "queue %u is of group %u", conf->queues[i], g);
		if (conf->overflow != EMU_MIX && other->slot[conf->overflow].member)
			return FAIL(EBUSY, "overflow: queue %u is of group %u", conf->overflow, g);
		for (uint16_t i = 0; i < conf->n_queues; i++)
			if (conf->queues[i] == other->conf.overflow)
				return FAIL(EBUSY, "queue %u takes the overflow of group %u",
					conf->queues[i], g);
	}
	return 0;
}

static int
change(struct emu_port *port, uint16_t group, const char *text, char *why, size_t why_len)
{
	struct emu_assign *a = port->groups->group[group];
	struct emu_assign_conf conf = a->conf;
	int ret = emu_assign_parse(&conf, text, why, why_len);

	if (ret == 0)
		ret = check(port, group, &conf, why, why_len);
	if (ret == 0 && conf.flows != a->conf.flows)
		ret = FAIL(EINVAL, "flows=%u: the group was made with flows=%u, which stays",
			conf.flows, a->conf.flows);
	if (ret == 0)
		emu_assign_change(a, &conf, rte_get_tsc_cycles());
	return ret;
}

// Memory is taken outside of the gate, which packets wait for.
static int
make(struct emu_port *port, uint16_t group, const char *text, char *why, size_t why_len)
{
	struct emu_groups *groups = rte_zmalloc("emunic groups", sizeof(*groups), 0);
	struct emu_assign_conf conf;
	struct emu_assign *a = NULL;
	int ret;

	emu_assign_defaults(&conf);
	ret = emu_assign_parse(&conf, text, why, why_len);
	if (ret == 0) {
		a = emu_assign_new(&conf, rte_get_tsc_hz(), &queue_ops, port, port->nic->socket_id);
		if (a == NULL || groups == NULL)
			ret = FAIL(ENOMEM, "no memory for %u flows", conf.flows);
	}
	emu_gate_enter(&port->nic->gate);
	if (ret == 0 && port->groups == NULL) {
		port->groups = groups;
		groups = NULL;
	}
	if (ret == 0)
		ret = check(port, group, &conf, why, why_len);
	if (ret == 0 && port->groups->group[group] != NULL)
		ret = FAIL(EBUSY, "somebody else made group %u at the same time", group);
	if (ret == 0) {
		port->groups->group[group] = a;
		a = NULL;
	}
	emu_gate_leave(&port->nic->gate);
	emu_assign_free(a);
	rte_free(groups);
	return ret;
}

int
emu_groups_set(struct emu_port *port, uint16_t group, const char *text, char *why, size_t why_len)
{
	bool is_there, gone;
	int ret = 0;

	if (group >= RTE_PMD_EMUNIC_GROUPS)
		return FAIL(EINVAL, "a port has groups 0 to %d", RTE_PMD_EMUNIC_GROUPS - 1);
	emu_gate_enter(&port->nic->gate);
	gone = port->nic->gone;
	is_there = emu_groups_get(port, group) != NULL;
	if (is_there && !gone)
		ret = change(port, group, text, why, why_len);
	emu_gate_leave(&port->nic->gate);
	if (gone)
		return FAIL(ENODEV, "the device is gone (remove_ms)");
	return is_there ? ret : make(port, group, text, why, why_len);
}

int
emu_groups_del(struct emu_port *port, uint16_t group, char *why, size_t why_len)
{
	struct emu_assign *a;
	uint32_t rules = 0;

	emu_gate_enter(&port->nic->gate);
	a = emu_groups_get(port, group);
	if (a != NULL)
		rules = emu_groups_rules(port, group);
	if (a != NULL && rules == 0)
		port->groups->group[group] = NULL;
	emu_gate_leave(&port->nic->gate);
	if (a == NULL)
		return FAIL(ENOENT, "the port has no group %u", group);
	if (rules > 0)
		return FAIL(EBUSY, "%u rule%s to group %u", rules, rules == 1 ? " sends" : "s send",
			group);
	emu_assign_free(a);
	return 0;
}

static void
read_key(const struct emu_pkt *p, struct emu_assign_key *key, struct emu_assign_traits *traits)
{
	const union emu_key *k = &p->key;

	memset(key, 0, sizeof(*key));
	key->side = k->port;
	key->layers = k->layers & ~EMU_L_MARKED;
	memcpy(key->dst_mac, k->dst, sizeof(key->dst_mac));
	memcpy(key->src_mac, k->src, sizeof(key->src_mac));
	memcpy(key->src, k->ip_src, sizeof(key->src));
	memcpy(key->dst, k->ip_dst, sizeof(key->dst));
	key->proto = k->proto;
	key->eth_type = rte_be_to_cpu_16(k->eth_type);
	*traits = (struct emu_assign_traits){.mark = p->marked ? p->mark : 0};
	if (k->layers & EMU_L_VLAN) {
		key->vlan[0] = rte_be_to_cpu_16(k->tci) & 0xfff;
		key->eth_type = rte_be_to_cpu_16(k->vlan_type);
		traits->pcp = rte_be_to_cpu_16(k->tci) >> 13;
	}
	if (k->layers & EMU_L_VLAN2) {
		key->vlan[1] = rte_be_to_cpu_16(k->tci2) & 0xfff;
		key->eth_type = rte_be_to_cpu_16(k->vlan2_type);
	}
	if (k->layers & (EMU_L_TCP | EMU_L_UDP | EMU_L_SCTP | EMU_L_ICMP | EMU_L_ICMP6)) {
		key->sport = k->sport;
		key->dport = k->dport;
	}
	if (k->layers & (EMU_L_IPV4 | EMU_L_IPV6))
		traits->dscp = k->tos >> 2;
}

uint16_t
emu_groups_pick(const struct emu_port *port, uint16_t group, const struct emu_pkt *p)
{
	struct emu_assign *a = emu_groups_get(port, group);
	struct emu_assign_traits traits;
	struct emu_assign_key key;
	uint32_t n = 1;

	if (a == NULL) // no rule outlives its group
		return EMU_ASSIGN_NONE;
	read_key(p, &key, &traits);
	if (p->gso)
		n = p->m->pkt_len / RTE_MAX(p->mss, 1) + 1;
	return emu_assign_pick(a, &key, &traits, p->m->pkt_len, n, rte_get_tsc_cycles());
}

void
emu_groups_review(struct emu_nic *nic)
{
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		const struct emu_port *port = nic->ports[i];

		for (uint16_t g = 0;
			port != NULL && port->groups != NULL && g < RTE_PMD_EMUNIC_GROUPS; g++)
			if (port->groups->group[g] != NULL)
				emu_assign_review(port->groups->group[g], rte_get_tsc_cycles());
	}
}

void
emu_groups_forget(struct emu_port *port)
{
	for (uint16_t g = 0; port->groups != NULL && g < RTE_PMD_EMUNIC_GROUPS; g++)
		if (port->groups->group[g] != NULL)
			emu_assign_forget(port->groups->group[g]);
}

void
emu_groups_free(struct emu_port *port)
{
	struct emu_groups *groups = port->groups;

	for (uint16_t g = 0; groups != NULL && g < RTE_PMD_EMUNIC_GROUPS; g++)
		emu_assign_free(groups->group[g]);
	port->groups = NULL;
	rte_free(groups);
}
