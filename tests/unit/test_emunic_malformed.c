// SPDX-License-Identifier: BSD-3-Clause
// The malformed captures through the whole NIC: each frame, whole and cut anywhere, in one buffer
// and in pieces, from the wire, from a VF whose guest lies about it, and from a host that asks for
// offloads it cannot have; under rules that read and rewrite as deep as rules can. What is proved
// is that nothing is read or written that is not the packet's (sanitizers), that no buffer is lost
// and that the ledger balances.
#include "captures.h"
#include "emunic_actions.h"
#include "fuzz_emunic_rule.h"

#define RULES 24
#define ROUND 256 // frames between two sets of rules

struct way {
	unsigned int frames, stacked, any;
};

// What may follow what, as deep as the NIC reads.
static const enum rte_flow_item_type stacks[][10] = {
	{RTE_FLOW_ITEM_TYPE_ETH},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_VLAN, RTE_FLOW_ITEM_TYPE_VLAN,
		RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_UDP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_TCP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_IPV6_FRAG_EXT,
		RTE_FLOW_ITEM_TYPE_UDP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_TCP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_SCTP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_ARP_ETH_IPV4},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_ICMP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_ICMP6},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_UDP,
		RTE_FLOW_ITEM_TYPE_VXLAN, RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_VLAN,
		RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_TCP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_UDP,
		RTE_FLOW_ITEM_TYPE_VXLAN, RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV6,
		RTE_FLOW_ITEM_TYPE_IPV6_FRAG_EXT, RTE_FLOW_ITEM_TYPE_UDP},
	{RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_VLAN, RTE_FLOW_ITEM_TYPE_IPV4,
		RTE_FLOW_ITEM_TYPE_UDP, RTE_FLOW_ITEM_TYPE_GENEVE, RTE_FLOW_ITEM_TYPE_ETH,
		RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_SCTP},
};

// Random edits in a random order for what has the headers of a random stack. Refused where they
// make no sense together.
static bool
stack_rule(bool transfer)
{
	struct rte_flow_action_raw_encap encap = {.data = outer, .size = OUTER};
	struct rte_flow_action_raw_decap strip = {.size = OUTER};
	struct rte_flow_action_of_push_vlan push = {.ethertype = RTE_BE16(0x8100)};
	struct rte_flow_action_set_tp port = {.port = RTE_BE16(7)};
	struct rte_flow_action_set_ipv4 ip = {.ipv4_addr = RTE_BE32(0x0a000001)};
	const struct rte_flow_action edits[] = {
		{.type = RTE_FLOW_ACTION_TYPE_VXLAN_DECAP},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP, .conf = &strip},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &encap},
		{.type = RTE_FLOW_ACTION_TYPE_OF_POP_VLAN},
		{.type = RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, .conf = &push},
		{.type = RTE_FLOW_ACTION_TYPE_DEC_TTL},
		{.type = RTE_FLOW_ACTION_TYPE_SET_TP_SRC, .conf = &port},
		{.type = RTE_FLOW_ACTION_TYPE_SET_IPV4_DST, .conf = &ip},
	};
	const struct rte_flow_attr attr = {
		.transfer = transfer, .ingress = !transfer, .priority = draw(8)};
	const struct rte_flow_action_ethdev out = {.port_id = draw(2)};
	const struct rte_flow_action_queue queue = {.index = draw(2)};
	struct rte_flow_action a[8] = {{.type = RTE_FLOW_ACTION_TYPE_COUNT}};
	const enum rte_flow_item_type *stack = stacks[draw(RTE_DIM(stacks))];
	struct rte_flow_item items[12] = {0};
	struct rte_flow_error error;
	unsigned int n = 1;

	for (unsigned int i = 0; i < 10; i++)
		items[i].type = stack[i];
	for (unsigned int k = 1 + draw(3); k > 0; k--)
		a[n++] = edits[draw(RTE_DIM(edits))];
	a[n].type = transfer ? RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT : RTE_FLOW_ACTION_TYPE_QUEUE;
	a[n].conf = transfer ? (const void *)&out : &queue;
	return rte_flow_create(0, &attr, items, a, &error) != NULL;
}

// Any bytes as a rule; few are one.
static bool
any_rule(void)
{
	uint8_t bytes[256];
	struct fuzz_input in = {.at = bytes, .left = sizeof(bytes)};
	struct rte_flow_error error;
	struct fuzz_rule rule;
	bool taken;

	for (unsigned int k = 0; k < sizeof(bytes); k++)
		bytes[k] = draw(3) == 0 ? draw(256) : draw(4);
	fuzz_rule_read(&in, &rule);
	taken = rte_flow_create(draw(2), &rule.attr, rule.items, rule.actions, &error) != NULL;
	fuzz_rule_free(&rule);
	return taken;
}

static void
new_rules(struct way *w)
{
	struct rte_flow_error error;

	for (uint16_t port = 0; port < 2; port++)
		assert_int_equal(rte_flow_flush(port, &error), 0);
	for (unsigned int i = 0; i < RULES; i++) {
		w->stacked += stack_rule(i % 2);
		w->any += any_rule();
	}
}

// The frame in one buffer or, as often, in pieces of any length. NULL: it is too long for the pool.
static struct rte_mbuf *
as_mbuf(struct rte_mempool *pool, const uint8_t *frame, uint32_t len)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *last = head;
	bool pieces = draw(2);

	assert_non_null(head);
	while (len > 0) {
		uint32_t take = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(last));

		if (pieces)
			take = 1 + draw(take);
		memcpy(rte_pktmbuf_mtod_offset(last, void *, last->data_len), frame, take);
		last->data_len += take;
		head->pkt_len += take;
		frame += take;
		len -= take;
		if (len == 0)
			break;
		if (head->nb_segs == 32) { // more than a frame of the greatest MTU needs
			rte_pktmbuf_free(head);
			return NULL;
		}
		last->next = rte_pktmbuf_alloc(pool);
		last = last->next;
		assert_non_null(last);
		head->nb_segs++;
	}
	return head;
}

static void
lie(struct rte_mbuf *m)
{
	static const uint64_t flags[] = {RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM,
		RTE_MBUF_F_TX_IPV6, RTE_MBUF_F_TX_TCP_CKSUM, RTE_MBUF_F_TX_UDP_CKSUM,
		RTE_MBUF_F_TX_TCP_SEG, RTE_MBUF_F_TX_VLAN, RTE_MBUF_F_TX_OUTER_IP_CKSUM,
		RTE_MBUF_F_TX_TUNNEL_VXLAN, RTE_MBUF_F_TX_SCTP_CKSUM};

	for (unsigned int n = draw(4); n > 0; n--)
		m->ol_flags |= flags[draw(RTE_DIM(flags))];
	m->l2_len = draw(2) ? 14 : draw(128);
	m->l3_len = draw(2) ? 20 : draw(512);
	m->l4_len = draw(2) ? 20 : draw(256);
	m->tso_segsz = draw(3) ? 1 + draw(2000) : 0;
	m->vlan_tci = draw(65536);
}

static void
take_all(void)
{
	struct rte_mbuf *m[64];
	unsigned int n;

	for (uint16_t port = 0; port < 2; port++) {
		while ((n = receive(port, m, RTE_DIM(m))) > 0) {
			for (unsigned int i = 0; i < n; i++)
				rte_mbuf_sanity_check(m[i], 1);
			rte_pktmbuf_free_bulk(m, n);
		}
	}
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < scripts[i].n_out; k++)
			rte_mbuf_sanity_check(scripts[i].out[k], 1);
		clear(&scripts[i]);
	}
}

static void
one(const uint8_t *frame, uint32_t len)
{
	struct rte_mbuf *m;

	for (unsigned int i = 0; i < 2; i++) {
		m = as_mbuf(nic()->pool, frame, len);
		if (m == NULL)
			continue;
		scripts[i].in[scripts[i].n_in++] = m;
	}
	m = as_mbuf(pools[0], frame, len);
	if (m != NULL) {
		lie(m);
		if (rte_eth_tx_burst(draw(2), 0, &m, 1) != 1)
			rte_pktmbuf_free(m);
	}
	take_all();
}

static void
through_nic(void *ctx, const char *what, uint8_t *frame, uint32_t len)
{
	struct way *w = ctx;

	if (w->frames++ % ROUND == 0) {
		balance();
		new_rules(w);
	}
	one(frame, len);
	one(frame, draw(RTE_MIN(len, 200u) + 1));
}

static void
test_malformed(void **state)
{
	struct way w = {0};

	plug_with("queues=2,representor=vf0,firmware=inline,capacity=256,jump_miss_drop=1",
		RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_CHECKSUM |
			RTE_ETH_RX_OFFLOAD_VLAN_STRIP);
	scripts[1].takes = true;
	capture_each("malformed", through_nic, &w);
	// Else the rules prove little.
	assert_in_range(w.stacked, 4 * (w.frames / ROUND), UINT32_MAX);
	assert_in_range(w.any, 1, UINT32_MAX);
	assert_in_range(xstat("nic_drop_malformed"), 1, UINT32_MAX);
	assert_in_range(xstat("nic_drop_bad_offload"), 1, UINT32_MAX);
	unplug();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_malformed)};

	return run_nic_tests("test_emunic_malformed", tests, RTE_DIM(tests));
}
