// SPDX-License-Identifier: BSD-3-Clause
// A guest that is no machine: takes the packets of its virtio-user ports (or of any ethdev) and
// counts them, or answers each one with addresses and ports swapped. It sleeps when there is
// nothing to do, so that many of them fit on one CPU, which testpmd's polling does not allow.
//
//   guest [EAL arguments with --vdev net_virtio_user0,path=...] -- [--answer]
//
// On standard input, a line: "stats" prints "PORT RX TX" for each port; the end of it ends the
// guest.
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
#include <rte_udp.h>

#include "guest_port.h"

#define BURST 64
#define DESC 1024
#define MBUFS 8191
#define NAP_NS 50000

struct counters {
	uint64_t rx, tx;
};

// Swapping addresses and ports leaves the checksums of IP, TCP and UDP as they are.
static void
turn_round(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_ether_addr mac;
	struct rte_udp_hdr *l4;
	rte_be32_t addr;
	rte_be16_t port;

	if (rte_pktmbuf_data_len(m) < sizeof(*eth))
		return;
	mac = eth->dst_addr;
	eth->dst_addr = eth->src_addr;
	eth->src_addr = mac;
	if (eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
		rte_pktmbuf_data_len(m) < sizeof(*eth) + sizeof(*ip) + sizeof(*l4))
		return;
	addr = ip->dst_addr;
	ip->dst_addr = ip->src_addr;
	ip->src_addr = addr;
	if ((ip->next_proto_id != IPPROTO_TCP && ip->next_proto_id != IPPROTO_UDP) ||
		rte_ipv4_hdr_len(ip) != sizeof(*ip) ||
		(ip->fragment_offset & rte_cpu_to_be_16(0x1fff)) != 0)
		return;
	l4 = (struct rte_udp_hdr *)(ip + 1);
	port = l4->dst_port;
	l4->dst_port = l4->src_port;
	l4->src_port = port;
}

static uint16_t
serve(uint16_t port, bool answer, struct counters *n)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t got = rte_eth_rx_burst(port, 0, pkts, BURST), sent = 0, i;

	n->rx += got;
	for (i = 0; answer && i < got; i++)
		turn_round(pkts[i]);
	if (answer)
		sent = rte_eth_tx_burst(port, 0, pkts, got);
	n->tx += sent;
	if (sent < got)
		rte_pktmbuf_free_bulk(pkts + sent, got - sent);
	return got;
}

// False at the end of standard input.
static bool
listen_to_stdin(const struct counters *n, uint16_t ports)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64];
	uint16_t i;

	if (poll(&p, 1, 0) <= 0)
		return true;
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	for (i = 0; strcmp(line, "stats\n") == 0 && i < ports; i++)
		printf("%u %llu %llu\n", i, (unsigned long long)n[i].rx,
			(unsigned long long)n[i].tx);
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};
	struct counters n[RTE_MAX_ETHPORTS] = {0};
	struct rte_mempool *pool;
	int used = rte_eal_init(argc, argv);
	uint16_t ports, i, busy, loops = 0;
	bool answer;

	if (used < 0)
		return EXIT_FAILURE;
	answer = used + 1 < argc && strcmp(argv[used + 1], "--answer") == 0;
	ports = rte_eth_dev_count_avail();
	pool = rte_pktmbuf_pool_create(
		"guest", MBUFS * (ports + 1U), 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	for (i = 0; pool != NULL && i < ports; i++) {
		if (guest_port_start(i, pool, DESC) != 0)
			pool = NULL;
	}
	if (pool == NULL || ports == 0) {
		fprintf(stderr, "guest: no port, or one did not start\n");
		return EXIT_FAILURE;
	}
	puts("ready");
	fflush(stdout);
	do {
		busy = 0;
		for (i = 0; i < ports; i++)
			busy += serve(i, answer, &n[i]);
		if (busy == 0)
			nanosleep(&nap, NULL);
	} while (++loops % 256 != 0 || listen_to_stdin(n, ports));
	for (i = 0; i < ports; i++) {
		rte_eth_dev_stop(i);
		rte_eth_dev_close(i);
	}
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
