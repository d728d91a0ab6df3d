// SPDX-License-Identifier: BSD-3-Clause
// The generator: same seed, same packets; valid checksums; the skew and the sizes that were asked.
#include "emunic_support.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

// Takes exactly n packets.
static void
take(struct emu_backend *b, struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int got = 0;

	while (got < n) {
		got += b->ops->rx(b, pkts + got, RTE_MIN(n - got, (unsigned int)EMU_BURST));
		assert_true(got == n || b->ops->next_event(b) != UINT64_MAX);
	}
}

// The flow number that the generator writes at the start of the payload.
static uint32_t
flow_of(struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens = {0};
	rte_be32_t flow;

	rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	memcpy(&flow,
		rte_pktmbuf_mtod_offset(
			m, void *, lens.l2_len + lens.l3_len + lens.l4_len + sizeof(uint64_t)),
		sizeof(flow));
	return rte_be_to_cpu_32(flow);
}

static void
test_same_seed(void **state)
{
	struct emu_backend *a, *b, *c;
	struct rte_mbuf *x[EMU_BURST], *y[EMU_BURST], *z[EMU_BURST];
	unsigned int differ = 0;
	struct emu_test t;

	emu_test_begin(&t, 511);
	a = emu_test_open(&t, "[generator,seed=42,pps=0]");
	b = emu_test_open(&t, "[generator,seed=42,pps=1000000]");
	c = emu_test_open(&t, "[generator,seed=43,pps=0]");
	for (int round = 0; round < 50; round++) {
		take(a, x, EMU_BURST);
		take(b, y, EMU_BURST);
		take(c, z, EMU_BURST);
		for (int i = 0; i < EMU_BURST; i++) {
			uint32_t len = rte_pktmbuf_pkt_len(x[i]);

			assert_int_equal(len, rte_pktmbuf_pkt_len(y[i]));
			assert_memory_equal(rte_pktmbuf_mtod(x[i], void *),
				rte_pktmbuf_mtod(y[i], void *), len);
			differ += len != rte_pktmbuf_pkt_len(z[i]) ||
				  memcmp(rte_pktmbuf_mtod(x[i], void *),
					  rte_pktmbuf_mtod(z[i], void *), len) != 0;
		}
		rte_pktmbuf_free_bulk(x, EMU_BURST);
		rte_pktmbuf_free_bulk(y, EMU_BURST);
		rte_pktmbuf_free_bulk(z, EMU_BURST);
	}
	assert_true(differ > 40 * EMU_BURST);
	a->ops->close(a);
	b->ops->close(b);
	c->ops->close(c);
	emu_test_end(&t);
}

// Every frame parses, sums up, stays in its prefixes; all families and protocols come.
static void
check_frames(const char *text, uint32_t size)
{
	unsigned int kinds[2][2] = {0};
	struct rte_mbuf *m;
	struct emu_backend *b;
	struct emu_test t;

	emu_test_begin(&t, 63);
	b = emu_test_open(&t, text);
	for (int i = 0; i < 5000; i++) {
		struct rte_net_hdr_lens lens = {0};
		const uint8_t *p;
		uint32_t ptype;
		bool v6;

		take(b, &m, 1);
		p = rte_pktmbuf_mtod(m, uint8_t *);
		ptype = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
		v6 = RTE_ETH_IS_IPV6_HDR(ptype);
		kinds[v6][(ptype & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP]++;
		assert_true(emu_test_sums_right(m));
		if (size != 0)
			assert_int_equal(rte_pktmbuf_pkt_len(m),
				RTE_MAX(size, v6 && lens.l4_len == 20 ? 74u : 0));
		assert_true(rte_pktmbuf_pkt_len(m) <= 1514);
		if (v6)
			assert_memory_equal(p + 22, "\xfd\x00\x00\x01\x00\x00\x00\x00", 8);
		else
			assert_memory_equal(p + 26, "\x0a\x05\x06", 3);
		rte_pktmbuf_free(m);
	}
	for (int i = 0; i < 4; i++)
		assert_true(kinds[i / 2][i % 2] > 50);
	b->ops->close(b);
	emu_test_end(&t);
}

static void
test_frames(void **state)
{
	check_frames("[generator,pps=0,src=10.5.6.7/24,v6=40,udp=40,skew=0]", 0);
	check_frames("[generator,pps=0,src=10.5.6.7/24,v6=40,udp=40,skew=0,size=64]", 64);
	check_frames("[generator,pps=0,src=10.5.6.7/24,v6=40,udp=40,skew=0,size=1514]", 1514);
}

// Frames over the MTU come as they were asked for, as chains; the NIC drops them.
static void
test_jumbo(void **state)
{
	struct emu_backend *b;
	struct rte_mbuf *m;
	struct emu_test t;

	emu_test_begin(&t, 63);
	b = emu_test_open(&t, "[generator,pps=0,size=9000]");
	take(b, &m, 1);
	assert_int_equal(rte_pktmbuf_pkt_len(m), 9000);
	assert_int_equal(m->nb_segs, 5);
	rte_mbuf_sanity_check(m, 1);
	rte_pktmbuf_free(m);
	b->ops->close(b);
	emu_test_end(&t);
}

// Shares of the packets by rank against the Zipf law: within four standard deviations.
static void
test_skew(void **state)
{
	enum { N = 100, PACKETS = 100000 };
	unsigned int count[N] = {0};
	double sum = 0;
	struct emu_backend *b;
	struct rte_mbuf *m;
	struct emu_test t;

	emu_test_begin(&t, 63);
	b = emu_test_open(&t, "[generator,pps=0,flows=100,skew=1.1,size=100,seed=5]");
	for (int i = 0; i < PACKETS; i++) {
		uint32_t flow;

		take(b, &m, 1);
		flow = flow_of(m);
		assert_true(flow < N);
		count[flow]++;
		rte_pktmbuf_free(m);
	}
	for (int i = 0; i < N; i++)
		sum += pow(i + 1, -1.1);
	for (int i = 0; i < N; i++) {
		double p = pow(i + 1, -1.1) / sum, sigma = sqrt(PACKETS * p * (1 - p));

		if (fabs(count[i] - PACKETS * p) > 4 * sigma)
			fail_msg("rank %d: %u packets, expected %.0f", i, count[i], PACKETS * p);
	}
	b->ops->close(b);
	emu_test_end(&t);
}

// All five-tuples differ, also when the flows outnumber the source ports and addresses are few.
static void
test_distinct(void **state)
{
	enum { N = 70000 };
	struct emu_backend *b;
	uint32_t *seen = calloc(65536 * 4, sizeof(*seen));
	unsigned int found = 0;
	struct emu_test t;

	emu_test_begin(&t, 63);
	b = emu_test_open(&t, "[generator,pps=0,flows=70000,skew=0,v6=0,udp=0,size=100,"
			      "src=10.0.0.1/32,dst=10.0.0.2/32]");
	for (int i = 0; i < 4 * N; i++) {
		struct rte_mbuf *m;
		uint16_t ports[2];
		uint32_t flow, slot;

		take(b, &m, 1);
		memcpy(ports, rte_pktmbuf_mtod_offset(m, void *, 34), 4);
		flow = flow_of(m) + 1;
		slot = ports[0] * 4u + (rte_be_to_cpu_16(ports[1]) == 10001);
		found += seen[slot] == 0;
		assert_true(seen[slot] == 0 || seen[slot] == flow);
		seen[slot] = flow;
		rte_pktmbuf_free(m);
	}
	assert_true(found > N * 9 / 10);
	free(seen);
	b->ops->close(b);
	emu_test_end(&t);
}

// A count is met exactly; the clock is kept: 2000 packets at 20,000 a second take about 0.1 s, and
// next_event tells when the next one is due.
static void
test_count_and_clock(void **state)
{
	struct rte_mbuf *pkts[EMU_BURST];
	struct timespec begin, now;
	struct emu_backend *b;
	struct emu_test t;
	unsigned int got = 0;
	double took;

	emu_test_begin(&t, 63);
	b = emu_test_open(&t, "[generator,pps=20000,count=2000,seed=9]");
	usleep(50000); // the clock has not started
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!b->ops->finished(b)) {
		uint64_t next = b->ops->next_event(b);
		struct timespec until = {next / 1000000000, next % 1000000000};
		uint16_t n;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		n = b->ops->rx(b, pkts, EMU_BURST);
		assert_true(next == 0 || n > 0);
		got += n;
		rte_pktmbuf_free_bulk(pkts, n);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	took = now.tv_sec - begin.tv_sec + (now.tv_nsec - begin.tv_nsec) * 1e-9;
	assert_int_equal(got, 2000);
	assert_true(took > 0.085);
	assert_true(b->ops->next_event(b) == UINT64_MAX);
	assert_int_equal(b->ops->rx(b, pkts, EMU_BURST), 0);
	b->ops->close(b);
	emu_test_end(&t);
}

// Without buffers rx waits, and then goes on with the very packet that it owed.
static void
test_no_buffers(void **state)
{
	struct rte_mbuf *all[7], *m, *ref;
	struct emu_backend *a, *b;
	struct emu_test t;

	emu_test_begin(&t, 7);
	a = emu_test_open(&t, "[generator,pps=0,seed=4]");
	b = emu_test_open(&t, "[generator,pps=0,seed=4]");
	for (int i = 0; i < 100; i++) {
		assert_int_equal(rte_pktmbuf_alloc_bulk(t.env.pool, all, 7), 0);
		assert_int_equal(a->ops->rx(a, &m, 1), 0);
		rte_pktmbuf_free_bulk(all, 7);
		take(a, &m, 1);
		take(b, &ref, 1);
		assert_int_equal(rte_pktmbuf_pkt_len(m), rte_pktmbuf_pkt_len(ref));
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(ref, void *),
			rte_pktmbuf_pkt_len(m));
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(ref);
	}
	a->ops->close(a);
	b->ops->close(b);
	emu_test_end(&t);
}

#define CDF_TEMPLATE "/tmp/emunic_cdf_XXXXXX"

static void
write_cdf(char *path, const char *text)
{
	int fd;

	memcpy(path, CDF_TEMPLATE, sizeof(CDF_TEMPLATE));
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

// A distribution where one flow in ten has nearly all bytes shows in the packets; a bad file is
// refused with its line.
static void
test_cdf(void **state)
{
	static const char *const bad[][2] = {
		{"bytes;cdf\n", "does not begin"},
		{"bytes,cdf\n10,0.5\n", "does not end with cdf 1"},
		{"bytes,cdf\n10,0.5\n9,1\n", "line 3"},
		{"bytes,cdf\n10,0.5\n20,0.4\n", "line 3"},
		{"bytes,cdf\n10,2\n", "line 2"},
		{"bytes,cdf\nnan,1\n", "line 2"},
		{"bytes,cdf\n10,1 apples\n", "line 2"},
		{"bytes,cdf\n", "does not end with cdf 1"},
	};
	char path[32], text[128];
	unsigned int count[1000] = {0}, heavy = 0;
	struct emu_backend *b;
	struct emu_test t;

	emu_test_begin(&t, 63);
	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		write_cdf(path, bad[i][0]);
		snprintf(text, sizeof(text), "[generator,cdf=%s]", path);
		emu_test_refused(&t, text, bad[i][1]);
		unlink(path);
	}
	write_cdf(path, "bytes,cdf\n100,0\n200,0.9\n1000000,0.9\n1000000,1\n");
	snprintf(text, sizeof(text), "[generator,pps=0,flows=1000,size=100,cdf=%s]", path);
	b = emu_test_open(&t, text);
	unlink(path);
	for (int i = 0; i < 20000; i++) {
		struct rte_mbuf *m;

		take(b, &m, 1);
		count[flow_of(m)]++;
		rte_pktmbuf_free(m);
	}
	for (int i = 0; i < 1000; i++)
		heavy += count[i] > 100;
	assert_in_range(heavy, 60, 140);
	b->ops->close(b);
	emu_test_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_jumbo),
		cmocka_unit_test(test_skew),
		cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_count_and_clock),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_cdf),
	};

	if (emu_test_eal("test_emunic_generator") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
