// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"
#include "act/offload.h"

// Offload requests of guests, carried on or finished in software, against a slow reference that
// shares nothing with the code.

#define PAYLOAD_MAX 20000

struct request {
	bool ip6, tcp;
	uint8_t n_tags;
	uint16_t ip_options; // bytes of IPv4 options or of an IPv6 extension header, multiple of 8
	uint16_t tcp_options;
	uint16_t segsz; // 0: a checksum alone
	uint32_t len;   // of the payload
	uint8_t flags;
	uint16_t cut; // length of the first segments of the chain; 0: as it comes
};

struct wire { // a frame laid out flat, and where its parts are
	uint8_t bytes[PAYLOAD_MAX + 256];
	uint32_t len, l3, l4, payload;
};

static uint32_t
sum16(uint32_t sum, const uint8_t *p, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

// Sum of the pseudo header of the packet, with the given L4 length.
static uint16_t
pseudo(const struct wire *w, bool ip6, bool tcp, uint32_t len)
{
	uint32_t sum =
		ip6 ? sum16(0, w->bytes + w->l3 + 8, 32) : sum16(0, w->bytes + w->l3 + 12, 8);

	return fold(sum + len + (tcp ? 6 : 17));
}

static uint8_t
payload_byte(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

static void
build(const struct request *r, struct wire *w)
{
	static const uint8_t eth[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	uint32_t at = 12, l4_len;
	unsigned i;

	memset(w, 0, sizeof(*w));
	memcpy(w->bytes, eth, 12);
	for (i = 0; i < r->n_tags; i++, at += 4) {
		put16(w->bytes + at, 0x8100);
		put16(w->bytes + at + 2, 0x2000 + 5 + i);
	}
	put16(w->bytes + at, r->ip6 ? 0x86dd : 0x0800);
	w->l3 = at + 2;
	w->l4 = w->l3 + (r->ip6 ? 40 : 20) + r->ip_options;
	w->payload = w->l4 + (r->tcp ? 20 + r->tcp_options : 8);
	w->len = w->payload + r->len;
	l4_len = w->len - w->l4;
	if (r->ip6) {
		uint8_t *p = w->bytes + w->l3;

		p[0] = 0x60;
		put16(p + 4, r->ip_options + l4_len);
		p[6] = r->ip_options ? 60 : r->tcp ? 6 : 17;
		p[7] = 64;
		p[8] = p[24] = 0xfd;
		p[23] = 1;
		p[39] = 2;
		if (r->ip_options) {
			p[40] = r->tcp ? 6 : 17;
			p[41] = (uint8_t)(r->ip_options / 8 - 1);
		}
	} else {
		uint8_t *p = w->bytes + w->l3;

		p[0] = (uint8_t)(0x45 + r->ip_options / 4);
		put16(p + 2, w->len - w->l3);
		put16(p + 4, 0xfffe); // the identification wraps
		p[6] = 0x40;
		p[8] = 64;
		p[9] = r->tcp ? 6 : 17;
		p[12] = p[16] = 10;
		p[15] = 1;
		p[19] = 2;
		put16(p + 10, (uint16_t)~fold(sum16(0, p, 20u + r->ip_options)));
	}
	put16(w->bytes + w->l4, 1000);
	put16(w->bytes + w->l4 + 2, 80);
	if (r->tcp) {
		put16(w->bytes + w->l4 + 4, 0xffff);
		put16(w->bytes + w->l4 + 6, 0xff00);
		w->bytes[w->l4 + 12] = (uint8_t)((20 + r->tcp_options) / 4 << 4);
		w->bytes[w->l4 + 13] = r->flags;
		memset(w->bytes + w->l4 + 20, 1, r->tcp_options);
	} else {
		put16(w->bytes + w->l4 + 4, l4_len);
	}
	for (i = 0; i < r->len; i++)
		w->bytes[w->payload + i] = payload_byte(i);
	// What a guest leaves in the field: some pseudo header.
	put16(w->bytes + w->l4 + (r->tcp ? 16 : 6), pseudo(w, r->ip6, r->tcp, l4_len));
}

// The frame as a chain; the first segments hold `cut` bytes each.
static struct rte_mbuf *
chain(struct bench *b, const struct request *r, const struct wire *w)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->pool), *last = m;
	uint64_t flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	uint32_t at = 0, n;
	unsigned segs = 0;

	assert_non_null(m);
	while (at < w->len) {
		n = RTE_MIN(w->len - at, (uint32_t)rte_pktmbuf_tailroom(last));
		if (r->cut != 0 && segs < 20)
			n = RTE_MIN(n, r->cut);
		memcpy(rte_pktmbuf_mtod(last, char *), w->bytes + at, n);
		last->data_len = (uint16_t)n;
		m->pkt_len += n;
		at += n;
		segs++;
		if (at == w->len)
			break;
		last->next = rte_pktmbuf_alloc(b->pool);
		assert_non_null(last->next);
		last = last->next;
		m->nb_segs++;
	}
	if (r->segsz != 0) {
		flags |= RTE_MBUF_F_RX_LRO;
		m->tso_segsz = r->segsz;
	}
	m->ol_flags |= offload_from_rx(flags);
	return m;
}

static void
flatten(const struct rte_mbuf *m, const struct request *r, struct wire *w)
{
	const uint8_t *p = rte_pktmbuf_read(m, 0, m->pkt_len, w->bytes);
	uint32_t at = 12;

	assert_non_null(p);
	if (p != w->bytes)
		memcpy(w->bytes, p, m->pkt_len);
	w->len = m->pkt_len;
	while (get16(w->bytes + at) == 0x8100)
		at += 4;
	w->l3 = at + 2;
	w->l4 = w->l3 + (r->ip6 ? 40 : 20) + r->ip_options;
	w->payload = w->l4 + (r->tcp ? 20 + r->tcp_options : 8);
}

static void
check_sums(const struct wire *w, const struct request *r)
{
	uint32_t len = w->len - w->l4;

	if (!r->ip6) {
		assert_int_equal(fold(sum16(0, w->bytes + w->l3, 20u + r->ip_options)), 0xffff);
		assert_int_equal(get16(w->bytes + w->l3 + 2), w->len - w->l3);
	} else {
		assert_int_equal(get16(w->bytes + w->l3 + 4), w->len - w->l3 - 40);
	}
	assert_int_equal(
		fold(sum16(pseudo(w, r->ip6, r->tcp, len), w->bytes + w->l4, len)), 0xffff);
}

static void
check_segment(const struct wire *in, const struct wire *out, const struct request *r, unsigned i,
	unsigned segs, uint32_t done)
{
	uint32_t part = out->len - out->payload;
	uint8_t flags = r->flags;

	assert_int_equal(part, RTE_MIN((uint32_t)r->segsz, r->len - done));
	assert_memory_equal(out->bytes, in->bytes, out->l3);
	assert_memory_equal(out->bytes + out->payload, in->bytes + in->payload + done, part);
	assert_int_equal(get32(out->bytes + out->l4 + 4), (uint32_t)(0xffffff00u + done));
	if (!r->ip6)
		assert_int_equal(get16(out->bytes + out->l3 + 4), (0xfffe + i) & 0xffff);
	if (i + 1 < segs)
		flags &= (uint8_t) ~(0x01 | 0x08);
	if (i > 0)
		flags &= 0x7f;
	assert_int_equal(out->bytes[out->l4 + 13], flags);
}

static void
begin(struct bench *b, const char *actions)
{
	bench_begin(b, 2, 1, 1);
	b->vport[1].mtu = 9000;
	bench_rule(b, 1, 1, "port=0", actions);
	bench_publish(b);
}

static void
feed(struct bench *b, const struct request *r, struct wire *in)
{
	build(r, in);
	bench_feed(b, 0, 0, chain(b, r, in));
	bench_run(b);
}

static void
finished_in_software(void **state)
{
	struct wire *in = malloc(sizeof(*in)), *out = malloc(sizeof(*out));
	struct sl_rng rng = {2026};
	struct bench b;
	unsigned round, i;

	begin(&b, "output=1");
	for (round = 0; round < 400; round++) {
		struct request r = {.ip6 = sl_rng_below(&rng, 2),
			.tcp = sl_rng_below(&rng, 4) != 0,
			.n_tags = (uint8_t)sl_rng_below(&rng, 3),
			.ip_options = (uint16_t)(sl_rng_below(&rng, 3) * 8),
			.tcp_options = (uint16_t)(sl_rng_below(&rng, 4) * 12 % 40 / 4 * 4),
			.cut = (uint16_t)(sl_rng_below(&rng, 2) ? 0 : 1 + sl_rng_below(&rng, 300)),
			.flags = (uint8_t)(0x10 | sl_rng_below(&rng, 256)),
			.len = sl_rng_below(&rng, 1400)};
		unsigned segs = 1;
		uint32_t done = 0;
		uint64_t copies = dp_vport_counters(b.dp, 0)[0].copies;

		if (!r.tcp)
			r.tcp_options = 0;
		if (r.tcp && sl_rng_below(&rng, 2)) {
			r.len = 1 + sl_rng_below(&rng, PAYLOAD_MAX);
			r.segsz = (uint16_t)(100 + sl_rng_below(&rng, 3000));
			segs = (r.len + r.segsz - 1) / r.segsz;
		}
		feed(&b, &r, in);
		for (i = 0; i < segs; i++) {
			struct rte_mbuf *m = bench_out(&b, 1);

			if (m == NULL)
				fail_msg("round %u: segment %u of %u is missing", round, i, segs);
			assert_int_equal(m->ol_flags & OFFLOAD_REQUESTS, 0);
			flatten(m, &r, out);
			check_sums(out, &r);
			if (r.segsz != 0) {
				check_segment(in, out, &r, i, segs, done);
				done += out->len - out->payload;
			}
			rte_pktmbuf_free(m);
		}
		assert_int_equal(bench_count_out(&b, 1), 0);
		assert_int_equal(dp_vport_counters(b.dp, 0)[0].copies - copies, segs - 1);
	}
	bench_end(&b);
	free(in);
	free(out);
}

// An output that can do it gets the request, with the pseudo header that it expects.
static void
carried_on(void **state)
{
	struct wire *in = malloc(sizeof(*in)), *out = malloc(sizeof(*out));
	struct request r = {.tcp = true, .segsz = 1000, .len = 5000, .flags = 0x18, .cut = 30};
	struct rte_mbuf *m;
	struct bench b;
	unsigned way;

	for (way = 0; way < 4; way++) {
		r.ip6 = way & 1;
		begin(&b, way < 2 ? "output=1" : "push_vlan=77,output=1");
		b.vport[1].port->tx_offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO |
						RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
						RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
		b.vport[1].port->tso_sum_len = way == 1;
		feed(&b, &r, in);
		m = bench_out(&b, 1);
		assert_non_null(m);
		assert_int_equal(m->tso_segsz, 1000);
		assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG);
		assert_true(m->ol_flags & (r.ip6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4));
		flatten(m, &r, out);
		assert_int_equal(m->l2_len, out->l3);
		assert_int_equal(m->l3_len, out->l4 - out->l3);
		assert_int_equal(m->l4_len, out->payload - out->l4);
		assert_int_equal(get16(out->bytes + out->l4 + 16),
			pseudo(out, r.ip6, true, way == 1 ? 5020 : 0));
		rte_pktmbuf_free(m);
		// Checksums alone.
		b.vport[1].port->tx_offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
		feed(&b, &r, in);
		while ((m = bench_out(&b, 1)) != NULL) {
			flatten(m, &r, out);
			assert_int_equal(
				m->ol_flags & RTE_MBUF_F_TX_L4_MASK, RTE_MBUF_F_TX_TCP_CKSUM);
			assert_int_equal(m->nb_segs, 1);
			assert_int_equal(get16(out->bytes + out->l4 + 16),
				pseudo(out, r.ip6, true, out->len - out->l4));
			rte_pktmbuf_free(m);
		}
		bench_end(&b);
	}
	free(in);
	free(out);
}

static void
hostile(void **state)
{
	struct wire *in = malloc(sizeof(*in));
	struct request r = {.tcp = true, .segsz = 1000, .len = 3000, .flags = 0x18};
	struct rte_mbuf *m;
	struct bench b;
	unsigned i;

	begin(&b, "output=1");
	for (i = 0; i < 6; i++) {
		build(&r, in);
		if (i == 4)
			in->bytes[in->l3 + 6] = 0x20; // a fragment
		if (i == 5)
			in->bytes[in->l3 + 9] = 132; // SCTP
		m = chain(&b, &r, in);
		if (i == 0)
			m->tso_segsz = 0;
		if (i == 1)
			m->tso_segsz = 2; // 1500 segments
		if (i == 2)
			rte_pktmbuf_mtod(m, uint8_t *)[in->l3 + 9] = 17; // UDP
		if (i == 3)
			rte_pktmbuf_mtod(m, uint8_t *)[13] = 0x99; // not IP at all
		bench_feed(&b, 0, 0, m);
		bench_run(&b);
		assert_int_equal(bench_dropped(&b, 0, DP_DROP_MALFORMED_OFFLOAD), i + 1);
	}
	// What does not fit the output's MTU even in segments.
	r.segsz = 9000 - 39;
	r.len = 15000;
	feed(&b, &r, in);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_MTU), 1);
	r.segsz--;
	feed(&b, &r, in);
	assert_int_equal(bench_count_out(&b, 1), 2);
	// One segment is an ordinary packet.
	r.len = 500;
	feed(&b, &r, in);
	assert_int_equal(bench_count_out(&b, 1), 1);
	bench_end(&b);
	free(in);
}

static void
no_buffer_for_segments(void **state)
{
	struct wire *in = malloc(sizeof(*in));
	struct request r = {.tcp = true, .segsz = 500, .len = 5000, .flags = 0x18};
	struct rte_mbuf *hog[4095];
	struct bench b;

	begin(&b, "output=1");
	assert_int_equal(rte_pktmbuf_alloc_bulk(b.copies, hog, 4095), 0);
	feed(&b, &r, in);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_NO_BUFFER), 1);
	rte_pktmbuf_free_bulk(hog, 3);
	feed(&b, &r, in);
	assert_int_equal(bench_dropped(&b, 0, DP_DROP_NO_BUFFER), 2);
	assert_int_equal(bench_count_out(&b, 1), 3);
	rte_pktmbuf_free_bulk(hog + 3, 4092);
	bench_end(&b);
	free(in);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_offload");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finished_in_software),
		cmocka_unit_test(carried_on),
		cmocka_unit_test(hostile),
		cmocka_unit_test(no_buffer_for_segments),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
