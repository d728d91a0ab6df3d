// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/program.h"

#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "emunic.h"
#include "eswitch/meter.h"
#include "port/offload.h"
#include "eswitch/rss_rule.h"

void
emu_op_release(const struct emu_op *op)
{
	if (op->code == EMU_OP_METER) {
		op->meter->users--;
	} else if (op->code == EMU_OP_SAMPLE) {
		emu_actions_release(&op->sample->act);
		rte_free(op->sample);
	}
}

void
emu_actions_release(struct emu_actions *act)
{
	struct emu_program *g = act->program;

	if (g == NULL)
		return;
	for (unsigned int i = 0; i < g->n_ops; i++)
		emu_op_release(&g->ops[i]);
	for (unsigned int i = 0; i < EMU_MAX_ENCAPS; i++)
		rte_free(g->encap[i]);
	emu_rss_rule_put(g->rss);
	rte_free(g);
	act->program = NULL;
}

static emu_u128
low_bits(unsigned int n)
{
	return n < EMU_FIELD_MAX_BITS ? ((emu_u128)1 << n) - 1 : ~(emu_u128)0;
}

static void
modify(struct emu_pkt *p, const struct emu_op *op)
{
	emu_u128 mask = low_bits(op->width), was, v;

	if (!emu_field_get(p, op->dst, &was))
		return;
	if (op->src == EMU_FIELD_NONE)
		v = (emu_u128)op->value[1] << 64 | op->value[0];
	else if (emu_field_get(p, op->src, &v))
		v >>= op->src_at;
	else
		return;
	if (op->how == EMU_ADD)
		v = (was >> op->dst_at) + v;
	else if (op->how == EMU_SUB)
		v = (was >> op->dst_at) - v;
	was &= ~(mask << op->dst_at);
	emu_field_set(p, op->dst, was | (v & mask) << op->dst_at);
}

static void
put(struct emu_pkt *p, const struct emu_op *op)
{
	emu_u128 was;

	if (emu_field_get(p, op->dst, &was))
		emu_field_set(p, op->dst, (was & ~(emu_u128)op->value[1]) | op->value[0]);
}

// False when nothing is left of the packet's time to live.
static bool
dec_ttl(struct emu_pkt *p)
{
	enum emu_field f = p->key.layers & EMU_L_IPV4 ? EMU_FIELD_IP4_TTL : EMU_FIELD_IP6_HOPS;
	emu_u128 ttl;

	if (!emu_field_get(p, f, &ttl))
		return true;
	if (ttl <= 1)
		return false;
	emu_field_set(p, f, ttl - 1);
	return true;
}

// Reads the headers anew after they were moved.
static bool
parse_again(struct emu_pkt *p)
{
	return emu_parse(p, p->key.port, p->key.layers & EMU_L_HOST);
}

// What runs keep beside the packet.
struct run {
	struct emu_nic *nic;
	const struct emu_program *program;
	enum emu_drop why;
	bool moved; // headers were put on or taken away since the packet was parsed
};

static bool
no(struct run *r, enum emu_drop why)
{
	r->why = why;
	return false;
}

// Reads the headers anew after tunnel headers were put on or taken away.
static bool
settle(struct run *r, struct emu_pkt *p)
{
	r->moved = false;
	if (!parse_again(p))
		return no(r, EMU_DROP_EDIT);
	return emu_own(p, r->nic->pool, emu_field_reach(p), r->program->grows) ||
	       no(r, EMU_DROP_NO_BUFFER);
}

static bool
encap(struct run *r, struct emu_pkt *p, const struct emu_encap *e)
{
	bool udp_sum;

	if (!emu_encapsulate(p, r->nic->pool, e, &udp_sum))
		return no(r, EMU_DROP_EDIT);
	if (!udp_sum)
		return true;
	if (!settle(r, p))
		return false;
	p->l4_sum = (p->key.layers & EMU_L_UDP) != 0;
	return true;
}

static bool
strip(struct run *r, struct emu_pkt *p, uint32_t n)
{
	return (n > 0 && emu_strip(p, r->nic->pool, n)) || no(r, EMU_DROP_EDIT);
}

// Operations that put tunnel headers on or take them away.
static bool
reframe(struct run *r, struct emu_pkt *p, const struct emu_op *op)
{
	// How much there is to take away is in the headers as they are by now.
	if (r->moved && op->code == EMU_OP_VXLAN_DECAP && !settle(r, p))
		return false;
	if (!emu_own(p, r->nic->pool, emu_field_reach(p), r->program->grows))
		return no(r, EMU_DROP_NO_BUFFER);
	if (!r->moved && !emu_reframe_finish(p))
		return no(r, EMU_DROP_BAD_OFFLOAD);
	r->moved = true;
	if (op->code == EMU_OP_ENCAP)
		return encap(r, p, r->program->encap[op->arg]);
	return strip(r, p, op->code == EMU_OP_STRIP ? op->arg : emu_vxlan_overhead(p));
}

static bool
retag(struct run *r, struct emu_pkt *p, const struct emu_op *op)
{
	// A tag moves what is left to the way out together with its headers.
	if (op->code == EMU_OP_POP_VLAN)
		emu_pop_vlan(p);
	else if (!emu_push_vlan(p, op->arg))
		return no(r, EMU_DROP_NO_BUFFER);
	if (!parse_again(p))
		return no(r, EMU_DROP_EDIT);
	// What was left to the way out has to be done in headers that are found: behind two tags.
	if (((p->gso || p->l4_sum) && !(p->key.layers & (EMU_L_TCP | EMU_L_UDP))) ||
		(p->ip_sum && !(p->key.layers & EMU_L_IPV4)))
		return no(r, EMU_DROP_EDIT);
	return true;
}

// What becomes of a copy.
static void
finish_copy(struct emu_nic *nic, const struct emu_sample *s, struct emu_pkt *p)
{
	if (s->act.mark) {
		p->marked = true;
		p->mark = s->act.mark_id;
	}
	if (s->act.program != NULL && !emu_program_run(nic, p, s->act.program))
		return;
	if (s->act.fate == EMU_FATE_QUEUE || s->act.fate == EMU_FATE_RSS)
		emu_host_queue(nic, s->port, p, &s->act);
	else
		emu_switch_out(nic, p, &s->act);
}

static void
sample(struct emu_nic *nic, const struct emu_pkt *p, struct emu_sample *s)
{
	struct emu_segments segments;
	struct emu_pkt copy = *p, segment;

	if (++s->since < s->ratio)
		return;
	s->since = 0;
	nic->copies++;
	copy.m = rte_pktmbuf_copy(p->m, nic->pool, 0, UINT32_MAX);
	if (copy.m == NULL) {
		nic->drops[EMU_DROP_NO_BUFFER]++;
		return;
	}
	if (!emu_must_split(&copy, &s->act)) {
		finish_copy(nic, s, &copy);
		return;
	}
	emu_segments_init(&segments, &copy);
	while (emu_next_segment(nic, &segments, &segment))
		finish_copy(nic, s, &segment);
	rte_pktmbuf_free(copy.m);
}

static bool
step(struct run *r, struct emu_pkt *p, const struct emu_op *op)
{
	switch (op->code) {
	case EMU_OP_MODIFY:
		modify(p, op);
		return true;
	case EMU_OP_PUT:
		put(p, op);
		return true;
	case EMU_OP_DEC_TTL:
		return dec_ttl(p) || no(r, EMU_DROP_TTL);
	case EMU_OP_PUSH_VLAN:
	case EMU_OP_POP_VLAN:
		return retag(r, p, op);
	case EMU_OP_METER:
		return emu_meter_run(op->meter, p) || no(r, EMU_DROP_METER);
	case EMU_OP_SAMPLE:
		sample(r->nic, p, op->sample);
		return true;
	case EMU_OP_FLAG:
		p->flagged = true;
		return true;
	default:
		return true;
	}
}

static bool
is_reframe(const struct emu_op *op)
{
	return op->code == EMU_OP_STRIP || op->code == EMU_OP_VXLAN_DECAP ||
	       op->code == EMU_OP_ENCAP;
}

static bool
run_ops(struct run *r, struct emu_pkt *p)
{
	const struct emu_program *g = r->program;

	if (g->writes && !emu_own(p, r->nic->pool, emu_field_reach(p), g->grows))
		return no(r, EMU_DROP_NO_BUFFER);
	for (unsigned int i = 0; i < g->n_ops; i++) {
		const struct emu_op *op = &g->ops[i];

		if (is_reframe(op)) {
			if (!reframe(r, p, op))
				return false;
			continue;
		}
		if (r->moved && !settle(r, p))
			return false;
		if (!step(r, p, op))
			return false;
	}
	return !r->moved || settle(r, p);
}

bool
emu_program_run(struct emu_nic *nic, struct emu_pkt *p, const struct emu_program *g)
{
	struct run r = {.nic = nic, .program = g};

	if (likely(run_ops(&r, p)))
		return true;
	emu_drop(nic, r.why, p->m);
	return false;
}
