// SPDX-License-Identifier: BSD-3-Clause
#include "placement_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/hash.h"
#include "flow/parse.h"

#define FRAME_MAX (256 * 1024) // what is longer is parsed as far as that
#define GAP_MAX_NS 1000000000ULL
#define NO_TIME_NS 100000ULL
#define DAY_NS (86400ULL * 1000000000ULL)

struct loader {
	gzFile file;
	bool swap, nano;
	struct trace *t;
	uint64_t last; // timestamp of the last record
	uint64_t now;  // before the speed
	bool any_time; // two timestamps differ
	uint32_t cap_pkts, cap_flows;
	uint32_t *slots, mask; // flow + 1 by hash of its key
	uint8_t frame[FRAME_MAX];
};

static uint32_t
word(const struct loader *l, uint32_t w)
{
	return l->swap ? __builtin_bswap32(w) : w;
}

static int
grow_slots(struct loader *l)
{
	uint32_t size = l->mask == 0 ? 4096 : 2 * (l->mask + 1), i, at;
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;
	for (i = 0; i < l->t->n_flows; i++) {
		at = (uint32_t)flow_key_hash(&l->t->keys[i], 1) & (size - 1);
		while (slots[at] != 0)
			at = (at + 1) & (size - 1);
		slots[at] = i + 1;
	}
	free(l->slots);
	l->slots = slots;
	l->mask = size - 1;
	return 0;
}

static int
flow_of(struct loader *l, const struct flow_key *key, uint32_t *flow)
{
	struct trace *t = l->t;
	uint32_t at;

	if ((l->mask == 0 || 2 * t->n_flows >= l->mask) && grow_slots(l) != 0)
		return -ENOMEM;
	at = (uint32_t)flow_key_hash(key, 1) & l->mask;
	while (l->slots[at] != 0 && !flow_key_equal(&t->keys[l->slots[at] - 1], key))
		at = (at + 1) & l->mask;
	if (l->slots[at] == 0) {
		if (t->n_flows == l->cap_flows) {
			uint32_t cap = l->cap_flows == 0 ? 4096 : 2 * l->cap_flows;
			struct flow_key *keys = realloc(t->keys, cap * sizeof(*keys));

			if (keys == NULL)
				return -ENOMEM;
			t->keys = keys;
			l->cap_flows = cap;
		}
		t->keys[t->n_flows++] = *key;
		l->slots[at] = t->n_flows;
	}
	*flow = l->slots[at] - 1;
	return 0;
}

static uint16_t
port_of(const uint8_t *address, size_t len)
{
	return (uint16_t)(sl_hash_bytes(address, len, 1) % TRACE_PORTS);
}

uint16_t
trace_from(const struct flow_key *key)
{
	return key->l3 == FLOW_L3_NONE ? port_of(key->eth_src, sizeof(key->eth_src))
				       : port_of(key->src, sizeof(key->src));
}

uint16_t
trace_to(const struct flow_key *key)
{
	return key->l3 == FLOW_L3_NONE ? port_of(key->eth_dst, sizeof(key->eth_dst))
				       : port_of(key->dst, sizeof(key->dst));
}

static void
advance(struct loader *l, uint64_t stamp)
{
	uint64_t gap = stamp > l->last ? stamp - l->last : 0;

	if (l->t->n_pkts > 0) {
		l->any_time |= stamp != l->last;
		if (stamp + DAY_NS < l->last || gap > DAY_NS)
			l->t->real_timing = false;
		l->now += gap < GAP_MAX_NS ? gap : GAP_MAX_NS;
	}
	l->last = stamp;
}

static int
add_packet(struct loader *l, uint32_t len)
{
	struct trace *t = l->t;
	struct flow_offsets off;
	struct flow_key key;
	uint32_t flow = TRACE_NO_FLOW;

	if (t->n_pkts == l->cap_pkts) {
		uint32_t cap = l->cap_pkts == 0 ? 65536 : 2 * l->cap_pkts;
		struct trace_packet *pkts = realloc(t->pkts, cap * sizeof(*pkts));

		if (pkts == NULL)
			return -ENOMEM;
		t->pkts = pkts;
		l->cap_pkts = cap;
	}
	if (flow_parse_bytes(l->frame, len < FRAME_MAX ? len : FRAME_MAX, 1, 0, 0, &key, &off) ==
			FLOW_OK &&
		off.frag == FLOW_FRAG_NO) {
		key.vport = trace_from(&key);
		if (flow_of(l, &key, &flow) != 0)
			return -ENOMEM;
	}
	t->pkts[t->n_pkts++] = (struct trace_packet){.ns = l->now, .flow = flow, .len = len};
	t->bytes += len;
	return 0;
}

// 1: one more, 0: the end, or -errno. A record that the file ends in is none.
static int
read_record(struct loader *l)
{
	uint32_t head[4], got, cut, len;

	if (gzread(l->file, head, sizeof(head)) != (int)sizeof(head))
		return 0;
	got = word(l, head[2]);
	if (got > 1 << 20)
		return -EINVAL;
	cut = got < FRAME_MAX ? got : FRAME_MAX;
	if (gzread(l->file, l->frame, cut) != (int)cut)
		return 0;
	if (got > cut && gzseek(l->file, (z_off_t)(got - cut), SEEK_CUR) < 0)
		return 0;
	len = word(l, head[3]) > got ? word(l, head[3]) : got;
	if (len > cut && cut < FRAME_MAX)
		memset(l->frame + cut, 0, (len < FRAME_MAX ? len : FRAME_MAX) - cut);
	advance(l,
		word(l, head[0]) * 1000000000ULL + word(l, head[1]) * (l->nano ? 1ULL : 1000ULL));
	return add_packet(l, len) == 0 ? 1 : -ENOMEM;
}

static int
read_head(struct loader *l)
{
	uint32_t head[6];

	if (gzread(l->file, head, sizeof(head)) != (int)sizeof(head))
		return -EINVAL;
	l->swap = head[0] == 0xd4c3b2a1 || head[0] == 0x4d3cb2a1;
	l->nano = word(l, head[0]) == 0xa1b23c4d;
	if (!l->nano && word(l, head[0]) != 0xa1b2c3d4)
		return -EINVAL;
	return (word(l, head[5]) & 0xffff) == 1 ? 0 : -EINVAL;
}

static void
play_at(struct loader *l, double speed)
{
	struct trace *t = l->t;
	uint32_t i;

	t->real_timing &= l->any_time;
	for (i = 0; i < t->n_pkts; i++)
		t->pkts[i].ns =
			(uint64_t)((double)(l->any_time ? t->pkts[i].ns : i * NO_TIME_NS) / speed);
	t->ns = t->n_pkts > 0 ? t->pkts[t->n_pkts - 1].ns : 0;
}

int
trace_load(const char *path, double speed, struct trace *t)
{
	struct loader *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	memset(t, 0, sizeof(*t));
	t->real_timing = true;
	if (l == NULL)
		return rc;
	l->t = t;
	l->file = gzopen(path, "rb");
	if (l->file == NULL) {
		rc = errno != 0 ? -errno : -ENOMEM;
		fprintf(stderr, "%s: %s\n", path, strerror(-rc));
		free(l);
		return rc;
	}
	rc = read_head(l);
	while (rc == 0 && (rc = read_record(l)) == 1)
		rc = 0;
	if (rc == 0 && t->n_pkts == 0)
		rc = -EINVAL;
	if (rc == 0)
		play_at(l, speed);
	else
		fprintf(stderr, "%s: %s\n", path,
			rc == -EINVAL ? "not a capture of Ethernet frames in pcap format"
				      : strerror(-rc));
	gzclose(l->file);
	free(l->slots);
	free(l);
	if (rc != 0)
		trace_free(t);
	return rc;
}

void
trace_free(struct trace *t)
{
	free(t->pkts);
	free(t->keys);
	memset(t, 0, sizeof(*t));
}
