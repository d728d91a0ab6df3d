// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_EMUNIC_ACTIONS_H
#define SLUICE_TESTS_EMUNIC_ACTIONS_H

#include "emunic_nic.h"

// What the tests of rte_flow actions share: rules from the wire to vf0, packets through them, and
// refusals.
// Thread-safety: owner thread only.

#define END                                                                                        \
	{                                                                                          \
		.type = RTE_FLOW_ACTION_TYPE_END                                                   \
	}

static const struct rte_flow_item any[] = {
	{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};

// A rule on port 0, for what comes in by the wire, that does a and sends the packet to vf0.
static inline struct rte_flow *
rule_to_vf(const struct rte_flow_action *a, unsigned int n)
{
	const struct rte_flow_action_ethdev vf = {.port_id = 1};
	const struct rte_flow_attr attr = {.transfer = 1};
	struct rte_flow_action all[40] = {{.type = RTE_FLOW_ACTION_TYPE_COUNT}};
	struct rte_flow_error error = {0};
	struct rte_flow *f;

	memcpy(&all[1], a, n * sizeof(*a));
	all[n + 1].type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT;
	all[n + 1].conf = &vf;
	all[n + 2].type = RTE_FLOW_ACTION_TYPE_END;
	assert_int_equal(rte_flow_validate(0, &attr, any, all, &error), 0);
	f = rte_flow_create(0, &attr, any, all, &error);
	if (f == NULL)
		fail_msg("%s", error.message);
	return f;
}

static inline void
remove_rule(struct rte_flow *f)
{
	struct rte_flow_error error;

	assert_int_equal(rte_flow_destroy(0, f, &error), 0);
}

// Lets m come in by the wire; returns what goes out by vf0, or NULL.
static inline struct rte_mbuf *
through(struct rte_mbuf *m)
{
	struct rte_mbuf *none[1];

	clear(&scripts[1]);
	scripts[0].in[scripts[0].n_in++] = m;
	rte_eth_rx_burst(0, 0, none, 0);
	return scripts[1].n_out > 0 ? scripts[1].out[0] : NULL;
}

// The right checksums of a packet(), or none (UDP).
static inline void
right_sums(struct rte_mbuf *m, bool v6, bool tcp, bool none)
{
	uint32_t l3 = 14, l4 = v6 ? 54 : 34;
	void *ip = rte_pktmbuf_mtod_offset(m, void *, l3);
	uint16_t sum = 0, *at = rte_pktmbuf_mtod_offset(m, uint16_t *, l4 + (tcp ? 16 : 6));

	if (!v6) {
		struct rte_ipv4_hdr *h = ip;

		h->hdr_checksum = 0;
		h->hdr_checksum = rte_ipv4_cksum(h);
	}
	*at = 0;
	if (none)
		return;
	sum = v6 ? rte_ipv6_udptcp_cksum_mbuf(m, ip, l4) : rte_ipv4_udptcp_cksum_mbuf(m, ip, l4);
	*at = sum;
}

// Refusals: which error, and a sentence that says what.
static inline void
refused(const struct rte_flow_attr *attr, const struct rte_flow_action *a, int code,
	enum rte_flow_error_type type, const char *contains)
{
	struct rte_flow_error error = {0};

	assert_int_equal(rte_flow_validate(0, attr, any, a, &error), -code);
	assert_null(rte_flow_create(0, attr, any, a, &error));
	assert_int_equal(error.type, type);
	if (error.message == NULL || strstr(error.message, contains) == NULL)
		fail_msg("\"%s\" has no \"%s\"", error.message, contains);
}

static inline void
refused_conf(int type, const void *conf, const char *contains)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action a[] = {{.type = type, .conf = conf}, END};
	struct rte_flow_error error = {0};

	assert_int_not_equal(rte_flow_validate(0, &attr, any, a, &error), 0);
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ACTION_CONF);
	assert_ptr_equal(error.cause, conf);
	if (strstr(error.message, contains) == NULL)
		fail_msg("\"%s\" has no \"%s\"", error.message, contains);
}

static uint8_t outer[] = {
	2, 0, 0, 0, 0, 0x11, 2, 0, 0, 0, 0, 0x22, 0x08, 0,                   // Ethernet
	0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 100, 0, 2, 1, 100, 0, 2, 2, // IPv4
	0, 0, 0x12, 0xb5, 0, 0, 0, 0,                                        // UDP to 4789
	8, 0, 0, 0, 0, 0x30, 0x39, 0,                                        // VXLAN 12345
};
#define OUTER sizeof(outer)

static inline void
assert_vxlan(struct rte_mbuf *m, uint32_t inner_len)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, 34);

	assert_int_equal(m->pkt_len, OUTER + inner_len);
	assert_int_equal(rte_be_to_cpu_16(ip->total_length), OUTER - 14 + inner_len);
	assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
	assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), 16 + inner_len);
	assert_in_range(rte_be_to_cpu_16(udp->src_port), 0xc000, 0xffff);
	assert_int_equal(udp->dst_port, RTE_BE16(4789));
	assert_int_equal(udp->dgram_cksum, 0);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, void *, 42), &outer[42], 8);
}

#endif
