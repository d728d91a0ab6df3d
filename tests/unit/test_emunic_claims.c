// SPDX-License-Identifier: BSD-3-Clause
// What a guest claims about a packet (checksum and segmentation requests) is checked against the
// packet itself, and believed only where it fits.
#include "emunic_support.h"

#include <rte_tcp.h>

#include "backend/offload.h"

// A packet in a heap block of its very length, so that the address sanitizer sees a read past it.
struct claim {
	struct rte_mbuf m;
	uint8_t *data;
};

static void
claim_begin(struct claim *c, const void *data, size_t len, uint64_t flags, uint16_t segsz)
{
	memset(c, 0, sizeof(*c));
	c->data = malloc(len > 0 ? len : 1);
	memcpy(c->data, data, len);
	c->m.buf_addr = c->data;
	c->m.buf_len = len;
	c->m.data_len = len;
	c->m.pkt_len = len;
	c->m.nb_segs = 1;
	c->m.ol_flags = flags;
	c->m.tso_segsz = segsz;
}

static bool
claim_check(struct claim *c)
{
	bool good = emu_offload_check(&c->m);

	free(c->data);
	return good;
}

static void
test_claims_true(void **state)
{
	static uint8_t p[65600];
	struct claim c;

	for (int i = 0; i < 8; i++) {
		bool tag = i & 1, v6 = i & 2, tcp = i & 4;
		size_t len = emu_test_packet(p, tag, v6, tcp ? IPPROTO_TCP : IPPROTO_UDP, 3000);
		uint64_t ip = v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
		uint64_t sum = tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;

		claim_begin(&c, p, len, ip | sum, 0);
		assert_true(claim_check(&c));
		assert_true(c.m.ol_flags == (ip | sum));
		assert_int_equal(c.m.l2_len, tag ? 18 : 14);
		assert_int_equal(c.m.l3_len, v6 ? 40 : 20);
		assert_int_equal(c.m.l4_len, tcp ? 20 : 8);
		assert_int_equal(c.m.tso_segsz, 0);

		claim_begin(&c, p, len, ip | sum | RTE_MBUF_F_TX_TCP_SEG, 1000);
		assert_int_equal(claim_check(&c), tcp);
		if (!tcp)
			continue;
		assert_true(c.m.ol_flags ==
			    (ip | sum | RTE_MBUF_F_TX_TCP_SEG | (v6 ? 0 : RTE_MBUF_F_TX_IP_CKSUM)));
		assert_int_equal(c.m.tso_segsz, 1000);

		// One segment is no segmentation.
		claim_begin(&c, p, len, ip | sum | RTE_MBUF_F_TX_TCP_SEG, 3000);
		assert_true(claim_check(&c));
		assert_true(c.m.ol_flags == (ip | sum));
	}
	// Nothing asked: whatever it is, it passes, with nothing set.
	claim_begin(&c, "abc", 3, RTE_MBUF_F_TX_IPV4, 77);
	c.m.l2_len = 14;
	assert_true(claim_check(&c));
	assert_true(c.m.ol_flags == 0 && c.m.tx_offload == 0);
}

static void
test_claims_false(void **state)
{
	static const uint64_t seg = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
	// A byte of a good IPv4 TCP packet that is changed, and the offset of it.
	static const uint8_t changes[][2] = {
		{12, 0x88},                         // ethertype
		{14, 0x35}, {14, 0x44}, {14, 0x4f}, // version, header length
		{16, 0xff},                         // total length beyond the packet
		{17, 0x28 + 1}, {17, 0x28 - 1},     // not the packet's
		{20, 0x20}, {21, 0x01},             // fragment
		{23, 17}, {23, 132},                // protocol
		{46, 0x40}, {46, 0xf0},             // TCP header length
	};
	uint8_t p[2000];
	size_t len = emu_test_packet(p, false, false, IPPROTO_TCP, 200);
	struct claim c;

	for (size_t i = 0; i < RTE_DIM(changes); i++) {
		uint8_t q[2000];

		memcpy(q, p, len);
		if (changes[i][0] == 17)
			q[16] = 0;
		q[changes[i][0]] = changes[i][1];
		claim_begin(
			&c, q, changes[i][0] == 46 && changes[i][1] == 0xf0 ? 70 : len, seg, 100);
		if (claim_check(&c))
			fail_msg("change %zu is believed", i);
	}
	claim_begin(&c, p, len, seg, EMU_MSS_MIN - 1);
	assert_false(claim_check(&c));
	claim_begin(&c, p, len, seg, 0);
	assert_false(claim_check(&c));
	claim_begin(&c, p, len + 1, seg, 100);
	assert_false(claim_check(&c));
	claim_begin(&c, p, len, RTE_MBUF_F_TX_UDP_SEG, 100);
	assert_false(claim_check(&c));
	claim_begin(&c, p, len, RTE_MBUF_F_TX_UDP_CKSUM, 0);
	assert_false(claim_check(&c));
	claim_begin(&c, p, len, RTE_MBUF_F_TX_SCTP_CKSUM, 0);
	assert_false(claim_check(&c));
	for (size_t cut = 0; cut < 54; cut++) {
		claim_begin(&c, p, cut, RTE_MBUF_F_TX_TCP_CKSUM, 0);
		assert_false(claim_check(&c));
	}
	len = emu_test_packet(p, false, true, IPPROTO_TCP, 200);
	p[20] = 0; // hop-by-hop options
	claim_begin(&c, p, len, seg, 100);
	assert_false(claim_check(&c));
}

// Whatever is believed is within the packet.
static void
test_claims_random(void **state)
{
	static const uint64_t flags[] = {RTE_MBUF_F_TX_TCP_CKSUM, RTE_MBUF_F_TX_UDP_CKSUM,
		RTE_MBUF_F_TX_SCTP_CKSUM, RTE_MBUF_F_TX_TCP_SEG, RTE_MBUF_F_TX_UDP_SEG,
		RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM, RTE_MBUF_F_TX_IPV4};
	unsigned int seed = time(NULL), believed = 0;

	srand(seed);
	for (int round = 0; round < 200000; round++) {
		uint8_t p[400];
		size_t len = emu_test_packet(p, rand() % 2, rand() % 2,
			rand() % 2 ? IPPROTO_TCP : IPPROTO_UDP, rand() % 200);
		struct claim c;

		for (int k = rand() % 4; k > 0; k--)
			p[12 + rand() % (len - 12)] = rand();
		claim_begin(&c, p, rand() % 4 ? len : (size_t)rand() % (len + 1),
			flags[rand() % RTE_DIM(flags)], rand() % 300);
		if (!claim_check(&c) || c.m.ol_flags == 0)
			continue;
		believed++;
		if (c.m.l2_len + c.m.l3_len + c.m.l4_len > c.m.data_len ||
			((c.m.ol_flags & RTE_MBUF_F_TX_TCP_SEG) && c.m.tso_segsz < EMU_MSS_MIN))
			fail_msg("seed %u, round %d", seed, round);
	}
	assert_true(believed > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims_true),
		cmocka_unit_test(test_claims_false),
		cmocka_unit_test(test_claims_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
