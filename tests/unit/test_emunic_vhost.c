// SPDX-License-Identifier: BSD-3-Clause
// The vhost-user side: real virtio-user guests (dpdk-testpmd) in both directions of the connection,
// killed and started again, with several queues and with segmentation offload both ways; bad paths
// and garbage on the socket.
//
//   test process: backend [vhost-user] <--socket--> dpdk-testpmd, net_virtio_user0, macswap
#include "emunic_support.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <rte_tcp.h>

#include "emunic_guest.h"

#define WAIT_MS 15000

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

// The flow of a generator's packet, and its number in it.
static uint32_t
payload(const struct rte_mbuf *m, uint64_t *number)
{
	struct rte_net_hdr_lens lens = {0};
	rte_be64_t n;
	rte_be32_t flow;
	const uint8_t *p;

	rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	p = rte_pktmbuf_mtod_offset(m, const uint8_t *, lens.l2_len + lens.l3_len + lens.l4_len);
	memcpy(&n, p, 8);
	memcpy(&flow, p + 8, 4);
	*number = rte_be_to_cpu_64(n);
	return rte_be_to_cpu_32(flow);
}

// Sends bursts of generated packets and gets each back, with its MACs exchanged, each flow in
// order. The NIC chooses the guest's receive queue; here the flow does.
static void
echo(struct emu_test *t, struct emu_backend *b, unsigned int bursts, const struct guest *g)
{
	struct emu_backend *gen = emu_test_open(t, "[generator,pps=0,flows=50,size=200,v6=30]");
	struct rte_mbuf *pkts[EMU_BURST];
	uint64_t last[50] = {0}, number;

	for (unsigned int i = 0; i < bursts; i++) {
		assert_int_equal(gen->ops->rx(gen, pkts, EMU_BURST), EMU_BURST);
		for (int k = 0; k < EMU_BURST; k++)
			pkts[k]->hash.txadapter.txq =
				payload(pkts[k], &number) % b->ops->rx_queues(b);
		assert_int_equal(b->ops->tx(b, pkts, EMU_BURST), EMU_BURST);
		if (collect(b, pkts, EMU_BURST, 5000) != EMU_BURST) {
			guest_show(g);
			fail_msg("burst %u does not come back", i);
		}
		for (int k = 0; k < EMU_BURST; k++) {
			uint32_t flow;

			assert_int_equal(rte_pktmbuf_pkt_len(pkts[k]), 200);
			assert_true(emu_test_sums_right(pkts[k]));
			assert_memory_equal(rte_pktmbuf_mtod(pkts[k], void *),
				"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
			flow = payload(pkts[k], &number);
			assert_true(flow < 50);
			assert_true(number + 1 > last[flow]);
			last[flow] = number + 1;
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
	print_message("skipped: dpdk-testpmd is not installed (package dpdk-dev)\n");
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

// Gives one packet to the guest's receive queue, which answers it by the transmit queue of its
// pair.
static void
send_by(struct emu_test *t, struct emu_backend *b, uint16_t queue)
{
	const uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, queue, 0x88, 0xb5};
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->env.pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, sizeof(frame)), frame, sizeof(frame));
	m->hash.txadapter.txq = queue;
	assert_int_equal(b->ops->tx(b, &m, 1), 1);
}

// Takes one answer and returns the queue that it was about.
static unsigned int
answer_of(struct emu_backend *b, const struct guest *g)
{
	struct rte_mbuf *m;
	unsigned int queue;

	if (collect(b, &m, 1, WAIT_MS) != 1) {
		guest_show(g);
		fail_msg("no answer");
	}
	queue = rte_pktmbuf_mtod(m, const uint8_t *)[5];
	rte_pktmbuf_free(m);
	return queue;
}

// A queue of the guest that is not to be read keeps what is in it, and the others go on.
static void
test_still(void **state)
{
	static const char *const more[] = {"--rxq=2", "--txq=2", NULL};
	const uint64_t second[2] = {UINT64_C(1) << 1};
	struct emu_backend *b;
	struct setup s;

	if (no_guest())
		skip();
	begin(&s, false, 2, "");
	b = emu_test_open(&s.t, s.text);
	guest_start(&s.g, s.vdev, more);
	start_forwarding(&s.g);
	wait_link(b, true, &s.g);
	wait_forwarding(&s.t, b, &s.g);
	while (b->ops->rx_queues(b) < 2)
		usleep(1000);
	b->still = second;
	send_by(&s.t, b, 1);
	for (unsigned int i = 0; i < 20; i++) {
		send_by(&s.t, b, 0);
		assert_int_equal(answer_of(b, &s.g), 0);
	}
	b->still = NULL;
	assert_int_equal(answer_of(b, &s.g), 1);
	b->ops->close(b);
	guest_kill(&s.g);
	emu_test_end(&s.t);
}

// A TCP packet over IPv4 of this payload from a generator's address to another, as a chain.
static struct rte_mbuf *
tcp_packet(struct emu_test *t, uint32_t payload)
{
	static uint8_t p[65600];
	uint32_t len = emu_test_packet(p, false, false, IPPROTO_TCP, payload);
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
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_still),
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
