// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>
#include <sanitizer/lsan_interface.h>

#include "emunic.h"
#include "fuzz_emunic_rule.h"

// A whole emulated NIC behind DPDK's public functions: the input is some rules
// (fuzz_emunic_rule.h) and then frames. What the NIC accepts when it validates it has to accept
// when it creates, and the reverse; a refusal has a type and a message. Frames are sent to the
// wire, which sends them back, so that they meet the rules of both domains with whatever the rules
// do to them. In the end no rule and no buffer may be left.

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULES 6
#define FRAMES 4
#define PORTS 3

static struct rte_mempool *
frame_pool(void)
{
	return rte_mempool_lookup("fuzz");
}

static const struct emu_nic *
nic(void)
{
	return ((struct emu_port *)rte_eth_devices[0].data->dev_private)->nic;
}

static void
must(int ret, const char *what)
{
	if (ret < 0) {
		fprintf(stderr, "fuzz_emunic_flow: %s: %d\n", what, ret);
		abort();
	}
}

static void
start(uint16_t port, uint16_t queues)
{
	struct rte_eth_conf conf = {
		.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_CHECKSUM,
	};

	if (queues > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IP;
	}
	must(rte_eth_dev_configure(port, queues, queues, &conf), "configure");
	for (uint16_t q = 0; q < queues; q++) {
		must(rte_eth_rx_queue_setup(port, q, 64, 0, NULL, frame_pool()), "rx queue");
		must(rte_eth_tx_queue_setup(port, q, 64, 0, NULL), "tx queue");
	}
	must(rte_eth_promiscuous_enable(port), "promiscuous");
	must(rte_eth_dev_start(port), "start");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *eal[] = {"fuzz_emunic_flow", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--lcores=0", "-m", "128", "--log-level=*:emergency"};

	__lsan_disable(); // what the NIC keeps hangs in EAL's memory, where LeakSanitizer does not
			  // look
	must(rte_eal_init(RTE_DIM(eal), eal), "EAL");
	if (rte_pktmbuf_pool_create("fuzz", 1023, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, 0) == NULL)
		must(-1, "pool");
	must(rte_vdev_init("net_emunic0", "queues=4,representor=vf[0-1],firmware=inline,"
					  "capacity=64,wire=[sink,reflect=1],vf0=[sink,reflect=1],"
					  "vf1=[sink]"),
		"NIC");
	for (uint16_t port = 0; port < PORTS; port++)
		start(port, port == 0 ? 4 : 1);
	__lsan_enable();
	return 0;
}

static void
judge_refusal(int ret, const struct rte_flow_error *e)
{
	if (ret < 0 && (e->type == RTE_FLOW_ERROR_TYPE_NONE || e->message == NULL))
		must(ret, "a refusal without its reason");
}

// Validates and creates what the input says. NULL when it is refused, as both have to.
static struct rte_flow *
one_rule(struct fuzz_input *in, uint16_t port)
{
	struct rte_flow_error first = {0}, error = {0};
	struct fuzz_rule rule;
	struct rte_flow *flow;
	int ret;

	fuzz_rule_read(in, &rule);
	ret = rte_flow_validate(port, &rule.attr, rule.items, rule.actions, &first);
	judge_refusal(ret, &first);
	flow = rte_flow_create(port, &rule.attr, rule.items, rule.actions, &error);
	judge_refusal(flow == NULL ? -1 : 0, &error);
	if ((ret == 0) != (flow != NULL)) {
		fprintf(stderr, "fuzz_emunic_flow: validate: %d (%s), create: %s\n", ret,
			ret == 0 ? "good" : first.message, flow != NULL ? "done" : error.message);
		abort();
	}
	fuzz_rule_free(&rule);
	return flow;
}

static unsigned int
receive(void)
{
	unsigned int all = 0;

	for (uint16_t port = 0; port < PORTS; port++) {
		for (uint16_t q = 0; q < (port == 0 ? 4 : 1); q++) {
			struct rte_mbuf *m[32];
			uint16_t n = rte_eth_rx_burst(port, q, m, RTE_DIM(m));

			for (uint16_t i = 0; i < n; i++)
				rte_mbuf_sanity_check(m[i], 1);
			rte_pktmbuf_free_bulk(m, n);
			all += n;
		}
	}
	return all;
}

static void
send_frame(struct fuzz_input *in)
{
	uint16_t port = fuzz_byte(in) % PORTS, len = 14 + fuzz_byte(in), cut = fuzz_byte(in);
	struct rte_mbuf *m = rte_pktmbuf_alloc(frame_pool()), *tail;
	uint8_t *to;

	if (m == NULL || (to = (uint8_t *)rte_pktmbuf_append(m, RTE_MIN(cut, len))) == NULL)
		abort();
	fuzz_bytes(in, to, m->data_len);
	if (m->data_len > 0)
		to[0] &= 0xfe; // the wire sends no group addresses back
	if (m->data_len < len) {
		tail = rte_pktmbuf_alloc(frame_pool());
		if (tail == NULL)
			abort();
		fuzz_bytes(in, (uint8_t *)rte_pktmbuf_append(tail, len - m->data_len),
			len - m->data_len);
		if (rte_pktmbuf_chain(m, tail) != 0)
			abort();
	}
	if (rte_eth_tx_burst(port, 0, &m, 1) != 1)
		rte_pktmbuf_free(m);
}

static void
query(uint16_t port, struct rte_flow *flow)
{
	struct rte_flow_action count[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count data = {.reset = 1};
	struct rte_flow_error error = {0};

	judge_refusal(rte_flow_query(port, flow, count, &data, &error), &error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {.at = data, .left = size};
	struct rte_flow *flow[RULES];
	struct rte_flow_error error;
	uint16_t port[RULES];
	unsigned int n = 1 + fuzz_byte(&in) % RULES, quiet;

	for (unsigned int i = 0; i < n; i++) {
		port[i] = fuzz_byte(&in) % PORTS;
		flow[i] = one_rule(&in, port[i]);
	}
	for (unsigned int i = 0; i < FRAMES && in.left > 0; i++) {
		send_frame(&in);
		receive();
	}
	receive();
	for (unsigned int i = 0; i < n; i++) {
		if (flow[i] == NULL)
			continue;
		query(port[i], flow[i]);
		if (i % 2 == 0 && rte_flow_destroy(port[i], flow[i], &error) != 0)
			abort();
	}
	for (uint16_t p = 0; p < PORTS; p++)
		if (rte_flow_flush(p, &error) != 0)
			abort();
	// Without rules every packet comes to a host port; two quiet rounds, and none is left.
	for (quiet = 0; quiet < 2;)
		quiet = receive() == 0 ? quiet + 1 : 0;
	if (nic()->rules.n_rules != 0 || rte_mempool_in_use_count(nic()->pool) != 0 ||
		rte_mempool_in_use_count(frame_pool()) != 0)
		abort();
	return 0;
}
