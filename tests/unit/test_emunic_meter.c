// SPDX-License-Identifier: BSD-3-Clause
// RSS of rules, meters and samples, through the whole NIC: spread and hash against DPDK's own
// Toeplitz, colours against the rates, copies in the ledger, and what is refused.
#include "emunic_actions.h"

#include <rte_cycles.h>
#include <rte_mtr.h>
#include <rte_thash.h>

#define KEY_LEN 40

static struct rte_mbuf *
numbered(bool v6, bool tcp, uint32_t n)
{
	struct rte_mbuf *m = packet(nic()->pool, v6, tcp, 30);
	uint32_t address = rte_cpu_to_be_32(n);
	uint16_t port = rte_cpu_to_be_16(n * 7);

	memcpy(rte_pktmbuf_mtod_offset(m, void *, v6 ? 34 : 26), &address, sizeof(address));
	memcpy(rte_pktmbuf_mtod_offset(m, void *, v6 ? 54 : 34), &port, sizeof(port));
	return m;
}

// What rte_softrss makes of the packet.
static uint32_t
soft_hash(struct rte_mbuf *m, bool v6, const uint8_t *key)
{
	uint32_t in[9] = {0};

	memcpy(in, rte_pktmbuf_mtod_offset(m, void *, v6 ? 22 : 26), v6 ? 32 : 8);
	memcpy(&in[v6 ? 8 : 2], rte_pktmbuf_mtod_offset(m, void *, v6 ? 54 : 34), 4);
	for (unsigned int i = 0; i < RTE_DIM(in); i++)
		in[i] = rte_be_to_cpu_32(in[i]);
	return rte_softrss(in, v6 ? 9 : 3, key);
}

// Sends packets through a rule with RSS; each lands on the queue of its hash.
static void
spread(struct rte_flow_action_rss *rss)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = rss}, END};
	struct rte_flow_error error = {0};
	struct rte_flow *f = rte_flow_create(0, &attr, any, a, &error);
	unsigned int on[2] = {0};
	struct rte_mbuf *m;

	if (f == NULL)
		fail_msg("%s", error.message);
	for (unsigned int i = 0; i < 64; i++) {
		bool v6 = i & 1;

		scripts[0].in[scripts[0].n_in++] = numbered(v6, i & 2, i);
		assert_int_equal(receive(0, &m, 1), 1);
		assert_true(m->ol_flags & RTE_MBUF_F_RX_RSS_HASH);
		if (rss->key_len > 0 && rss->func == RTE_ETH_HASH_FUNCTION_TOEPLITZ)
			assert_int_equal(m->hash.rss, soft_hash(m, v6, rss->key));
		assert_ptr_equal(m->pool, pools[1 + rss->queue[m->hash.rss % rss->queue_num]]);
		on[m->pool == pools[2]]++;
		rte_pktmbuf_free(m);
	}
	assert_true(on[0] > 10 && on[1] > 10);
	remove_rule(f);
}

static void
test_rss(void **state)
{
	const uint16_t queues[] = {1, 0, 1};
	uint8_t key[KEY_LEN];
	struct rte_flow_action_rss rss = {
		.types = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP,
		.queue_num = 3,
		.queue = queues};

	for (unsigned int i = 0; i < KEY_LEN; i++)
		key[i] = draw(256);
	plug(0);
	spread(&rss);
	rss.func = RTE_ETH_HASH_FUNCTION_TOEPLITZ;
	rss.key = key;
	rss.key_len = KEY_LEN;
	spread(&rss);
	rss.func = RTE_ETH_HASH_FUNCTION_SIMPLE_XOR;
	spread(&rss);
	rss.func = RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ;
	rss.types = 0;
	spread(&rss);
	unplug();
}

// Both directions of a flow have one symmetric hash.
static void
test_rss_symmetric(void **state)
{
	const uint16_t queues[] = {0, 1};
	const struct rte_flow_action_rss rss = {
		.func = RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ, .queue_num = 2, .queue = queues};
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss}, END};
	struct rte_flow_error error;

	plug(0);
	assert_non_null(rte_flow_create(0, &attr, any, a, &error));
	for (unsigned int i = 0; i < 20; i++) {
		struct rte_mbuf *m = numbered(false, true, i), *back, *got[2];
		struct rte_ipv4_hdr *ip;
		struct rte_tcp_hdr *tcp;

		back = rte_pktmbuf_copy(m, nic()->pool, 0, UINT32_MAX);
		ip = rte_pktmbuf_mtod_offset(back, struct rte_ipv4_hdr *, 14);
		tcp = rte_pktmbuf_mtod_offset(back, struct rte_tcp_hdr *, 34);
		RTE_SWAP(ip->src_addr, ip->dst_addr);
		RTE_SWAP(tcp->src_port, tcp->dst_port);
		scripts[0].in[scripts[0].n_in++] = m;
		scripts[0].in[scripts[0].n_in++] = back;
		assert_int_equal(receive(0, got, 2), 2);
		assert_int_equal(got[0]->hash.rss, got[1]->hash.rss);
		assert_ptr_equal(got[0]->pool, got[1]->pool);
		rte_pktmbuf_free_bulk(got, 2);
	}
	unplug();
}

static void
test_rss_refused(void **state)
{
	const uint16_t queues[] = {0, 2};
	uint8_t key[KEY_LEN] = {0};
	const struct rte_flow_action_rss wrong[] = {
		{.queue_num = 0, .queue = queues},
		{.queue_num = 1},
		{.queue_num = 2, .queue = queues},
		{.queue_num = 1, .queue = queues, .level = 2},
		{.queue_num = 1, .queue = queues, .types = RTE_ETH_RSS_GTPU},
		{.queue_num = 1, .queue = queues, .key = key, .key_len = 39},
		{.queue_num = 1, .queue = queues, .key_len = KEY_LEN},
		{.queue_num = 1, .queue = queues, .func = RTE_ETH_HASH_FUNCTION_MAX},
	};

	plug(0);
	for (unsigned int i = 0; i < RTE_DIM(wrong); i++)
		refused_conf(RTE_FLOW_ACTION_TYPE_RSS, &wrong[i], "RSS");
	unplug();
}

// Meters

static void
make_policy(uint32_t id, bool drop_yellow, bool drop_red)
{
	const struct rte_flow_action drop[] = {{.type = RTE_FLOW_ACTION_TYPE_DROP}, END};
	const struct rte_flow_action pass[] = {END};
	struct rte_mtr_meter_policy_params p = {
		.actions = {pass, drop_yellow ? drop : pass, drop_red ? drop : pass}};
	struct rte_mtr_error error;

	assert_int_equal(rte_mtr_meter_policy_validate(0, &p, &error), 0);
	assert_int_equal(rte_mtr_meter_policy_add(0, id, &p, &error), 0);
}

static void
make_meter(uint32_t id, uint32_t profile, uint32_t policy, bool aware)
{
	struct rte_mtr_params p = {.meter_profile_id = profile,
		.meter_policy_id = policy,
		.meter_enable = 1,
		.use_prev_mtr_color = aware,
		.stats_mask = UINT8_MAX};
	struct rte_mtr_error error = {0};

	if (rte_mtr_create(0, id, &p, 0, &error) != 0)
		fail_msg("%s", error.message);
}

static struct rte_mtr_stats
meter_stats(uint32_t id, bool clear)
{
	struct rte_mtr_stats s;
	struct rte_mtr_error error;
	uint64_t mask;

	assert_int_equal(rte_mtr_stats_read(0, id, &s, &mask, clear, &error), 0);
	return s;
}

// A slow meter lets a burst through, green and then yellow, and drops what is red.
static void
test_meter(void **state)
{
	// A packet an hour; buckets of five and three packets.
	struct rte_mtr_meter_profile profile = {.alg = RTE_MTR_SRTCM_RFC2697,
		.srtcm_rfc2697 = {.cir = 1, .cbs = 5, .ebs = 3},
		.packet_mode = 1};
	const struct rte_flow_action_meter conf = {.mtr_id = 7};
	struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_METER, .conf = &conf}};
	struct rte_mtr_error error;
	struct rte_mtr_stats s;
	struct rte_flow *f;
	uint64_t start;
	unsigned int passed = 0;

	plug(0);
	assert_int_equal(rte_mtr_meter_profile_add(0, 1, &profile, &error), 0);
	make_policy(2, false, true);
	make_meter(7, 1, 2, false);
	f = rule_to_vf(a, 1);
	start = rte_rdtsc();
	for (unsigned int i = 0; i < 20; i++)
		passed += through(numbered(false, true, i)) != NULL;
	s = meter_stats(7, true);
	if (rte_rdtsc() - start < rte_get_tsc_hz()) { // else a bucket got another packet
		assert_int_equal(passed, 8);
		assert_int_equal(s.n_pkts[RTE_COLOR_GREEN], 5);
		assert_int_equal(s.n_pkts[RTE_COLOR_YELLOW], 3);
	}
	assert_int_equal(s.n_pkts_dropped, 20 - passed);
	assert_int_equal(s.n_bytes_dropped, (20 - passed) * 84);
	assert_int_equal(xstat("nic_drop_meter"), 20 - passed);
	assert_int_equal(meter_stats(7, false).n_pkts_dropped, 0);
	// A meter that is off lets all pass, and one in use cannot go.
	assert_int_equal(rte_mtr_meter_disable(0, 7, &error), 0);
	assert_non_null(through(numbered(true, false, 1)));
	assert_int_equal(rte_mtr_destroy(0, 7, &error), -EBUSY);
	assert_int_equal(rte_mtr_meter_profile_delete(0, 1, &error), -EBUSY);
	assert_int_equal(rte_mtr_meter_policy_delete(0, 2, &error), -EBUSY);
	refused_conf(RTE_FLOW_ACTION_TYPE_METER, &conf, "not shared");
	remove_rule(f);
	assert_int_equal(rte_mtr_destroy(0, 7, &error), 0);
	refused_conf(RTE_FLOW_ACTION_TYPE_METER, &conf, "no such meter");
	assert_int_equal(rte_mtr_meter_profile_delete(0, 1, &error), 0);
	assert_int_equal(rte_mtr_meter_policy_delete(0, 2, &error), 0);
	unplug();
}

// By bytes, two rates, and a second meter that sees the colour of the first.
static void
test_meter_chain(void **state)
{
	struct rte_mtr_meter_profile slow = {.alg = RTE_MTR_TRTCM_RFC2698,
		.trtcm_rfc2698 = {.cir = 1, .pir = 1, .cbs = 3 * 84, .pbs = 6 * 84}};
	struct rte_mtr_meter_profile wide = {.alg = RTE_MTR_TRTCM_RFC2698,
		.trtcm_rfc2698 = {.cir = 1, .pir = 1, .cbs = 1 << 20, .pbs = 1 << 20}};
	const struct rte_flow_action_meter first = {.mtr_id = 1}, second = {.mtr_id = 2};
	struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_METER, .conf = &first},
		{.type = RTE_FLOW_ACTION_TYPE_METER, .conf = &second}};
	struct rte_mtr_error error;
	struct rte_mtr_stats s;
	unsigned int passed = 0;

	plug(0);
	assert_int_equal(rte_mtr_meter_profile_add(0, 1, &slow, &error), 0);
	assert_int_equal(rte_mtr_meter_profile_add(0, 2, &wide, &error), 0);
	make_policy(0, false, false);
	make_policy(1, true, true);
	make_meter(1, 1, 0, false);
	make_meter(2, 2, 1, true);
	rule_to_vf(a, 2);
	for (unsigned int i = 0; i < 10; i++)
		passed += through(numbered(false, true, i)) != NULL;
	assert_int_equal(passed, 3); // green; a byte a second makes no packet in this test's time
	s = meter_stats(1, false);
	assert_int_equal(s.n_bytes[RTE_COLOR_GREEN], 3 * 84);
	assert_int_equal(s.n_pkts[RTE_COLOR_YELLOW], 3);
	assert_int_equal(s.n_pkts[RTE_COLOR_RED], 4);
	s = meter_stats(2, false);
	assert_int_equal(s.n_pkts[RTE_COLOR_GREEN], 3);
	assert_int_equal(s.n_pkts_dropped, 7);
	unplug(); // with meters and rules that are left
}

static void
test_meter_refused(void **state)
{
	struct rte_mtr_meter_profile p = {.alg = RTE_MTR_TRTCM_RFC4115};
	const struct rte_flow_action mark[] = {{.type = RTE_FLOW_ACTION_TYPE_MARK}, END};
	struct rte_mtr_meter_policy_params policy = {.actions = {NULL, mark, NULL}};
	enum rte_color table[64] = {[9] = RTE_COLOR_RED};
	struct rte_mtr_params params = {
		.meter_profile_id = 1, .meter_policy_id = 1, .dscp_table = table};
	struct rte_mtr_capabilities cap;
	struct rte_mtr_error error;

	plug(0);
	assert_int_equal(rte_mtr_capabilities_get(0, &cap, &error), 0);
	assert_int_equal(cap.meter_trtcm_rfc4115_n_max, 0);
	assert_int_equal(rte_mtr_meter_profile_add(0, 1, &p, &error), -ENOTSUP);
	p.alg = RTE_MTR_SRTCM_RFC2697;
	assert_int_equal(rte_mtr_meter_profile_add(0, 1, &p, &error), -EINVAL);
	p.srtcm_rfc2697.cir = p.srtcm_rfc2697.cbs = 1000;
	assert_int_equal(rte_mtr_create(0, 1, &params, 0, &error), -ENOENT);
	assert_int_equal(rte_mtr_meter_profile_add(0, 1, &p, &error), 0);
	assert_int_equal(rte_mtr_meter_profile_add(0, 1, &p, &error), -EEXIST);
	assert_int_equal(rte_mtr_meter_policy_add(0, 1, &policy, &error), -ENOTSUP);
	assert_int_equal(error.type, RTE_MTR_ERROR_TYPE_POLICER_ACTION_YELLOW);
	assert_int_equal(rte_mtr_create(0, 1, &params, 0, &error), -ENOENT);
	assert_int_equal(error.type, RTE_MTR_ERROR_TYPE_METER_POLICY_ID);
	make_policy(1, true, true);
	assert_int_equal(rte_mtr_create(0, 1, &params, 0, &error), -ENOTSUP);
	assert_int_equal(rte_mtr_destroy(0, 1, &error), -ENOENT);
	unplug();
}

// Samples

// Every third packet is copied to the PF's queue 1, marked; the packet itself is edited after that.
static void
test_sample(void **state)
{
	const struct rte_flow_action_ethdev pf = {.port_id = 0};
	const struct rte_flow_action_mark mark = {.id = 9};
	uint8_t mac[6] = {2, 3, 4, 5, 6, 7};
	const struct rte_flow_action sub[] = {{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark},
		{.type = RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, .conf = &pf}, END};
	const struct rte_flow_action_sample conf = {.ratio = 3, .actions = sub};
	struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_SAMPLE, .conf = &conf},
		{.type = RTE_FLOW_ACTION_TYPE_SET_MAC_DST, .conf = mac}};
	struct rte_mbuf *got[8];
	unsigned int n;

	plug(0);
	rule_to_vf(a, 2);
	for (unsigned int i = 0; i < 9; i++) {
		struct rte_mbuf *m = through(numbered(false, false, i));

		assert_memory_equal(rte_pktmbuf_mtod(m, void *), mac, 6);
	}
	n = receive(0, got, 8);
	assert_int_equal(n, 3);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(got[i]->hash.fdir.hi, 9);
		assert_memory_not_equal(rte_pktmbuf_mtod(got[i], void *), mac, 6);
	}
	rte_pktmbuf_free_bulk(got, n);
	assert_int_equal(xstat("nic_copies"), 3);
	unplug();
}

// A mirror in a tunnel, of packets that stand for several, and one in ingress to another queue.
static void
test_sample_tunnel(void **state)
{
	struct rte_flow_action_raw_encap raw = {.data = outer, .size = OUTER};
	const struct rte_flow_action_ethdev wire = {.port_id = 0};
	const struct rte_flow_action sub[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw},
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &wire}, END};
	const struct rte_flow_action_sample mirror = {.ratio = 1, .actions = sub};
	struct rte_flow_action a[] = {{.type = RTE_FLOW_ACTION_TYPE_SAMPLE, .conf = &mirror}};
	const struct rte_flow_action_queue q0 = {.index = 0}, q1 = {.index = 1};
	const struct rte_flow_action to_q1[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &q1}, END};
	const struct rte_flow_action_sample copy = {.ratio = 1, .actions = to_q1};
	const struct rte_flow_action ingress[] = {
		{.type = RTE_FLOW_ACTION_TYPE_SAMPLE, .conf = &copy},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &q0}, END};
	const struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_error error;
	struct rte_mbuf *m, *got[4];
	struct rte_flow *f;

	plug(0);
	nic()->sides[0].mtu = 1600;
	f = rule_to_vf(a, 1);
	m = packet(nic()->pool, false, true, BIG);
	m->ol_flags = RTE_MBUF_F_RX_LRO;
	m->tso_segsz = MSS;
	assert_non_null(through(m));
	assert_segments(scripts[1].out, scripts[1].n_out, false);
	for (unsigned int i = 0; i < scripts[0].n_out; i++) {
		assert_vxlan(scripts[0].out[i], scripts[0].out[i]->pkt_len - OUTER);
		rte_pktmbuf_adj(scripts[0].out[i], OUTER);
	}
	assert_segments(scripts[0].out, scripts[0].n_out, false);
	assert_int_equal(xstat("nic_copies"), 1 + 2 * 6);
	remove_rule(f);
	assert_non_null(rte_flow_create(0, &attr, any, ingress, &error));
	scripts[0].in[scripts[0].n_in++] = numbered(false, true, 1);
	scripts[0].in[scripts[0].n_in++] = numbered(false, true, 2);
	assert_int_equal(receive(0, got, 4), 4);
	assert_true(got[0]->pool == pools[1] && got[1]->pool == pools[1]);
	assert_true(got[2]->pool == pools[2] && got[3]->pool == pools[2]);
	rte_pktmbuf_free_bulk(got, 4);
	unplug();
}

static void
test_sample_refused(void **state)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action_queue queue = {.index = 0};
	struct rte_flow_action sub[] = {{.type = RTE_FLOW_ACTION_TYPE_FLAG}, END, END};
	struct rte_flow_action_sample conf = {.ratio = 0, .actions = sub};
	struct rte_flow_action a[] = {
		{.type = RTE_FLOW_ACTION_TYPE_SAMPLE, .conf = &conf}, END, END};

	plug(0);
	refused_conf(RTE_FLOW_ACTION_TYPE_SAMPLE, &conf, "a ratio above 0");
	conf.ratio = 1;
	refused_conf(RTE_FLOW_ACTION_TYPE_SAMPLE, &conf, "has to go somewhere");
	sub[1].type = RTE_FLOW_ACTION_TYPE_DROP;
	refused(&attr, a, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, "cannot be dropped");
	sub[1] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue};
	a[1] = a[0];
	a[0].type = RTE_FLOW_ACTION_TYPE_DROP;
	refused(&attr, a, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, "would never be done");
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rss),
		cmocka_unit_test(test_rss_symmetric),
		cmocka_unit_test(test_rss_refused),
		cmocka_unit_test(test_meter),
		cmocka_unit_test(test_meter_chain),
		cmocka_unit_test(test_meter_refused),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_sample_tunnel),
		cmocka_unit_test(test_sample_refused),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
