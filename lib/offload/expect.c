// SPDX-License-Identifier: BSD-3-Clause
// What flows of a kind have turned out to be, and flows that were not seen yet: the other direction
// of one that was.
//
// Problem: a flow of few packets is over before a rule for it is in force, and one whose first
// packet is large (an answer) has carried most of its bytes by then. No choice among flows that
// were seen can place those in time, even one that knows the future: of a capture of DNS at 64
// entries it gets 0.12 of the bytes. Idea: a request announces its answer. For each kind of flow
// (protocol, port of the service, towards it or from it) it is counted how many were answered so
// late that a rule would have been in force. Once that is likely, the answer's rule is ordered
// with the request's. (NICs' connection tracking installs both directions of a connection together
// too, as OVS's offload of ct does, but after both were seen.) Likewise it is counted what flows of
// a kind brought after their first report, beside what they brought in it; those of kinds that end
// there are worth little of what their rate promises (hit density instead of recency: Beckmann,
// Chen, Cidon, LHD, NSDI 2018).
// An expected flow waits and leaves by what it is worth, as others do, so that a guess takes no
// entry from a flow that uses it more. Rules that nothing came by make their kind less likely, and
// what came too soon for a rule is not counted as answered: guessing ends by itself where it is of
// no use. Cost: a hash and some sums for each report. Refuses: to guess for kinds that were seen
// fewer than KNOWN times, and what does not stay in one NIC's embedded switch.
#include <stdlib.h>

#include "base/hash.h"

#include "internal.h"

#define KNOWN 8.0       // flows of a kind before anything is concluded
#define MEMORY 128.0    // flows of a kind that count
#define OFTEN 0.05      // answers in time, of all requests
#define WAIT_LEAST 0.1  // s: traits.c takes no flow for younger either
#define SURE_OF_ONE 0.3 // of one packet's rate is believed, as in traits.c
#define LATE_WAITS 4    // answers usually came in that
#define SMOOTH 16       // answers
#define PROMISE_LEAST 0.02
#define MANY 64

// Ports below the other one's are the service's.
uint8_t
offload_kind_of(const struct flow_key *key)
{
	uint16_t src = (uint16_t)(key->l4_src << 8 | key->l4_src >> 8);
	uint16_t dst = (uint16_t)(key->l4_dst << 8 | key->l4_dst >> 8);
	bool there = dst <= src;
	uint64_t word =
		(uint64_t)key->proto << 32 | (uint64_t)key->l3 << 24 | (uint64_t)there << 16;

	word |= there ? dst : src;
	return (uint8_t)(sl_hash_words(&word, 1, 7) % OF_KINDS);
}

// Those of the VM that sends the flow, or gets what no VM sends: what a VM does changes what is
// expected of its own flows, and of no other VM's. NULL: the VM has none yet.
static const struct of_kind *
kinds_of(const struct offload *o, const struct of_flow *f)
{
	const uint16_t vm = offload_vm_sends(&f->d);

	return vm != OFFLOAD_NONE ? o->vm[vm].kinds : o->kinds;
}

// NULL: no memory.
static struct of_kind *
kind_of(struct offload *o, const struct of_flow *f)
{
	const uint16_t vm = offload_vm_sends(&f->d);
	struct of_vm *v;

	if (vm == OFFLOAD_NONE)
		return &o->kinds[f->kind];
	v = &o->vm[vm];
	if (!v->kinds)
		v->kinds = calloc(OF_KINDS, sizeof(*v->kinds));
	return v->kinds ? &v->kinds[f->kind] : NULL;
}

void
offload_kinds_forget(struct offload *o, uint16_t vm)
{
	if (vm == OFFLOAD_NONE || !LIST_EMPTY(&o->vm[vm].flows[0]) ||
		!LIST_EMPTY(&o->vm[vm].flows[1]))
		return;
	free(o->vm[vm].kinds);
	o->vm[vm].kinds = NULL;
}

// The bytes of a report are in f's sums already.
void
offload_kind_seen(struct offload *o, struct of_flow *f, uint64_t bytes)
{
	struct of_kind *k = kind_of(o, f);

	if (!k)
		return;
	if (f->told) {
		k->later += (double)bytes;
		return;
	}
	f->told = true;
	k->first += (double)bytes;
	if (++k->flows < MEMORY)
		return;
	k->flows /= 2;
	k->first /= 2;
	k->later /= 2;
}

// How much a flow is worth of what its rate promises. One that went on for MANY packets has shown
// what it is.
double
offload_kind_promise(const struct offload *o, const struct of_flow *f)
{
	const struct of_kind *k = kinds_of(o, f);
	double p, gone_on = (double)f->all_packets / MANY;

	if (!k)
		return 1;
	k += f->kind;
	if (k->flows < KNOWN || k->later >= k->first || gone_on >= 1)
		return 1;
	p = k->later > k->first * PROMISE_LEAST ? k->later / k->first : PROMISE_LEAST;
	return p + (1 - p) * gone_on;
}

static bool
same_nic(const struct of_flow *f)
{
	return f->d.in.nic < OFFLOAD_NICS_MAX && f->d.in.nic == f->d.out.nic &&
	       f->d.out.vport != OFFLOAD_NONE && !f->d.drop;
}

static double
likely(const struct of_kind *k)
{
	return k && k->asked >= KNOWN ? k->answered / k->asked : 0;
}

static void
asked(struct of_kind *k)
{
	if (!k)
		return;
	k->asked++;
	if (k->asked >= MEMORY) {
		k->asked /= 2;
		k->answered /= 2;
	}
}

// What a rule for it would have carried by its first report.
static void
answered(struct of_kind *k, double waited_s, uint64_t bytes)
{
	if (!k)
		return;
	k->answered++;
	k->wait_s += (waited_s - k->wait_s) / (k->answered < SMOOTH ? k->answered : SMOOTH);
	k->bytes += ((double)bytes - k->bytes) / (k->answered < SMOOTH ? k->answered : SMOOTH);
}

void
offload_expect_new(struct offload *o, struct of_flow *f, uint64_t bytes)
{
	struct of_flow *r = offload_table_get(o, f->reverse);
	const struct of_nic *n;
	uint64_t waited;

	if (!same_nic(f))
		return;
	if (!r || r->expected || r->answered) {
		asked(kind_of(o, f));
		return;
	}
	n = &o->nic[f->d.in.nic];
	waited = o->now - r->first_ns;
	r->answered = f->answered = true;
	if (waited > (uint64_t)(n->op_ns > 0 ? n->op_ns : OF_EXPECT_OP_NS))
		answered(kind_of(o, r), (double)waited / 1e9, bytes);
}

// The first packets of an expected flow: carried by its rule, or come to the host before that.
void
offload_expect_seen(struct offload *o, struct of_flow *f, bool carried, uint64_t bytes)
{
	struct of_flow *r = offload_table_get(o, f->reverse);

	f->expected = false;
	f->answered = true;
	if (r)
		r->answered = true;
	if (r && carried)
		answered(kind_of(o, r), (double)(o->now - f->first_ns) / 1e9, bytes);
}

double
offload_expect_worth(const struct of_flow *f, uint64_t now)
{
	double age = (double)(now - f->first_ns) / 1e9, late = age / f->expect_s / LATE_WAITS;

	return f->expect_bytes / f->expect_s / (1 + late * late);
}

bool
offload_flow_expects(struct offload *o, uint32_t id, struct flow_key *key)
{
	struct of_flow *f = offload_table_get(o, id);

	return f && f->all_packets > 0 && !f->answered && f->reverse == OF_NEVER && same_nic(f) &&
	       !f->d.depends && !f->d.fragments && o->cfg.enabled &&
	       likely(kind_of(o, f)) >= OFTEN && flow_key_reverse(&f->key, f->d.out.vport, key);
}

uint32_t
offload_flow_expect(struct offload *o, uint32_t id, const struct flow_key *key,
	const struct offload_decision *d)
{
	struct of_flow *f = offload_table_get(o, id), *r;
	struct of_kind *k;
	uint32_t tick;

	if (!f || d->in.nic != f->d.out.nic || d->out.vport != f->key.vport || d->depends ||
		d->fragments || d->served != OFFLOAD_SERVED_NO || !d->eswitch_ok ||
		offload_table_find(o, key))
		return OF_NEVER;
	o->now = sl_now(o->clock);
	// Whoever leaves a full table for it, it is not the flow that announces it.
	tick = f->order_tick;
	f->order_tick = o->tick;
	r = offload_table_add(o, key, f->worker, d);
	f->order_tick = tick;
	if (!r)
		return OF_NEVER;
	k = kind_of(o, f);
	r->expected = true;
	r->expect_s = k && k->wait_s > WAIT_LEAST ? k->wait_s : WAIT_LEAST;
	r->expect_bytes = k ? SURE_OF_ONE * k->bytes * likely(k) : 0;
	offload_todo(o, r, OF_DIRTY);
	return r->id.index;
}
