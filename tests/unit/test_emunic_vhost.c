// SPDX-License-Identifier: BSD-3-Clause
// The vhost-user side: what a guest claims about its packets is checked; real virtio-user guests
// (dpdk-testpmd) in both directions of the connection, killed and started again, with several
// queues and with segmentation offload both ways; bad paths and garbage on the socket.
//
//   test process: backend [vhost-user] <--socket--> dpdk-testpmd, net_virtio_user0, macswap
#include "emunic_support.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <rte_tcp.h>

#include "backend_offload.h"
#include "emunic_guest.h"

#define WAIT_MS 15000

// --- What a guest claims ---------------------------------------------------------------------

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

// A TCP or UDP packet over IPv4 or IPv6, of so many bytes of payload. Returns its length.
static size_t
build(uint8_t *p, bool tag, bool v6, uint8_t proto, size_t payload)
{
	size_t l4 = proto == IPPROTO_TCP ? 20 : 8, l2 = tag ? 18 : 14;
	uint8_t *ip = p + l2;
	size_t l3 = v6 ? 40 : 20;
	uint16_t len = v6 ? l4 + payload : l3 + l4 + payload;

	memset(p, 0, l2 + l3 + l4 + payload);
	memcpy(p + 12, "\x81\x00\x00\x07", 4);
	memcpy(p + l2 - 2, v6 ? "\x86\xdd" : "\x08\x00", 2);
	ip[0] = v6 ? 0x60 : 0x45;
	ip[v6 ? 4 : 2] = len >> 8;
	ip[v6 ? 5 : 3] = len;
	ip[v6 ? 6 : 9] = proto;
	if (proto == IPPROTO_TCP)
		ip[l3 + 12] = 0x50;
	return l2 + l3 + l4 + payload;
}

static void
test_claims_true(void **state)
{
	static uint8_t p[65600];
	struct claim c;

	for (int i = 0; i < 8; i++) {
		bool tag = i & 1, v6 = i & 2, tcp = i & 4;
		size_t len = build(p, tag, v6, tcp ? IPPROTO_TCP : IPPROTO_UDP, 3000);
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
	size_t len = build(p, false, false, IPPROTO_TCP, 200);
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
	len = build(p, false, true, IPPROTO_TCP, 200);
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
		size_t len = build(p, rand() % 2, rand() % 2,
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

// --- Guests ----------------------------------------------------------------------------------

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void
wait_link(struct emu_backend *b, bool up, const struct guest *g)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (b->ops->link(b) != up) {
		if (now_ms() > end) {
			guest_show(g);
			fail_msg("the link is not %s", up ? "up" : "down");
		}
		usleep(1000);
	}
}

// Takes n packets within the deadline, or as many as come.
static unsigned int
collect(struct emu_backend *b, struct rte_mbuf **pkts, unsigned int n, unsigned int ms)
{
	uint64_t end = now_ms() + ms;
	unsigned int got = 0;

	while (got < n && now_ms() <= end) {
		uint16_t more =
			b->ops->rx(b, pkts + got, RTE_MIN(n - got, (unsigned int)EMU_BURST));

		got += more;
		if (more == 0)
			usleep(100);
	}
	return got;
}

static void
start_forwarding(struct guest *g)
{
	guest_say(g, "set fwd macswap\nstart\n");
}

// The guest forwards: a probe has come back. What is on its way then is taken away.
static void
wait_forwarding(struct emu_test *t, struct emu_backend *b, const struct guest *g)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct rte_mbuf *m, *late[64];

	for (;;) {
		uint8_t probe[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};

		m = rte_pktmbuf_alloc(t->env.pool);
		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, sizeof(probe)), probe, sizeof(probe));
		if (b->ops->tx(b, &m, 1) == 0)
			rte_pktmbuf_free(m);
		if (collect(b, &m, 1, 20) == 1)
			break;
		if (now_ms() > end) {
			guest_show(g);
			fail_msg("the guest answers nothing");
		}
	}
	rte_pktmbuf_free(m);
	rte_pktmbuf_free_bulk(late, collect(b, late, 64, 100));
}

// Sends bursts of generated packets and gets each back, with its MACs exchanged, each flow in
// order.
static void
echo(struct emu_test *t, struct emu_backend *b, unsigned int bursts, const struct guest *g)
{
	struct emu_backend *gen = emu_test_open(t, "[generator,pps=0,flows=50,size=200,v6=30]");
	struct rte_mbuf *pkts[EMU_BURST];
	uint64_t last[50] = {0};

	for (unsigned int i = 0; i < bursts; i++) {
		assert_int_equal(gen->ops->rx(gen, pkts, EMU_BURST), EMU_BURST);
		assert_int_equal(b->ops->tx(b, pkts, EMU_BURST), EMU_BURST);
		if (collect(b, pkts, EMU_BURST, 5000) != EMU_BURST) {
			guest_show(g);
			fail_msg("burst %u does not come back", i);
		}
		for (int k = 0; k < EMU_BURST; k++) {
			struct rte_net_hdr_lens lens = {0};
			rte_be64_t number;
			rte_be32_t flow;
			const uint8_t *p;

			assert_int_equal(rte_pktmbuf_pkt_len(pkts[k]), 200);
			assert_true(emu_test_sums_right(pkts[k]));
			assert_memory_equal(rte_pktmbuf_mtod(pkts[k], void *),
				"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
			rte_net_get_ptype(pkts[k], &lens, RTE_PTYPE_ALL_MASK);
			p = rte_pktmbuf_mtod_offset(
				pkts[k], const uint8_t *, lens.l2_len + lens.l3_len + lens.l4_len);
			memcpy(&number, p, 8);
			memcpy(&flow, p + 8, 4);
			flow = rte_be_to_cpu_32(flow);
			assert_true(flow < 50);
			assert_true(rte_be_to_cpu_64(number) + 1 > last[flow]);
			last[flow] = rte_be_to_cpu_64(number) + 1;
		}
		rte_pktmbuf_free_bulk(pkts, EMU_BURST);
	}
	gen->ops->close(gen);
}

struct setup {
	struct emu_test t;
	struct guest g;
	char path[60], text[160], vdev[120];
};

static void
begin(struct setup *s, bool client, unsigned int queues, const char *more)
{
	memset(s, 0, sizeof(*s));
	emu_test_begin(&s->t, 4095);
	snprintf(s->path, sizeof(s->path), "/tmp/emunic_vhost_%d", getpid());
	unlink(s->path);
	snprintf(s->text, sizeof(s->text), "[vhost-user,path=%s,client=%d,queues=%u]", s->path,
		client, queues);
	snprintf(s->vdev, sizeof(s->vdev), "path=%s,server=%d,queues=%u%s", s->path, client, queues,
		more);
}

// What keeps the unit test from running on a machine without testpmd.
static bool
no_guest(void)
{
	const char *ci = getenv("CI");

	if (guest_is_there())
		return false;
	if (ci != NULL && strcmp(ci, "true") == 0)
		fail_msg("dpdk-testpmd is not installed");
	print_message("skipped: dpdk-testpmd is not installed (package dpdk)\n");
	return true;
}

// Killed without a word and started again, twice; the second time while packets are on their way.
static void
kill_and_restart(bool client)
{
	struct emu_backend_stats stats;
	struct rte_mbuf *pkts[EMU_BURST];
	struct emu_backend *b, *gen;
	struct setup s;

	begin(&s, client, 1, "");
	b = emu_test_open(&s.t, s.text);
	assert_false(b->ops->link(b));
	assert_int_equal(b->ops->rx(b, pkts, EMU_BURST), 0);
	for (int round = 0; round < 3; round++) {
		unlink(client ? s.path : ""); // a dead server's socket
		guest_start(&s.g, s.vdev, NULL);
		start_forwarding(&s.g);
		wait_link(b, true, &s.g);
		assert_false(b->ops->takes_offloads(b));
		wait_forwarding(&s.t, b, &s.g);
		echo(&s.t, b, 20, &s.g);
		gen = emu_test_open(&s.t, "[generator,pps=0]");
		for (int i = 0; i < 200 && round == 1; i++) {
			uint16_t n = gen->ops->rx(gen, pkts, EMU_BURST);
			uint16_t sent = b->ops->tx(b, pkts, n);

			rte_pktmbuf_free_bulk(pkts + sent, n - sent);
			if (i == 100)
				kill(s.g.pid, SIGKILL);
			rte_pktmbuf_free_bulk(pkts, b->ops->rx(b, pkts, EMU_BURST));
		}
		gen->ops->close(gen);
		if (round == 2)
			break;
		guest_kill(&s.g);
		wait_link(b, false, &s.g);
		assert_int_equal(b->ops->rx(b, pkts, EMU_BURST), 0);
	}
	b->ops->stats(b, &stats);
	assert_int_equal(stats.rx_errors, 0);
	assert_true(stats.rx_packets >= 3 * 20 * EMU_BURST);
	b->ops->close(b); // with the guest alive
	guest_kill(&s.g);
	unlink(s.path);
	emu_test_end(&s.t);
}

static void
test_server(void **state)
{
	if (no_guest())
		skip();
	kill_and_restart(false);
}

static void
test_client(void **state)
{
	if (no_guest())
		skip();
	kill_and_restart(true);
}

// Two queue pairs: both carry packets, and each flow stays in order.
static void
test_queues(void **state)
{
	static const char *const more[] = {"--rxq=2", "--txq=2", NULL};
	struct emu_backend *b;
	struct setup s;

	if (no_guest())
		skip();
	begin(&s, false, 2, ",packed_vq=1");
	b = emu_test_open(&s.t, s.text);
	guest_start(&s.g, s.vdev, more);
	start_forwarding(&s.g);
	wait_link(b, true, &s.g);
	wait_forwarding(&s.t, b, &s.g);
	echo(&s.t, b, 50, &s.g);
	guest_say(&s.g, "stop\n");
	for (int i = 0; i < 100; i++) {
		char command[160];

		// testpmd lists a stream with packets under each queue that had some.
		snprintf(command, sizeof(command),
			"test $(grep -o 'RX Port= 0/Queue= *[0-9]*' %s | sort -u | wc -l) = 2",
			s.g.log);
		if (system(command) == 0)
			break;
		if (i == 99) {
			guest_show(&s.g);
			fail_msg("not both queues carried packets");
		}
		usleep(50000);
	}
	b->ops->close(b);
	guest_kill(&s.g);
	emu_test_end(&s.t);
}

// A TCP packet over IPv4 of this payload from a generator's address to another, as a chain.
static struct rte_mbuf *
tcp_packet(struct emu_test *t, uint32_t payload)
{
	static uint8_t p[65600];
	uint32_t len = build(p, false, false, IPPROTO_TCP, payload);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(p + 14);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
	struct rte_mbuf *head, *m;

	memcpy(p, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01", 12);
	ip->time_to_live = 64;
	ip->src_addr = rte_cpu_to_be_32(0x0a010001);
	ip->dst_addr = rte_cpu_to_be_32(0x0a020001);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->tcp_flags = RTE_TCP_ACK_FLAG;
	for (uint32_t i = 0; i < payload; i++)
		p[54 + i] = i * 7;
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
	head = m = rte_pktmbuf_alloc(t->env.pool);
	assert_non_null(m);
	for (uint32_t at = 0; at < len;) {
		uint32_t part = RTE_MIN(len - at, rte_pktmbuf_tailroom(m));

		memcpy(rte_pktmbuf_mtod(m, void *), p + at, part);
		m->data_len = part;
		at += part;
		if (at == len)
			break;
		m->next = rte_pktmbuf_alloc(t->env.pool);
		assert_non_null(m->next);
		m = m->next;
		head->nb_segs++;
	}
	head->pkt_len = len;
	return head;
}

// The guest sends with segmentation offload: one packet comes, marked and with right lengths.
static void
test_segments_from_guest(void **state)
{
	struct rte_mbuf *m;
	struct emu_backend *b;
	struct setup s;

	if (no_guest())
		skip();
	begin(&s, false, 1, "");
	b = emu_test_open(&s.t, s.text);
	guest_start(&s.g, s.vdev, NULL);
	guest_say(&s.g, "port stop 0\nport config 0 tx_offload tcp_tso on\n"
			"port config 0 tx_offload tcp_cksum on\ncsum set tcp hw 0\ntso set 500 0\n"
			"port start 0\nset fwd csum\nstart\n");
	wait_link(b, true, &s.g);
	wait_forwarding(&s.t, b, &s.g);
	m = tcp_packet(&s.t, 1400);
	assert_int_equal(b->ops->tx(b, &m, 1), 1);
	if (collect(b, &m, 1, 5000) != 1) {
		guest_show(&s.g);
		fail_msg("the segments do not come");
	}
	assert_int_equal(rte_pktmbuf_pkt_len(m), 1454);
	assert_true(m->ol_flags == (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM |
					   RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM));
	assert_int_equal(m->l2_len, 14);
	assert_int_equal(m->l3_len, 20);
	assert_int_equal(m->l4_len, 20);
	assert_int_equal(m->tso_segsz, 500);
	rte_pktmbuf_free(m);
	b->ops->close(b);
	guest_kill(&s.g);
	emu_test_end(&s.t);
}

// The guest takes segmentation offload: a packet of 20,000 bytes goes to it whole, and comes back
// whole through mergeable buffers both ways.
static void
test_segments_to_guest(void **state)
{
	static const char *const more[] = {"--rx-offloads=0x1c", "--tx-offloads=0x8000",
		"--enable-scatter", "--enable-lro", NULL};
	struct rte_mbuf *m;
	struct emu_backend *b;
	struct setup s;

	if (no_guest())
		skip();
	begin(&s, false, 1, "");
	b = emu_test_open(&s.t, s.text);
	guest_start(&s.g, s.vdev, more);
	start_forwarding(&s.g);
	wait_link(b, true, &s.g);
	wait_forwarding(&s.t, b, &s.g);
	if (!b->ops->takes_offloads(b)) {
		guest_show(&s.g);
		fail_msg("the guest takes no offloads");
	}
	m = tcp_packet(&s.t, 20000);
	m->ol_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4 |
		      RTE_MBUF_F_TX_IP_CKSUM;
	m->l2_len = 14;
	m->l3_len = 20;
	m->l4_len = 20;
	m->tso_segsz = 1400;
	assert_int_equal(b->ops->tx(b, &m, 1), 1);
	if (collect(b, &m, 1, 5000) != 1) {
		guest_show(&s.g);
		fail_msg("the packet does not come back");
	}
	assert_int_equal(rte_pktmbuf_pkt_len(m), 20054);
	for (uint32_t i = 0; i < 20000; i += 999) {
		uint8_t byte;

		assert_int_equal(
			*(const uint8_t *)rte_pktmbuf_read(m, 54 + i, 1, &byte), (i * 7) & 0xff);
	}
	rte_pktmbuf_free(m);
	b->ops->close(b);
	guest_kill(&s.g);
	emu_test_end(&s.t);
}

// A packet that asks for what the guest has not agreed to is lost and counted, the others arrive.
static void
test_unwanted(void **state)
{
	struct emu_backend_stats stats;
	struct rte_mbuf *pkts[3];
	struct emu_backend *b;
	struct setup s;

	if (no_guest())
		skip();
	begin(&s, false, 1, "");
	b = emu_test_open(&s.t, s.text);
	guest_start(&s.g, s.vdev, NULL);
	start_forwarding(&s.g);
	wait_link(b, true, &s.g);
	wait_forwarding(&s.t, b, &s.g);
	for (int i = 0; i < 3; i++)
		pkts[i] = tcp_packet(&s.t, 100 + i);
	pkts[1]->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
	pkts[1]->l2_len = 14;
	pkts[1]->l3_len = 20;
	pkts[1]->l4_len = 20;
	assert_int_equal(b->ops->tx(b, pkts, 3), 3);
	assert_int_equal(collect(b, pkts, 2, 5000), 2);
	assert_int_equal(rte_pktmbuf_pkt_len(pkts[0]), 154);
	assert_int_equal(rte_pktmbuf_pkt_len(pkts[1]), 156);
	rte_pktmbuf_free_bulk(pkts, 2);
	b->ops->stats(b, &stats);
	assert_int_equal(stats.tx_errors, 1);
	b->ops->close(b);
	guest_kill(&s.g);
	emu_test_end(&s.t);
}

// --- Bad paths and bad peers -----------------------------------------------------------------

static int
connect_to(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
test_paths(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char text[300], path[60];
	struct emu_backend *b;
	struct emu_test t;
	int fd;

	emu_test_begin(&t, 63);
	emu_test_refused(&t, "[vhost-user]", "path= is missing");
	emu_test_refused(&t, "[vhost-user,path=/nowhere/at/all/s]", "No such file");
	emu_test_refused(&t, "[vhost-user,path=/tmp/x,queues=129]", "from 1 to 128");
	snprintf(text, sizeof(text), "[vhost-user,path=/tmp/%0120d]", 1);
	emu_test_refused(&t, text, "path takes 1 to 107 characters");

	// A file of somebody's is refused, and stays.
	snprintf(path, sizeof(path), "/tmp/emunic_paths_%d", getpid());
	snprintf(text, sizeof(text), "[vhost-user,path=%s]", path);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	emu_test_refused(&t, text, "File exists");
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);

	// So is a socket that somebody listens at; one that nobody does is taken over.
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 1), 0);
	emu_test_refused(&t, text, "Address already in use");
	close(fd);
	b = emu_test_open(&t, text);
	emu_test_refused(&t, text, "in use in this process");
	b->ops->close(b);
	assert_int_not_equal(access(path, F_OK), 0);
	b = emu_test_open(&t, text);
	b->ops->close(b);
	emu_test_end(&t);
}

// Garbage on one socket ends that connection; another socket's guest does not notice.
static void
test_garbage(void **state)
{
	uint8_t junk[512];
	struct emu_backend *b, *victim;
	char path[60], text[120];
	struct setup s;

	if (no_guest())
		skip();
	srand(1);
	begin(&s, false, 1, "");
	victim = emu_test_open(&s.t, s.text);
	guest_start(&s.g, s.vdev, NULL);
	start_forwarding(&s.g);
	snprintf(path, sizeof(path), "/tmp/emunic_garbage_%d", getpid());
	snprintf(text, sizeof(text), "[vhost-user,path=%s]", path);
	b = emu_test_open(&s.t, text);
	wait_link(victim, true, &s.g);
	wait_forwarding(&s.t, victim, &s.g);
	for (int round = 0; round < 20; round++) {
		int fds[6];

		for (int i = 0; i < 6; i++) { // more than one socket holds at a time
			fds[i] = connect_to(path);
			for (size_t k = 0; k < sizeof(junk); k++)
				junk[k] = rand() % 4 ? 0 : rand();
			junk[0] = rand() % 40;
			junk[4] = 1;
			junk[8] = rand() % 64;
			assert_true(send(fds[i], junk, rand() % sizeof(junk), MSG_NOSIGNAL) >= -1);
		}
		for (int i = 0; i < 6; i++)
			close(fds[i]);
		echo(&s.t, victim, 1, &s.g);
		assert_false(b->ops->link(b));
	}
	b->ops->close(b);
	victim->ops->close(victim);
	guest_kill(&s.g);
	emu_test_end(&s.t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims_true),
		cmocka_unit_test(test_claims_false),
		cmocka_unit_test(test_claims_random),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_segments_from_guest),
		cmocka_unit_test(test_segments_to_guest),
		cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_garbage),
	};

	signal(SIGPIPE, SIG_IGN);
	if (emu_test_eal("test_emunic_vhost") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
