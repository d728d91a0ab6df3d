// SPDX-License-Identifier: BSD-3-Clause
// A guest that is no machine, with a VF (port 0) and a virtio port of the switch (port 1): it sends
// packets by its VF, and passes tagged misses that come back there on to the switch. Or it plays
// foul with them.
//
//   passer [EAL arguments with --vdev net_virtio_user0,path=VF --vdev net_virtio_user1,path=SWITCH]
//
// On standard input, a line each; it answers with one:
//   send N [PORT]     N UDP packets by the VF, to that port (default 9), of 16 flows
//   mode WORD         what is done with tagged frames: pass, twice, change (a byte), origin (says
//                     another one), drop
//   again             hands in once more what it passed on last (at most 64 frames)
//   save FILE, load FILE   writes what it got last; hands in what another one wrote
//   make N            hands in N frames with tags of its own
//   stats             "sent N tagged N passed N received N" (received: by the switch's port)
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_pmd_emunic_miss.h>
#include <rte_udp.h>

#include "guest_port.h"

#define VF 0
#define SWITCH 1
#define BURST 32
#define DESC 256
#define MBUFS 4095
#define KEPT 64
#define FLOWS 16
#define BYTES 60
#define FRAME_MAX 256
#define NAP_NS 50000

enum mode { PASS, TWICE, CHANGE, ORIGIN, DROP, MODES };

struct passer {
	struct rte_mempool *pool;
	enum mode mode;
	uint64_t sent, tagged, passed, received;
	unsigned flow, n_kept, at; // kept: the last ones
	struct {
		uint16_t len;
		uint8_t bytes[FRAME_MAX];
	} kept[KEPT];
};

// Waits for room.
static void
put(uint16_t port, struct rte_mbuf *m)
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};

	while (rte_eth_tx_burst(port, 0, &m, 1) == 0)
		nanosleep(&nap, NULL);
}

static struct rte_mbuf *
frame_of(struct passer *p, const void *bytes, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->pool);

	if (m == NULL) {
		fprintf(stderr, "passer: no buffer\n");
		exit(EXIT_FAILURE);
	}
	memcpy(rte_pktmbuf_append(m, len), bytes, len);
	return m;
}

static void
hand_in(struct passer *p, const void *bytes, uint16_t len)
{
	put(SWITCH, frame_of(p, bytes, len));
	p->passed++;
}

static void
send_packets(struct passer *p, unsigned n, uint16_t port)
{
	struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.total_length = RTE_BE16(BYTES - sizeof(struct rte_ether_hdr)),
		.src_addr = RTE_BE32(0x0a000001),
		.dst_addr = RTE_BE32(0x0a000009)};
	struct rte_udp_hdr udp = {.dgram_len = RTE_BE16(BYTES - sizeof(struct rte_ether_hdr) -
							sizeof(struct rte_ipv4_hdr)),
		.dst_port = rte_cpu_to_be_16(port)};
	uint8_t f[BYTES] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0};

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(f + sizeof(struct rte_ether_hdr), &ip, sizeof(ip));
	for (; n > 0; n--) {
		udp.src_port = rte_cpu_to_be_16((uint16_t)(1000 + p->flow++ % FLOWS));
		memcpy(f + sizeof(struct rte_ether_hdr) + sizeof(ip), &udp, sizeof(udp));
		put(VF, frame_of(p, f, sizeof(f)));
		p->sent++;
	}
}

static void
keep(struct passer *p, const uint8_t *bytes, uint16_t len)
{
	if (len > FRAME_MAX)
		return;
	memcpy(p->kept[p->at].bytes, bytes, len);
	p->kept[p->at].len = len;
	p->at = (p->at + 1) % KEPT;
	if (p->n_kept < KEPT)
		p->n_kept++;
}

static void
take_tagged(struct passer *p, struct rte_mbuf *m)
{
	uint8_t *bytes = rte_pktmbuf_mtod(m, uint8_t *);
	const uint16_t len = m->data_len;

	p->tagged++;
	keep(p, bytes, len);
	if (p->mode == CHANGE)
		bytes[len - 1] ^= 1;
	if (p->mode == ORIGIN)
		bytes[RTE_PMD_EMUNIC_MISS_MACS + 7] ^= 1;
	if (p->mode != DROP)
		hand_in(p, bytes, len);
	if (p->mode == TWICE)
		hand_in(p, bytes, len);
}

static unsigned
serve(struct passer *p)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = rte_eth_rx_burst(VF, 0, pkts, BURST), i, k;

	for (i = 0; i < n; i++) {
		const struct rte_ether_hdr *eth =
			rte_pktmbuf_mtod(pkts[i], const struct rte_ether_hdr *);

		if (eth->ether_type == rte_cpu_to_be_16(RTE_PMD_EMUNIC_MISS_ETHERTYPE) &&
			pkts[i]->nb_segs == 1)
			take_tagged(p, pkts[i]);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	k = rte_eth_rx_burst(SWITCH, 0, pkts, BURST);
	p->received += k;
	rte_pktmbuf_free_bulk(pkts, k);
	return n + k;
}

// With a key that it made up.
static void
make(struct passer *p, unsigned n)
{
	uint8_t frame[RTE_PMD_EMUNIC_MISS_HEAD + BYTES] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1};
	const uint8_t key[RTE_PMD_EMUNIC_MISS_KEY] = "a guess";
	struct rte_pmd_emunic_miss miss = {.origin = 1, .len = BYTES + RTE_PMD_EMUNIC_MISS_MACS};
	const struct iovec whole = {frame, sizeof(frame)};
	uint8_t *tag = frame + RTE_PMD_EMUNIC_MISS_MACS;

	if (p->n_kept > 0) // a true tag's words, as far as it can read them
		miss.key_id = p->kept[(p->at + KEPT - 1) % KEPT].bytes[15];
	for (; n > 0; n--) {
		miss.number = 1000000 + n;
		rte_pmd_emunic_miss_write(tag, &miss);
		rte_pmd_emunic_miss_put(tag + RTE_PMD_EMUNIC_MISS_HASH, 8,
			rte_pmd_emunic_miss_hash(key, &whole, 1, miss.len));
		hand_in(p, frame, sizeof(frame));
	}
}

static bool
file(struct passer *p, const char *name, bool save)
{
	FILE *f = fopen(name, save ? "w" : "r");
	unsigned i;

	if (f == NULL)
		return false;
	for (i = 0; save && i < p->n_kept; i++)
		fwrite(&p->kept[i], sizeof(p->kept[i]), 1, f);
	while (!save && fread(&p->kept[KEPT - 1], sizeof(p->kept[0]), 1, f) == 1)
		hand_in(p, p->kept[KEPT - 1].bytes, p->kept[KEPT - 1].len);
	return fclose(f) == 0;
}

static bool
obey(struct passer *p, char *line)
{
	static const char *const modes[MODES] = {"pass", "twice", "change", "origin", "drop"};
	char word[16] = "", arg[200] = "";
	unsigned port = 9, i;
	int n = sscanf(line, "%15s %199s %u", word, arg, &port);

	if (n >= 2 && strcmp(word, "send") == 0) {
		send_packets(p, (unsigned)atoi(arg), (uint16_t)port);
	} else if (n == 2 && strcmp(word, "mode") == 0) {
		for (i = 0; i < MODES && strcmp(modes[i], arg) != 0; i++)
			;
		p->mode = i < MODES ? (enum mode)i : p->mode;
		return i < MODES;
	} else if (strcmp(word, "again") == 0) {
		for (i = 0; i < p->n_kept; i++)
			hand_in(p, p->kept[i].bytes, p->kept[i].len);
	} else if (n == 2 && (strcmp(word, "save") == 0 || strcmp(word, "load") == 0)) {
		return file(p, arg, word[0] == 's');
	} else if (n == 2 && strcmp(word, "make") == 0) {
		make(p, (unsigned)atoi(arg));
	} else {
		return strcmp(word, "stats") == 0;
	}
	return true;
}

// False at the end of standard input.
static bool
listen_to_stdin(struct passer *p)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[256];

	if (poll(&in, 1, 0) <= 0)
		return true;
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	if (obey(p, line))
		printf("sent %llu tagged %llu passed %llu received %llu\n",
			(unsigned long long)p->sent, (unsigned long long)p->tagged,
			(unsigned long long)p->passed, (unsigned long long)p->received);
	else
		printf("? %s", line);
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};
	static struct passer p;

	if (rte_eal_init(argc, argv) < 0 || rte_eth_dev_count_avail() != 2)
		return EXIT_FAILURE;
	setvbuf(stdin, NULL, _IONBF, 0); // poll() has to see what is not read yet
	p.pool = rte_pktmbuf_pool_create(
		"passer", MBUFS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (p.pool == NULL || guest_port_start(VF, p.pool, DESC) != 0 ||
		guest_port_start(SWITCH, p.pool, DESC) != 0) {
		fprintf(stderr, "passer: a port did not start\n");
		return EXIT_FAILURE;
	}
	puts("ready");
	fflush(stdout);
	do {
		if (serve(&p) == 0)
			nanosleep(&nap, NULL);
	} while (listen_to_stdin(&p));
	rte_eth_dev_stop(VF);
	rte_eth_dev_stop(SWITCH);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
