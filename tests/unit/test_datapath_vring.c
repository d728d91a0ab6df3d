// SPDX-License-Identifier: BSD-3-Clause
#include <linux/virtio_net.h>
#include <pthread.h>

#include "dp_support.h"
#include "port/vring_chain.h"
#include "port/vring_slow.h"
#include "vring_guest.h"

// The rings of guests (port/vring.h) against a guest's end of our own: random packets in random
// layouts, what guests must not do, and a guest that changes everything while it is read.

#define ROOM 256 // data room of a segment: packets have several
#define PACKETS 12000
#define LONGEST 4000
#define ROUNDS 20000
#define KINDS 4 // of faults that chaos brings about; some are rare in it
#define DEADLINE_S 40
#define BEGIN 60000 // indexes wrap around soon

#define F(name) (1ULL << (name))
#define V1 F(VIRTIO_F_VERSION_1)

struct rig {
	struct rte_mempool *pool;
	uint64_t seed;
	struct guest g;
};

struct sent {
	uint16_t head;
	uint32_t len;
	uint8_t bytes[VRING_HEADER + LONGEST];
};

static int
setup(void **state)
{
	struct rig *t = calloc(1, sizeof(*t));

	if (t == NULL || bench_eal("test_datapath_vring") != 0)
		return -1;
	t->pool = rte_pktmbuf_pool_create("vring", 4095, 0, 0, ROOM + RTE_PKTMBUF_HEADROOM, 0);
	t->seed = (uint64_t)time(NULL);
	*state = t;
	return t->pool == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct rig *t = *state;

	rte_mempool_free(t->pool);
	free(t);
	return 0;
}

static void
all_back(const struct rig *t)
{
	assert_int_equal(rte_mempool_avail_count(t->pool), 4095);
}

static uint32_t
some_length(struct sl_rng *rng)
{
	return sl_rng_below(rng, 4) != 0 ? 1 + sl_rng_below(rng, 200)
					 : 1 + sl_rng_below(rng, LONGEST);
}

// The guest lays a packet out; false: it has no room for it now.
static bool
send_one(struct guest *g, struct sent *s)
{
	uint32_t len = some_length(&g->rng), i;
	bool table =
		(g->features & F(VIRTIO_RING_F_INDIRECT_DESC)) && sl_rng_below(&g->rng, 3) == 0;
	int head = guest_lay(g, VRING_HEADER + len, 1 + sl_rng_below(&g->rng, 3), table, false);

	if (head < 0)
		return false;
	s->head = (uint16_t)head;
	s->len = len;
	memset(s->bytes, 0, VRING_HEADER);
	for (i = 0; i < len; i++)
		s->bytes[VRING_HEADER + i] = (uint8_t)sl_rng_next(&g->rng);
	guest_bytes(g, s->head, s->bytes, VRING_HEADER + len, true);
	guest_offer(g, s->head);
	return true;
}

static void
same_packet(struct rte_mbuf *m, const uint8_t *bytes, uint32_t len, uint64_t seed)
{
	uint8_t copy[LONGEST];

	if (m->pkt_len != len || memcmp(rte_pktmbuf_read(m, 0, len, copy), bytes, len) != 0)
		fail_msg("another packet of %u bytes, seed %lu", m->pkt_len, (unsigned long)seed);
	assert_int_equal(rte_mbuf_check(m, 1, &(const char *){NULL}), 0);
	assert_true(m->ol_flags == 0);
}

static void
take_with(struct rig *t, uint64_t features)
{
	static struct sent sent[GUEST_RING];
	struct guest *g = &t->g;
	struct rte_mbuf *pkts[VRING_BURST];
	unsigned head = 0, tail = 0, done = 0;
	uint32_t len;
	uint16_t i, n;

	guest_start(g, features, BEGIN, t->seed);
	while (done < PACKETS) {
		for (n = (uint16_t)sl_rng_below(&g->rng, 50); n > 0; n--) {
			if (!send_one(g, &sent[head % GUEST_RING]))
				break;
			head++;
		}
		n = vring_take(&g->ring, t->pool, pkts, (uint16_t)sl_rng_below(&g->rng, 80));
		assert_true(n <= head - tail);
		for (i = 0; i < n; i++, tail++, done++) {
			const struct sent *s = &sent[tail % GUEST_RING];

			same_packet(pkts[i], s->bytes + VRING_HEADER, s->len, t->seed);
			rte_pktmbuf_free(pkts[i]);
			assert_int_equal(guest_used(g, &len), s->head);
		}
		assert_int_equal(guest_used(g, &len), -1);
	}
	assert_int_equal(atomic_load(&g->ring.fault), VRING_SOUND);
	guest_stop(g);
	all_back(t);
}

static void
takes(void **state)
{
	take_with(*state, V1);
	take_with(*state, V1 | F(VIRTIO_F_IN_ORDER));
	take_with(*state, V1 | F(VIRTIO_RING_F_INDIRECT_DESC) | F(VIRTIO_RING_F_EVENT_IDX));
	take_with(*state, V1 | F(VIRTIO_RING_F_INDIRECT_DESC) | F(VIRTIO_F_IN_ORDER));
}

// A packet of random segments.
static struct rte_mbuf *
packet(struct rig *t, uint32_t len, uint8_t *bytes)
{
	struct rte_mbuf *first = rte_pktmbuf_alloc(t->pool), *m = first;
	uint32_t at = 0, i;

	for (i = 0; i < len; i++)
		bytes[i] = (uint8_t)sl_rng_next(&t->g.rng);
	while (at < len) {
		uint32_t some = 1 + sl_rng_below(&t->g.rng, ROOM);

		some = RTE_MIN(some, len - at);
		memcpy(rte_pktmbuf_append(m, (uint16_t)some), bytes + at, some);
		at += some;
		if (at == len)
			break;
		m->next = rte_pktmbuf_alloc(t->pool);
		assert_non_null(m->next);
		m = m->next;
		first->nb_segs++;
	}
	for (m = first->next, first->pkt_len = len; m != NULL; m = m->next)
		m->pkt_len = m->data_len;
	return first;
}

// The guest reads what it was given, over as many buffers as the header says.
static void
read_given(struct rig *t, const uint8_t *bytes, uint32_t len)
{
	static uint8_t got[VRING_HEADER + LONGEST + GUEST_SLOT * GUEST_PIECES];
	struct guest *g = &t->g;
	struct virtio_net_hdr_v1 h = {.num_buffers = 1};
	uint32_t at = 0, some;
	uint16_t n;

	for (n = 0; n < h.num_buffers; n++) {
		int head = guest_used(g, &some);

		assert_true(head >= 0 && at + some <= VRING_HEADER + len);
		guest_bytes(g, (uint16_t)head, got + at, some, false);
		at += some;
		if (n == 0 && at >= sizeof(h))
			memcpy(&h, got, sizeof(h));
	}
	if (at != VRING_HEADER + len || memcmp(got + VRING_HEADER, bytes, len) != 0)
		fail_msg("another packet of %u bytes, seed %lu", at, (unsigned long)t->seed);
	assert_true(h.flags == 0 && h.gso_type == VIRTIO_NET_HDR_GSO_NONE);
}

static void
give_with(struct rig *t, uint64_t features)
{
	static uint8_t bytes[VRING_BURST][LONGEST];
	bool mergeable = (features & F(VIRTIO_NET_F_MRG_RXBUF)) != 0;
	struct guest *g = &t->g;
	struct rte_mbuf *pkts[VRING_BURST];
	unsigned done = 0;
	uint16_t i, n, sent;
	int head;

	guest_start(g, features, BEGIN, t->seed);
	while (done < PACKETS) {
		bool table = (features & F(VIRTIO_RING_F_INDIRECT_DESC)) &&
			     sl_rng_below(&g->rng, 3) == 0;

		while ((head = guest_lay(g,
				mergeable ? 20 + sl_rng_below(&g->rng, 900)
					  : VRING_HEADER + LONGEST,
				3, table, true)) >= 0)
			guest_offer(g, (uint16_t)head);
		n = (uint16_t)(1 + sl_rng_below(&g->rng, VRING_BURST));
		for (i = 0; i < n; i++)
			pkts[i] = packet(t, some_length(&g->rng), bytes[i]);
		sent = vring_give(&g->ring, pkts, n);
		assert_true(sent > 0);
		for (i = 0; i < sent; i++)
			read_given(t, bytes[i], pkts[i]->pkt_len);
		for (i = 0; i < n; i++)
			rte_pktmbuf_free(pkts[i]);
		done += sent;
	}
	assert_int_equal(atomic_load(&g->ring.fault), VRING_SOUND);
	guest_stop(g);
	all_back(t);
}

static void
gives(void **state)
{
	give_with(*state, V1);
	give_with(*state, V1 | F(VIRTIO_F_IN_ORDER) | F(VIRTIO_RING_F_INDIRECT_DESC));
	give_with(*state, V1 | F(VIRTIO_NET_F_MRG_RXBUF));
	give_with(*state, V1 | F(VIRTIO_NET_F_MRG_RXBUF) | F(VIRTIO_F_IN_ORDER) |
				  F(VIRTIO_RING_F_INDIRECT_DESC));
}

// A packet that does not fit takes no buffer and breaks nothing.
static void
no_room(void **state)
{
	struct rig *t = *state;
	static uint8_t bytes[LONGEST];
	struct rte_mbuf *m;
	unsigned merge;

	for (merge = 0; merge < 2; merge++) {
		guest_start(&t->g, V1 | (merge ? F(VIRTIO_NET_F_MRG_RXBUF) : 0), 0, t->seed);
		m = packet(t, 200, bytes);
		assert_int_equal(vring_give(&t->g.ring, &m, 1), 0);
		guest_offer(&t->g, (uint16_t)guest_lay(&t->g, 100, 1, false, true));
		assert_int_equal(vring_give(&t->g.ring, &m, 1), 0);
		assert_int_equal(t->g.used->idx, 0);
		guest_offer(&t->g, (uint16_t)guest_lay(&t->g, 112, 1, false, true));
		assert_int_equal(vring_give(&t->g.ring, &m, 1), merge);
		assert_int_equal(t->g.used->idx, merge * 2);
		assert_int_equal(atomic_load(&t->g.ring.fault), VRING_SOUND);
		rte_pktmbuf_free(m);
		guest_stop(&t->g);
	}
	all_back(t);
}

struct crime {
	const char *name;
	enum vring_fault fault;
	void (*commit)(struct guest *g, uint16_t head); // after head was laid in 3 pieces
};

static void
jump(struct guest *g, uint16_t head)
{
	guest_offer(g, head);
	g->avail->idx = (uint16_t)(g->ring.seen + GUEST_RING + 1);
}

static void
bad_head(struct guest *g, uint16_t head)
{
	(void)head;
	guest_offer(g, GUEST_RING);
}

static void
bad_next(struct guest *g, uint16_t head)
{
	g->desc[head].flags |= VRING_DESC_F_NEXT;
	g->desc[head].next = GUEST_RING;
	guest_offer(g, head);
}

static void
circle(struct guest *g, uint16_t head)
{
	g->desc[head].flags |= VRING_DESC_F_NEXT;
	g->desc[head].next = head;
	guest_offer(g, head);
}

static void
outside(struct guest *g, uint16_t head)
{
	g->desc[head].addr = GUEST_BASE - 1;
	guest_offer(g, head);
}

static void
over_end(struct guest *g, uint16_t head)
{
	g->desc[head].addr = GUEST_BASE + 2 * GUEST_REGION - g->desc[head].len + 1;
	guest_offer(g, head);
}

static void
around(struct guest *g, uint16_t head)
{
	g->desc[head].addr = UINT64_MAX - 3;
	guest_offer(g, head);
}

static void
endless(struct guest *g, uint16_t head)
{
	g->desc[head].len = UINT32_MAX;
	guest_offer(g, head);
}

static void
wrong_way(struct guest *g, uint16_t head)
{
	g->desc[head].flags ^= VRING_DESC_F_WRITE;
	guest_offer(g, head);
}

static void
table(struct guest *g, uint16_t head, uint64_t addr, uint32_t len, uint16_t flags)
{
	g->desc[head] = (struct vring_desc){
		.addr = addr, .len = len, .flags = VRING_DESC_F_INDIRECT | flags};
	guest_offer(g, head);
}

static void
table_odd(struct guest *g, uint16_t head)
{
	table(g, head, guest_slot(head), 24, 0);
}

static void
table_none(struct guest *g, uint16_t head)
{
	table(g, head, guest_slot(head), 0, 0);
}

static void
table_next(struct guest *g, uint16_t head)
{
	table(g, head, guest_slot(head), 16, VRING_DESC_F_NEXT);
}

static void
table_outside(struct guest *g, uint16_t head)
{
	table(g, head, GUEST_BASE + 2 * GUEST_REGION - 8, 16, 0);
}

static void
table_in_table(struct guest *g, uint16_t head)
{
	struct vring_desc d = {.addr = guest_slot(head), .len = 16, .flags = VRING_DESC_F_INDIRECT};

	guest_write(g, guest_slot(head), &d, sizeof(d));
	table(g, head, guest_slot(head), 16, 0);
}

static void
table_short(struct guest *g, uint16_t head)
{
	struct vring_desc d = {.addr = guest_slot(head),
		.len = 16,
		.next = 2,
		.flags =
			(uint16_t)(VRING_DESC_F_NEXT | (g->desc[head].flags & VRING_DESC_F_WRITE))};

	guest_write(g, guest_slot(head), &d, sizeof(d));
	table(g, head, guest_slot(head), 32, 0);
}

static const struct crime crimes[] = {
	{"jump", VRING_JUMP, jump},
	{"bad head", VRING_HEAD, bad_head},
	{"bad next", VRING_NEXT, bad_next},
	{"circle", VRING_LONG, circle},
	{"outside", VRING_ADDRESS, outside},
	{"over the end", VRING_ADDRESS, over_end},
	{"around", VRING_ADDRESS, around},
	{"endless", VRING_ADDRESS, endless},
	{"wrong way", VRING_DIRECTION, wrong_way},
	{"odd table", VRING_TABLE, table_odd},
	{"no table", VRING_TABLE, table_none},
	{"table and next", VRING_TABLE, table_next},
	{"table outside", VRING_ADDRESS, table_outside},
	{"table in table", VRING_TABLE, table_in_table},
	{"next beyond table", VRING_NEXT, table_short},
};

static void
commit(struct rig *t, const struct crime *c, bool give, uint64_t features)
{
	static uint8_t bytes[3][LONGEST];
	struct guest *g = &t->g;
	struct rte_mbuf *pkts[3] = {NULL};
	uint16_t good, bad, i, n;

	guest_start(g, features | F(VIRTIO_RING_F_INDIRECT_DESC), BEGIN, t->seed);
	good = (uint16_t)guest_lay(g, 300, 1, false, give);
	bad = (uint16_t)guest_lay(g, 300, 1, false, give);
	for (i = 0; give && i < 3; i++)
		pkts[i] = packet(t, 200, bytes[i]);
	guest_offer(g, good);
	c->commit(g, bad);
	n = give ? vring_give(&g->ring, pkts, 3) : vring_take(&g->ring, t->pool, pkts, 3);
	if (atomic_load(&g->ring.fault) != c->fault)
		fail_msg("%s: %s", c->name, vring_fault_text(atomic_load(&g->ring.fault)));
	// What is seen before any packet is looked at may keep the one before it too.
	if (n != 1 && (n != 0 || (c->fault != VRING_JUMP && c->fault != VRING_HEAD)))
		fail_msg("%s: %u packets", c->name, n);
	assert_int_equal(g->used->idx, (uint16_t)(BEGIN + n));
	for (i = 0; i < (give ? 3 : n); i++)
		rte_pktmbuf_free(pkts[i]);
	// It is left alone, whatever is in it now.
	g->avail->idx = (uint16_t)(g->used->idx + 1);
	g->avail->ring[g->used->idx % GUEST_RING] = good;
	memset(pkts, 0, sizeof(pkts));
	assert_int_equal(
		give ? vring_give(&g->ring, pkts, 1) : vring_take(&g->ring, t->pool, pkts, 3), 0);
	guest_stop(g);
	all_back(t);
}

static void
hostile(void **state)
{
	const uint64_t sets[] = {V1, V1 | F(VIRTIO_F_IN_ORDER), V1 | F(VIRTIO_NET_F_MRG_RXBUF)};
	unsigned i, k;

	for (i = 0; i < RTE_DIM(crimes); i++)
		for (k = 0; k < RTE_DIM(sets); k++) {
			commit(*state, &crimes[i], false, sets[k]);
			commit(*state, &crimes[i], true, sets[k]);
		}
}

// Packets that are none: counted, and their buffers go back.
static void
refused(void **state)
{
	struct rig *t = *state;
	struct guest *g = &t->g;
	struct rte_mbuf *pkts[8];
	uint16_t head, i;

	guest_start(g, V1, 0, t->seed);
	for (i = 0; i < 70; i++) { // longer than any packet: the same memory again and again
		g->desc[100 + i] = (struct vring_desc){.addr = guest_slot(0),
			.len = 1000,
			.flags = i < 69 ? VRING_DESC_F_NEXT : 0,
			.next = (uint16_t)(101 + i)};
	}
	guest_offer(g, (uint16_t)guest_lay(g, VRING_HEADER, 3, false, false));
	guest_offer(g, (uint16_t)guest_lay(g, 3, 1, false, false));
	guest_offer(g, 100);
	head = (uint16_t)guest_lay(g, VRING_HEADER + 60, 1, false, false);
	guest_offer(g, head);
	assert_int_equal(vring_take(&g->ring, t->pool, pkts, 8), 1);
	rte_pktmbuf_free(pkts[0]);
	assert_int_equal(g->used->idx, 4);
	assert_int_equal(g->used->ring[3].id, head);
	assert_int_equal(atomic_load(&g->ring.refused), 3);
	assert_int_equal(atomic_load(&g->ring.fault), VRING_SOUND);
	guest_stop(g);
	all_back(t);
}

static void
interrupts(void **state)
{
	struct rig *t = *state;
	struct guest *g = &t->g;
	struct rte_mbuf *m;
	struct sent s;
	uint16_t i, *event;

	guest_start(g, V1, BEGIN, t->seed);
	for (i = 0; i < 4; i++) {
		g->avail->flags = i % 2 ? VRING_AVAIL_F_NO_INTERRUPT : 0;
		assert_true(send_one(g, &s));
		assert_int_equal(vring_take(&g->ring, t->pool, &m, 1), 1);
		rte_pktmbuf_free(m);
		assert_int_equal(guest_interrupts(g), i % 2 ? 0 : 1);
	}
	guest_stop(g);
	guest_start(g, V1 | F(VIRTIO_RING_F_EVENT_IDX), 65534, t->seed);
	event = &g->avail->ring[GUEST_RING];
	*event = 65530; // passed long ago; but nobody knows what was told before
	for (i = 0; i < 6; i++) {
		assert_true(send_one(g, &s));
		assert_int_equal(vring_take(&g->ring, t->pool, &m, 1), 1);
		rte_pktmbuf_free(m);
		assert_int_equal(guest_interrupts(g), i == 0 || i == 3 ? 1 : 0);
		*event = 1; // the fourth: 65534, 65535, 0, 1
	}
	guest_stop(g);
	all_back(t);
}

// A guest that writes anything into its ring and tables at any time.
struct chaos {
	struct guest *g;
	uint64_t seed;
	atomic_bool stop;
};

static void *
write_anything(void *arg)
{
	struct chaos *c = arg;
	struct sl_rng rng = {.state = c->seed};
	uint16_t *at = (uint16_t *)(void *)c->g->region[0];

	while (!atomic_load(&c->stop)) {
		uint32_t where = sl_rng_below(&rng, 0x4000 / 2);
		uint16_t what = (uint16_t)sl_rng_next(&rng);

		// Mostly what could be: small numbers, and addresses of its own.
		__atomic_store_n(
			&at[where], sl_rng_below(&rng, 8) ? what % 32 : what, __ATOMIC_RELAXED);
	}
	return NULL;
}

static unsigned
kinds(const unsigned *seen)
{
	unsigned i, n = 0;

	for (i = 0; i < VRING_FAULTS; i++)
		n += seen[i] != 0;
	return n;
}

static void
chaos(void **state)
{
	struct rig *t = *state;
	struct chaos c = {.g = &t->g, .seed = t->seed};
	struct rte_mbuf *pkts[VRING_BURST], *m;
	static uint8_t bytes[LONGEST];
	unsigned seen[VRING_FAULTS] = {0};
	time_t end = time(NULL) + DEADLINE_S;
	pthread_t thread;
	uint32_t round;
	uint16_t n;

	guest_start(
		&t->g, V1 | F(VIRTIO_RING_F_INDIRECT_DESC) | F(VIRTIO_NET_F_MRG_RXBUF), 0, t->seed);
	t->g.memory.region[1].gpa = 0; // so that small numbers are addresses
	assert_int_equal(pthread_create(&thread, NULL, write_anything, &c), 0);
	for (round = 0; round < ROUNDS || (kinds(seen) < KINDS && time(NULL) < end); round++) {
		__atomic_store_n(&t->g.avail->idx, t->g.ring.next + sl_rng_below(&t->g.rng, 260),
			__ATOMIC_RELEASE);
		n = vring_take(&t->g.ring, t->pool, pkts, VRING_BURST);
		rte_pktmbuf_free_bulk(pkts, n);
		seen[atomic_exchange(&t->g.ring.fault, VRING_SOUND)]++;
		m = packet(t, 1 + round % 900, bytes);
		vring_give(&t->g.ring, &m, 1);
		rte_pktmbuf_free(m);
		seen[atomic_exchange(&t->g.ring.fault, VRING_SOUND)]++;
	}
	atomic_store(&c.stop, true);
	pthread_join(thread, NULL);
	if (kinds(seen) < KINDS)
		fail_msg("%u kinds of faults only, seed %lu", kinds(seen), (unsigned long)t->seed);
	guest_stop(&t->g);
	all_back(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),
		cmocka_unit_test(gives),
		cmocka_unit_test(no_room),
		cmocka_unit_test(hostile),
		cmocka_unit_test(refused),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(chaos),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
