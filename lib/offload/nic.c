// SPDX-License-Identifier: BSD-3-Clause
// NICs, their table entries and who has them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct of_nic *
offload_nic(struct offload *o, uint16_t nic)
{
	if (nic >= OFFLOAD_NICS_MAX || !o->nic[nic].present || o->nic[nic].gone ||
		o->nic[nic].drained)
		return NULL;
	return &o->nic[nic];
}

static void
nic_fini(struct of_nic *n)
{
	uint16_t i;

	for (i = 0; n->port && i < n->ports; i++)
		offload_port_fini(&n->port[i]);
	free(n->port);
	free(n->residents);
	offload_rush_fini(n);
	offload_heap_fini(&n->wait);
	memset(n, 0, sizeof(*n));
}

static void
judge_all(struct offload *o)
{
	uint32_t id;

	for (id = 0; id < o->cfg.flows_max; id++) {
		if (o->flows[id])
			offload_todo(o, o->flows[id], OF_DIRTY);
	}
}

int
offload_nic_add(struct offload *o, uint16_t nic, const struct offload_nic_cfg *cfg)
{
	struct of_nic *n;
	uint16_t i;
	int ret = 0;

	if (nic >= OFFLOAD_NICS_MAX || !cfg->ports || cfg->ports > OFFLOAD_NIC_PORTS_MAX)
		return -EINVAL;
	n = &o->nic[nic];
	if (n->present)
		return -EEXIST;
	n->nic = nic;
	n->name = cfg->name;
	n->eswitch = cfg->eswitch;
	n->mark = cfg->mark;
	n->cfg_limit = n->limit = cfg->rule_limit;
	n->limit_known = cfg->rule_limit > 0;
	n->probe_step = n->epoch = 1;
	offload_capacity_init(n);
	n->ports = cfg->ports;
	n->port = calloc(cfg->ports, sizeof(*n->port));
	if (!n->port)
		ret = -ENOMEM;
	for (i = 0; ret == 0 && i < cfg->ports; i++)
		ret = offload_port_init(o, &n->port[i], nic, i, &cfg->port[i]);
	if (ret < 0) {
		nic_fini(n);
		return ret;
	}
	n->present = true;
	judge_all(o);
	return 0;
}

void
offload_nic_gone_but(struct offload *o, uint16_t nic, const uint64_t *done)
{
	struct of_nic *n;
	uint32_t id;
	uint16_t port, i;
	int kind;

	if (nic >= OFFLOAD_NICS_MAX || !o->nic[nic].present || o->nic[nic].gone)
		return;
	n = &o->nic[nic];
	n->gone = true;
	n->drained = false;
	n->rush = 0;
	offload_rush_fini(n);
	for (id = 0; id < o->cfg.flows_max; id++) {
		struct of_flow *f = o->flows[id];

		if (!f || (done && done[id / 64] >> id % 64 & 1))
			continue;
		if (f->d.in.nic == nic || f->side[OFFLOAD_IN].nic == nic)
			offload_side_reset(o, f, &f->side[OFFLOAD_IN], OFFLOAD_R_NIC_GONE);
		if (f->d.out.nic == nic ||
			(f->side[OFFLOAD_OUT].hold[OF_HOLD_PLACE].account &&
				f->side[OFFLOAD_OUT].hold[OF_HOLD_PLACE].account->q.id.nic == nic))
			offload_side_reset(o, f, &f->side[OFFLOAD_OUT], OFFLOAD_R_NIC_GONE);
	}
	n->inflight = n->leaving = 0;
	for (port = 0; port < n->ports; port++) {
		for (kind = OFFLOAD_RX; kind <= OFFLOAD_VF; kind++) {
			for (i = 0; i < n->port[port].n[kind]; i++)
				n->port[port].account[kind][i].q.state = OFFLOAD_Q_STOPPED;
		}
	}
}

void
offload_nic_gone(struct offload *o, uint16_t nic)
{
	offload_nic_gone_but(o, nic, NULL);
}

// What is known of the size of the table is known of what flows may have of it. Where the others
// hold more than that, the size is still known: limit is 0, and overdrawn what is missing.
void
offload_nic_reserve(struct offload *o, uint16_t nic, uint32_t entries)
{
	struct of_nic *n = offload_nic(o, nic);
	uint32_t size;

	if (!n || n->reserved == entries)
		return;
	size = n->limit + n->reserved - (n->limit == 0 ? n->overdrawn : 0);
	if (n->cfg_limit && size > n->cfg_limit)
		size = n->cfg_limit;
	n->reserved = entries;
	if (!n->limit_known)
		return;
	n->limit = size > entries ? size - entries : 0;
	n->overdrawn = entries > size ? entries - size : 0;
	n->giving_way = n->entries > n->limit;
}

bool
offload_nic_crowded(const struct offload *o, uint16_t nic)
{
	return nic < OFFLOAD_NICS_MAX && o->nic[nic].present && o->nic[nic].giving_way;
}

void
offload_nic_del(struct offload *o, uint16_t nic)
{
	offload_nic_gone(o, nic);
	if (nic < OFFLOAD_NICS_MAX && o->nic[nic].present)
		nic_fini(&o->nic[nic]);
}

void
offload_reconfigure(struct offload *o, const struct offload_cfg *cfg)
{
	uint32_t flows_max = o->cfg.flows_max, workers = o->cfg.workers;
	uint16_t i;

	o->cfg = *cfg;
	o->cfg.flows_max = flows_max;
	o->cfg.workers = workers;
	for (i = 0; i < OFFLOAD_NICS_MAX; i++)
		offload_shapes_forgive(&o->nic[i]);
	judge_all(o);
}

// ---- entries

void
offload_entry_take(struct offload *o, struct of_flow *f, struct of_side *s, uint16_t nic)
{
	s->has_entry = true;
	s->nic = nic;
	s->charged_vm = offload_vm(&f->d);
	o->nic[nic].entries++;
	offload_vm_count_entry(o, s->charged_vm, nic, 1);
	offload_part_settle(o, f);
}

void
offload_entry_release(struct offload *o, struct of_side *s)
{
	offload_shape_release(o, s);
	if (!s->has_entry)
		return;
	s->has_entry = false;
	o->nic[s->nic].entries--;
	offload_vm_count_entry(o, s->charged_vm, s->nic, -1);
	offload_part_settle(o, offload_flow_of(s));
	s->nic = OFFLOAD_NONE;
}

bool
offload_resident_add(struct of_nic *n, struct of_side *s)
{
	if (n->n_residents == n->cap_residents) {
		uint32_t cap = n->cap_residents ? n->cap_residents * 2 : 64;
		struct of_side **v = realloc(n->residents, cap * sizeof(*v));

		if (!v)
			return false;
		n->residents = v;
		n->cap_residents = cap;
	}
	s->resident = n->n_residents;
	n->residents[n->n_residents++] = s;
	if (n->limit_known && !n->giving_way && n->n_residents > n->limit)
		n->limit = n->n_residents;
	return true;
}

void
offload_resident_del(struct of_nic *n, struct of_side *s)
{
	struct of_side *last;

	if (s->resident == OF_NEVER)
		return;
	offload_pool_forget(n, s);
	last = n->residents[--n->n_residents];
	n->residents[s->resident] = last;
	last->resident = s->resident;
	s->resident = OF_NEVER;
}
