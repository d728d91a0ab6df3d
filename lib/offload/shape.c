// SPDX-License-Identifier: BSD-3-Clause
// Rule shapes of a NIC: how many fit, which are refused, and when they are tried again.
#include "offload/shape.h"

#include <stdio.h>
#include <string.h>

#include <netinet/in.h>

#include <bsd/string.h>

#include "base/hash.h"

#include "internal.h"

#define RETRY_MS 30000
#define PROBE_LEAST 16          // entries may be tried at a time, and a part of the table
#define PROBE_ON_NS SL_NS_PER_S // after a success
#define RETRY_SHIFT 5           // doubled so often at most
#define SOON_NS SL_NS_PER_S     // when a try ended without a verdict

static void
set_refused(struct of_nic *n, struct of_shape *sh, bool refused)
{
	n->n_refused += refused;
	n->n_refused -= sh->refused;
	sh->refused = refused;
}

// Which items and actions a rule for the flow needs; no values.
static uint64_t
hash_of(const struct of_flow *f, uint8_t path)
{
	const struct flow_key *k = &f->key;
	uint64_t w[2] = {0};
	uint8_t bytes[16] = {0};
	unsigned i;

	bytes[0] = path == OFFLOAD_ESWITCH ? (f->d.drop ? 2 : 1) : 0;
	bytes[1] = k->l3;
	bytes[2] = k->l3 == FLOW_L3_NONE ? 0 : k->proto;
	bytes[3] = (k->vlan[0] > 0) + (k->vlan[1] > 0);
	bytes[4] = (uint8_t)((k->dscp > 0) | (k->ttl > 0) << 1 | (k->tcp_flags > 0) << 2 |
			     (k->frag > 0) << 3 | (((k->vlan[0] | k->vlan[1]) & 0xe000) > 0) << 4 |
			     (k->eth_type == 0) << 5);
	bytes[5] = f->d.in.port > 0;
	bytes[6] = f->d.out.port > 0;
	if (path == OFFLOAD_ESWITCH) {
		for (i = 0; i < f->d.actions.n && i < FLOW_ACTIONS_MAX; i++)
			bytes[7 + i] = f->d.actions.list[i].type + 1;
	}
	memcpy(w, bytes, sizeof(w));
	return sl_hash_words(w, 2, 0);
}

static const char *
proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return " tcp";
	case IPPROTO_UDP:
		return " udp";
	case IPPROTO_SCTP:
		return " sctp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return " icmp";
	default:
		return " other";
	}
}

static void
describe(const struct of_flow *f, uint8_t path, char *buf, unsigned long len)
{
	const struct flow_key *k = &f->key;
	unsigned vlans = (k->vlan[0] > 0) + (k->vlan[1] > 0);

	snprintf(buf, len, "%s%s%s%s, in by %s%s",
		path != OFFLOAD_ESWITCH ? "to-queue"
		: f->d.drop             ? "drop"
					: "to-port",
		k->l3 == FLOW_L3_IPV4   ? " ipv4"
		: k->l3 == FLOW_L3_IPV6 ? " ipv6"
					: " eth",
		k->l3 == FLOW_L3_NONE ? "" : proto_name(k->proto),
		vlans == 0   ? ""
		: vlans == 1 ? " vlan"
			     : " qinq",
		f->d.in.port > 0 ? "a VF" : "the PF",
		path == OFFLOAD_ESWITCH && f->d.actions.n > 1 ? ", rewriting" : "");
}

static struct of_shape *
find(const struct of_nic *n, uint64_t hash)
{
	uint32_t i;

	for (i = 0; i < n->n_shapes; i++) {
		if (n->shapes[i].hash == hash)
			return (struct of_shape *)(uintptr_t)&n->shapes[i];
	}
	return NULL;
}

// A new one in the place of one that says nothing; NULL: all say something.
static struct of_shape *
make(struct of_nic *n, const struct of_flow *f, uint8_t path)
{
	uint64_t hash = hash_of(f, path);
	struct of_shape *sh = find(n, hash);
	uint32_t i;

	if (sh)
		return sh;
	if (n->n_shapes < OFFLOAD_SHAPES_MAX) {
		sh = &n->shapes[n->n_shapes++];
	} else {
		for (i = 0; i < n->n_shapes && !sh; i++) {
			const struct of_shape *old = &n->shapes[i];

			if (old->used == 0 && !old->refused && !old->limit_known)
				sh = &n->shapes[i];
		}
		if (!sh)
			return NULL;
	}
	memset(sh, 0, sizeof(*sh));
	sh->hash = hash;
	describe(f, path, sh->text, sizeof(sh->text));
	return sh;
}

const struct of_shape *
offload_shape_known(const struct of_nic *n, const struct of_flow *f, uint8_t path)
{
	return n->n_shapes == 0 ? NULL : find(n, hash_of(f, path));
}

struct of_shape *
offload_shape_of(struct of_nic *n, const struct of_side *s)
{
	return s->shape ? &n->shapes[s->shape - 1] : NULL;
}

// ---- who has a rule of it

void
offload_shape_take(struct offload *o, struct of_flow *f, struct of_side *s)
{
	struct of_nic *n = &o->nic[s->nic];
	struct of_shape *sh = make(n, f, s->path);

	offload_shape_release(o, s);
	if (!sh)
		return;
	s->shape = (uint8_t)(sh - n->shapes + 1);
	sh->used++;
	// A size that is configured holds, also where rules ahead of traffic have taken a part of
	// it from flows that were there.
	s->beyond = n->limit_known && n->cfg_limit == 0 && n->entries > n->limit;
	sh->trying |= s->beyond;
	s->trial = sh->refused;
	sh->retrying |= s->trial;
}

void
offload_shape_release(struct offload *o, struct of_side *s)
{
	struct of_shape *sh;

	if (!s->shape)
		return;
	sh = &o->nic[s->nic].shapes[s->shape - 1];
	sh->used--;
	if (s->beyond)
		sh->trying = false;
	if (s->trial && sh->retrying) { // no verdict came of it
		sh->retrying = false;
		if (sh->retry_ns < o->now + SOON_NS)
			sh->retry_ns = o->now + SOON_NS;
	}
	s->shape = 0;
	s->beyond = s->trial = false;
}

// Those that were refused for want of room have a table of their own: another shape found room.
static void
part_tables(struct offload *o, struct of_nic *n)
{
	uint32_t i;

	for (i = 0; i < n->n_shapes; i++) {
		struct of_shape *sh = &n->shapes[i];

		if (sh->epoch != n->epoch)
			continue;
		sh->limit = sh->full_used;
		n->n_parted += !sh->limit_known;
		sh->limit_known = true;
		sh->probe_step = 1;
		sh->probe_ns = o->now;
	}
	n->limit_known = false;
	n->epoch++;
}

void
offload_shape_accepted(struct offload *o, struct of_side *s)
{
	struct of_nic *n = &o->nic[s->nic];
	struct of_shape *sh = offload_shape_of(n, s);

	if (!sh)
		return;
	if (s->beyond && n->limit_known && n->entries > n->limit)
		part_tables(o, n);
	if (s->beyond)
		sh->trying = s->beyond = false;
	if (sh->limit_known && sh->used > sh->limit)
		sh->limit = sh->used;
	if (s->trial && !sh->dead)
		offload_shape_proved(o, s);
}

// It does what it says.
void
offload_shape_proved(struct offload *o, struct of_side *s)
{
	struct of_shape *sh;

	if (!s->trial || s->nic == OFFLOAD_NONE)
		return;
	sh = offload_shape_of(&o->nic[s->nic], s);
	s->trial = false;
	if (!sh)
		return;
	set_refused(&o->nic[s->nic], sh, false);
	sh->dead = sh->retrying = false;
	sh->fails = 0;
}

// ---- how many fit

bool
offload_entry_free(const struct of_nic *n, const struct of_flow *f, uint8_t path)
{
	const struct of_shape *sh;

	if (!n->limit_known && n->n_parted == 0)
		return true;
	sh = offload_shape_known(n, f, path);
	if (sh && sh->limit_known && sh->used >= sh->limit)
		return false;
	if (!n->limit_known || n->entries < n->limit)
		return true;
	// It has not been refused yet, at this number of entries: it may have a table of its own.
	return !n->cfg_limit && (sh ? sh->epoch != n->epoch && !sh->trying && !sh->limit_known
				    : n->n_shapes < OFFLOAD_SHAPES_MAX);
}

// 1 + the index of the flow's shape when that has a table of its own, which is full; else 0.
uint8_t
offload_shape_full(const struct of_nic *n, const struct of_flow *f, uint8_t path)
{
	const struct of_shape *sh = n->n_parted > 0 ? offload_shape_known(n, f, path) : NULL;

	return sh && sh->limit_known && sh->used >= sh->limit ? (uint8_t)(sh - n->shapes + 1) : 0;
}

// The rule of s was refused for want of room; s has given back what it had.
void
offload_limit_refused(struct offload *o, struct of_nic *n, struct of_shape *sh)
{
	uint32_t placed = sh ? sh->used : 0;

	if (sh && (sh->limit_known || (n->limit_known && n->n_residents < n->limit &&
					      !n->cfg_limit && n->n_residents > placed))) {
		n->n_parted += !sh->limit_known;
		sh->limit = placed;
		sh->limit_known = true;
		sh->probe_step = 1;
		sh->probe_ns = o->now;
		return;
	}
	n->limit = n->n_residents;
	n->overdrawn = 0;
	n->limit_known = true;
	n->probe_step = 1;
	n->probe_ns = o->now;
	if (sh) {
		sh->epoch = n->epoch;
		sh->full_used = placed;
	}
}

static uint32_t
next_step(uint32_t step, uint32_t limit)
{
	return step * 2 <= PROBE_LEAST + limit / 16 ? step * 2 : step;
}

// A step of more than one entry says that the one before found room.
static uint64_t
probe_pause(uint32_t step)
{
	return step > 1 ? PROBE_ON_NS : OF_PROBE_NS;
}

// Of the configured size, what others than flows leave.
static uint32_t
most_of(const struct of_nic *n)
{
	if (n->cfg_limit == 0)
		return UINT32_MAX;
	return n->cfg_limit > n->reserved ? n->cfg_limit - n->reserved : 0;
}

void
offload_limit_probe(struct offload *o, struct of_nic *n)
{
	uint32_t most = most_of(n), i;

	for (i = 0; i < n->n_shapes && n->n_parted > 0; i++) {
		struct of_shape *sh = &n->shapes[i];

		if (!sh->limit_known || !sh->wanted || sh->used < sh->limit ||
			o->now - sh->probe_ns < probe_pause(sh->probe_step))
			continue;
		sh->limit += sh->probe_step;
		sh->probe_step = next_step(sh->probe_step, sh->limit);
		sh->probe_ns = o->now;
		sh->wanted = false;
	}
	if (!n->limit_known || n->limit >= most || !n->table_wanted || n->entries < n->limit ||
		o->now - n->probe_ns < probe_pause(n->probe_step))
		return;
	n->limit += n->probe_step < most - n->limit ? n->probe_step : most - n->limit;
	n->probe_step = next_step(n->probe_step, n->limit);
	n->probe_ns = o->now;
}

// ---- refused

const struct of_shape *
offload_shape_refused(const struct offload *o, uint16_t nic, const struct of_flow *f, uint8_t path)
{
	const struct of_side *in = &f->side[OFFLOAD_IN];
	const struct of_nic *n = &o->nic[nic];
	const struct of_shape *sh = n->n_refused > 0 ? offload_shape_known(n, f, path) : NULL;

	if (!sh || !sh->refused || (o->now >= sh->retry_ns && !sh->retrying))
		return NULL;
	// Its own rule was taken, or is the one that tries.
	if (in->nic == nic && in->shape == sh - n->shapes + 1)
		return NULL;
	return sh;
}

void
offload_shape_refuse(struct offload *o, struct of_nic *n, struct of_shape *sh, int errno_,
	const char *text, bool dead)
{
	uint64_t ms = o->cfg.retry_ms ? o->cfg.retry_ms : RETRY_MS;

	if (!sh)
		return;
	// Others that were under way when the first was refused say nothing new.
	if (!sh->refused || o->now >= sh->retry_ns) {
		sh->retry_ns =
			o->now +
			(ms << (sh->fails < RETRY_SHIFT ? sh->fails : RETRY_SHIFT)) * SL_NS_PER_MS;
		if (sh->fails < UINT8_MAX)
			sh->fails++;
	}
	set_refused(n, sh, true);
	sh->dead = dead;
	sh->retrying = false;
	sh->refusal.errno_ = errno_;
	strlcpy(sh->refusal.text, text ? text : "", sizeof(sh->refusal.text));
}

void
offload_shapes_forgive(struct of_nic *n)
{
	uint32_t i;

	for (i = 0; i < n->n_shapes; i++) {
		set_refused(n, &n->shapes[i], false);
		n->shapes[i].dead = n->shapes[i].retrying = false;
		n->shapes[i].fails = 0;
	}
}

// ---- what people see

uint32_t
offload_shapes_count(const struct of_nic *n)
{
	return n->n_refused;
}

void
offload_shape_each(const struct offload *o, uint16_t nic, offload_shape_fn fn, void *ctx)
{
	const struct of_nic *n = nic < OFFLOAD_NICS_MAX ? &o->nic[nic] : NULL;
	uint32_t i;

	for (i = 0; n && n->present && i < n->n_shapes; i++) {
		const struct of_shape *sh = &n->shapes[i];
		struct offload_shape_info info = {.entries = sh->used,
			.limit = sh->limit_known ? sh->limit : 0,
			.full = (sh->limit_known && sh->used >= sh->limit) ||
				(n->limit_known && sh->epoch == n->epoch && n->entries >= n->limit),
			.refused = sh->refused,
			.dead = sh->refused && sh->dead,
			.retry_ns = sh->refused ? sh->retry_ns : 0,
			.failures = sh->fails,
			.driver_errno = sh->refusal.errno_};

		strlcpy(info.text, sh->text, sizeof(info.text));
		strlcpy(info.driver_text, sh->refusal.text, sizeof(info.driver_text));
		fn(ctx, &info);
	}
}
