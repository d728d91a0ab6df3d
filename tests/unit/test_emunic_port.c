// SPDX-License-Identifier: BSD-3-Clause
// What ethdev asks of a port beside moving packets: VLANs, descriptors, interrupts, rates, and as
// many queues as there can be.
#include "emunic_nic.h"

#include <time.h>

#include <rte_epoll.h>
#include <rte_ether.h>
#include <rte_interrupts.h>

#include "rte_pmd_emunic.h"

#define RX_VLAN (RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_VLAN_FILTER)

// Puts n tags in front of a packet, the outermost is 0x8100 with tci, the next ones count up.
static struct rte_mbuf *
tagged(uint16_t tci, unsigned int n)
{
	struct rte_mbuf *m = packet(nic()->pool, false, false, 40);

	for (unsigned int i = n; i-- > 0;) {
		m->vlan_tci = tci + i;
		assert_int_equal(rte_vlan_insert(&m), 0);
	}
	return m;
}

static unsigned int
enter_one(struct rte_mbuf *m, struct rte_mbuf **got)
{
	scripts[0].in[scripts[0].n_in++] = m;
	return receive(0, got, 4);
}

static void
test_vlan_strip(void **state)
{
	struct rte_mbuf *got[4], *want;

	plug(RTE_ETH_RX_OFFLOAD_VLAN_STRIP);
	assert_int_equal(enter_one(tagged(0x6005, 1), got), 1);
	want = packet(pools[0], false, false, 40);
	assert_int_equal(got[0]->vlan_tci, 0x6005);
	assert_true(got[0]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
	assert_true(got[0]->ol_flags & RTE_MBUF_F_RX_VLAN);
	assert_int_equal(got[0]->packet_type & RTE_PTYPE_L2_MASK, RTE_PTYPE_L2_ETHER);
	assert_int_equal(got[0]->pkt_len, want->pkt_len);
	assert_memory_equal(
		rte_pktmbuf_mtod(got[0], void *), rte_pktmbuf_mtod(want, void *), want->pkt_len);
	rte_pktmbuf_free(got[0]);
	rte_pktmbuf_free(want);
	// Of two tags the outer one goes.
	assert_int_equal(enter_one(tagged(7, 2), got), 1);
	assert_int_equal(got[0]->vlan_tci, 7);
	assert_int_equal(rte_pktmbuf_mtod(got[0], uint8_t *)[15], 8);
	assert_int_equal(got[0]->packet_type & RTE_PTYPE_L2_MASK, RTE_PTYPE_L2_ETHER_VLAN);
	rte_pktmbuf_free(got[0]);
	// No tag, nothing to strip; and a queue that shall not strip, while the port runs.
	assert_int_equal(enter_one(packet(nic()->pool, false, false, 40), got), 1);
	assert_false(got[0]->ol_flags & RTE_MBUF_F_RX_VLAN);
	rte_pktmbuf_free(got[0]);
	for (uint16_t q = 0; q < 2; q++)
		assert_int_equal(rte_eth_dev_set_vlan_strip_on_queue(0, q, 0), 0);
	assert_int_equal(enter_one(tagged(7, 1), got), 1);
	assert_false(got[0]->ol_flags & RTE_MBUF_F_RX_VLAN);
	assert_int_equal(got[0]->pkt_len, 14 + 20 + 8 + 40 + 4);
	rte_pktmbuf_free(got[0]);
	assert_int_equal(rte_eth_dev_set_vlan_offload(0, 0), 0);
	assert_int_equal(rte_eth_dev_set_vlan_offload(0, RTE_ETH_VLAN_STRIP_OFFLOAD), 0);
	assert_int_equal(enter_one(tagged(7, 1), got), 1);
	assert_true(got[0]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
	rte_pktmbuf_free(got[0]);
	unplug();
}

static void
test_vlan_filter(void **state)
{
	struct rte_mbuf *got[4];

	plug(RX_VLAN);
	assert_int_equal(enter_one(tagged(5, 1), got), 0);
	assert_int_equal(xstat("nic_drop_vlan_filter"), 1);
	assert_int_equal(rte_eth_dev_vlan_filter(0, 5, 1), 0);
	assert_int_equal(rte_eth_dev_vlan_filter(0, 4095, 1), 0);
	assert_int_equal(enter_one(tagged(0xe005, 1), got), 1); // whatever its priority
	rte_pktmbuf_free(got[0]);
	assert_int_equal(enter_one(tagged(4095, 1), got), 1);
	rte_pktmbuf_free(got[0]);
	assert_int_equal(enter_one(tagged(0xe000, 1), got), 1); // a priority only
	rte_pktmbuf_free(got[0]);
	assert_int_equal(rte_eth_dev_vlan_filter(0, 5, 0), 0);
	assert_int_equal(enter_one(tagged(5, 1), got), 0);
	assert_int_equal(xstat("nic_drop_vlan_filter"), 2);
	assert_int_equal(rte_eth_dev_set_vlan_offload(0, 0), 0);
	assert_int_equal(enter_one(tagged(5, 1), got), 1);
	rte_pktmbuf_free(got[0]);
	unplug();
}

// A tag that the application leaves to the NIC, also in a packet that others hold too.
static void
test_vlan_insert(void **state)
{
	for (int shared = 0; shared < 2; shared++) {
		struct rte_mbuf *m;
		const uint8_t *d;

		plug(0);
		m = packet(pools[0], false, true, 100);
		ask(m, false, true, false);
		m->vlan_tci = 0x2064;
		m->ol_flags |= RTE_MBUF_F_TX_VLAN;
		rte_mbuf_refcnt_update(m, shared);
		send_one(0, m);
		assert_int_equal(scripts[0].n_out, 1);
		d = rte_pktmbuf_mtod(scripts[0].out[0], const uint8_t *);
		assert_int_equal(d[12] << 8 | d[13], 0x8100);
		assert_int_equal(d[14] << 8 | d[15], 0x2064);
		assert_int_equal(d[16] << 8 | d[17], 0x0800);
		rte_pktmbuf_adj(scripts[0].out[0], 4);
		assert_sums(scripts[0].out[0], false, true);
		if (shared) {
			assert_int_equal(m->pkt_len, 14 + 20 + 20 + 100);
			rte_pktmbuf_free(m);
		}
		unplug();
	}
}

static void
test_descriptors(void **state)
{
	struct rte_mbuf *got[4];
	struct rte_eth_burst_mode mode;
	char text[64];

	plug(0);
	for (unsigned int i = 0; i < 3; i++)
		scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(1, 0, got, 1), 1);
	rte_pktmbuf_free(got[0]);
	assert_int_equal(rte_eth_rx_queue_count(1, 0), 2);
	assert_int_equal(rte_eth_rx_descriptor_status(1, 0, 1), RTE_ETH_RX_DESC_DONE);
	assert_int_equal(rte_eth_rx_descriptor_status(1, 0, 2), RTE_ETH_RX_DESC_AVAIL);
	assert_int_equal(rte_eth_rx_descriptor_status(1, 0, 64), -EINVAL);
	assert_int_equal(rte_eth_tx_descriptor_status(1, 0, 0), RTE_ETH_TX_DESC_DONE);
	assert_int_equal(rte_eth_rx_burst_mode_get(1, 0, &mode), 0);
	assert_non_null(strstr(mode.info, "runs the firmware"));
	assert_int_equal(rte_eth_dev_fw_version_get(1, text, sizeof(text)), 0);
	assert_string_equal(text, "emunic, run by bursts");
	assert_int_equal(rte_eth_dev_fw_version_get(1, text, 4), (int)strlen(text) + 1);
	assert_int_equal(receive(1, got, 4), 2);
	rte_pktmbuf_free_bulk(got, 2);
	unplug();
}

static void
start_sleeper(uint16_t port, uint16_t queues)
{
	const struct rte_eth_conf conf = {.intr_conf.rxq = 1};

	assert_int_equal(rte_eth_dev_configure(port, queues, queues, &conf), 0);
	for (uint16_t q = 0; q < queues; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(port, q, 64, 0, NULL, pools[1 + q]), 0);
		assert_int_equal(rte_eth_tx_queue_setup(port, q, 64, 0, NULL), 0);
	}
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
}

// Takes all n packets of queue 0, asleep whenever there are none. Returns how often it was woken.
static unsigned int
sleep_and_take(unsigned int n)
{
	unsigned int woken = 0;

	while (n > 0) {
		struct rte_epoll_event event;
		struct rte_mbuf *got[32];
		uint16_t k;

		assert_int_equal(rte_eth_dev_rx_intr_enable(0, 0), 0);
		assert_int_equal(rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, 30000), 1);
		assert_ptr_equal(event.epdata.data, &scripts[0]);
		woken++;
		while ((k = rte_eth_rx_burst(0, 0, got, 32)) > 0) {
			rte_pktmbuf_free_bulk(got, k);
			n -= k;
		}
	}
	return woken;
}

// A thread that sleeps is woken by a packet, and only by one; also when it came before the sleep.
static void
test_interrupts(void **state)
{
	const char *burst = "generator,flows=1,count=3,pps=0";
	struct rte_epoll_event event;

	assert_int_equal(rte_vdev_init("net_emunic0", "queues=1,wire=[sink]"), 0);
	start_sleeper(0, 1);
	assert_int_equal(rte_eth_dev_rx_intr_ctl_q(
				 0, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, &scripts[0]),
		0);
	assert_int_equal(rte_eth_dev_rx_intr_enable(0, 0), 0);
	assert_int_equal(rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, 20), 0);
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", burst), 0);
	assert_in_range(sleep_and_take(3), 1, 3);
	assert_int_equal(rte_eth_dev_rx_intr_disable(0, 0), 0);
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", burst), 0);
	while (rte_eth_rx_queue_count(0, 0) < 3)
		;
	assert_int_equal(rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, 20), 0);
	assert_int_equal(sleep_and_take(3), 1);
	assert_in_range(xstat("rx_q0_interrupts"), 2, 4);
	assert_int_equal(rte_eth_dev_rx_intr_ctl_q(
				 0, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_DEL, &scripts[0]),
		0);
	balance();
	assert_int_equal(rte_eth_dev_stop(0), 0);
	// And again: nothing of the first time is left.
	start_sleeper(0, 1);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
}

// A firmware that runs in the application's bursts could wake nobody.
static void
test_interrupts_inline(void **state)
{
	const struct rte_eth_conf conf = {.intr_conf.rxq = 1};

	plug(0);
	assert_int_equal(rte_eth_dev_rx_intr_enable(0, 0), -ENOTSUP);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_eth_dev_configure(0, 1, 1, &conf), -ENOTSUP);
	start_port(0, 2, 0);
	unplug();
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

// What is above a queue's rate waits in the queue, and nothing is lost.
static void
test_queue_rate(void **state)
{
	const double rate = 80e6 / 8, depth = rate * 0.005, burst = 32 * 1042;
	struct rte_mbuf *got[4];
	double start, bytes = 0;

	plug(0);
	assert_int_equal(rte_eth_set_queue_rate_limit(0, 0, 80), 0);
	start = seconds();
	while (seconds() - start < 0.05) {
		struct rte_mbuf *m = packet(pools[0], false, false, 1000);

		if (rte_eth_tx_burst(0, 0, &m, 1) == 0)
			rte_pktmbuf_free(m);
		for (unsigned int i = 0; i < scripts[0].n_out; i++)
			bytes += scripts[0].out[i]->pkt_len;
		clear(&scripts[0]);
	}
	assert_true(bytes <= rate * (seconds() - start) + depth + burst);
	assert_true(bytes >= depth);
	assert_true(xstat("nic_held") > 0);
	balance();
	assert_int_equal(rte_eth_set_queue_rate_limit(0, 0, 0), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(rte_eth_rx_burst(0, 0, got, 4), 0);
		clear(&scripts[0]);
	}
	assert_int_equal(xstat("nic_held"), 0);
	assert_int_equal(rte_eth_set_queue_rate_limit(0, 0, EMU_MAX_RATE), -EINVAL); // link speed
	unplug();
}

// A VF that sends faster than it may is held back.
static void
test_vf_rate(void **state)
{
	char why[512];
	double start, rate = 8e6 / 8, depth = rate * 0.005, burst = 32 * 1042, bytes = 0;
	unsigned int left;

	plug(0);
	assert_int_equal(rte_pmd_emunic_vf_rate_set(0, 0, 8), 0);
	start = seconds();
	while (seconds() - start < 0.05) {
		struct rte_mbuf *got[32];
		unsigned int n = receive(1, got, 32);

		for (unsigned int i = 0; i < n; i++)
			bytes += got[i]->pkt_len;
		rte_pktmbuf_free_bulk(got, n);
		while (scripts[1].n_in < 60)
			scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 1000);
	}
	assert_true(bytes > 0 && bytes <= rate * (seconds() - start) + depth + burst);
	assert_int_equal(xstat("nic_drop_rx_missed"), 0);
	left = scripts[1].n_in;
	assert_true(left > 0);
	assert_int_equal(rte_pmd_emunic_set(0, "rate=none", why, sizeof(why)), 0);
	receive(1, (struct rte_mbuf *[64]){0}, 0);
	while (scripts[1].n_in > 0) {
		struct rte_mbuf *got[64];

		rte_pktmbuf_free_bulk(got, receive(1, got, 64));
	}
	assert_int_equal(rte_pmd_emunic_vf_rate_set(0, 1, 8), -EINVAL);
	assert_int_equal(rte_pmd_emunic_vf_rate_set(0, 0, EMU_MAX_RATE + 1), -EINVAL);
	assert_int_equal(rte_pmd_emunic_vf_rate_set(9, 0, 8), -ENODEV);
	unplug();
}

// As many queues as there can be: each has its packets and its statistics, and a stall of one is
// of that one.
static void
test_many_queues(void **state)
{
	struct rte_eth_conf conf = {.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS};
	struct rte_eth_rss_reta_entry64 reta[EMU_RETA_SIZE / RTE_ETH_RETA_GROUP_SIZE] = {0};
	struct rte_mbuf *got;

	assert_int_equal(rte_vdev_init("net_emunic0", "queues=256,firmware=inline"), 0);
	memset(&scripts[0], 0, sizeof(scripts[0]));
	scripts[0].base.ops = &script_ops;
	nic()->sides[0].backend = &scripts[0].base;
	conf.rx_adv_conf.rss_conf.rss_hf = EMU_RSS_TYPES;
	assert_int_equal(rte_eth_dev_configure(0, 256, 256, &conf), 0);
	for (uint16_t q = 0; q < 256; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(0, q, 32, 0, NULL, pools[1]), 0);
		assert_int_equal(rte_eth_tx_queue_setup(0, q, 32, 0, NULL), 0);
	}
	assert_int_equal(rte_eth_promiscuous_enable(0), 0);
	assert_int_equal(rte_eth_dev_start(0), 0);
	for (unsigned int q = 0; q < 256; q += 51) {
		char name[RTE_ETH_XSTATS_NAME_SIZE];

		for (unsigned int i = 0; i < EMU_RETA_SIZE; i++) {
			reta[i / 64].mask = UINT64_MAX;
			reta[i / 64].reta[i % 64] = q;
		}
		assert_int_equal(rte_eth_dev_rss_reta_update(0, reta, EMU_RETA_SIZE), 0);
		scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
		assert_int_equal(rte_eth_rx_burst(0, q, &got, 1), 1);
		rte_pktmbuf_free(got);
		snprintf(name, sizeof(name), "rx_q%u_packets", q);
		assert_int_equal(xstat(name), 1);
	}
	assert_int_equal(rte_eth_tx_burst(0, 255,
				 (struct rte_mbuf *[]){packet(pools[0], false, false, 10)}, 1),
		1);
	assert_int_equal(xstat("tx_q255_packets"), 1);
	balance();
	assert_int_equal(rte_pmd_emunic_set(0, "stall=pf.rx255", (char[512]){0}, 512), 0);
	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(0, 255, &got, 1), 0);
	assert_int_equal(xstat("nic_drop_rx_queue_stalled"), 1);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	for (unsigned int i = 0; i < RTE_DIM(pools); i++)
		assert_int_equal(rte_mempool_in_use_count(pools[i]), 0);
}

static struct rte_flow_error error;

// A rule on all of one UDP port, with two actions before the queue.
static int
try_rule(bool dst, enum rte_flow_action_type first, const void *conf)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item_udp spec = {
		.hdr.src_port = dst ? 0 : RTE_BE16(7), .hdr.dst_port = dst ? RTE_BE16(7) : 0};
	const struct rte_flow_item_udp mask = {.hdr.src_port = dst ? 0 : RTE_BE16(0xffff),
		.hdr.dst_port = dst ? RTE_BE16(0xffff) : 0};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &spec, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = first, .conf = conf},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &(struct rte_flow_action_queue){0}},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_create(0, &attr, pattern, actions, &error) != NULL ? 0 : -rte_errno;
}

static void
open_profile(const char *args)
{
	assert_int_equal(rte_vdev_init("net_emunic0", args), 0);
	start_port(0, 1, 0);
}

static void
close_profile(void)
{
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
}

// Profiles refuse what their NICs do not take, and what stands behind them holds.
static void
test_profiles(void **state)
{
	struct rte_flow_action_mark mark = {.id = 0xffffef};

	open_profile("profile=82599");
	assert_int_equal(try_rule(false, RTE_FLOW_ACTION_TYPE_COUNT, NULL), -ENOTSUP);
	assert_non_null(strstr(error.message, "refuse=action.count"));
	assert_int_equal(try_rule(false, RTE_FLOW_ACTION_TYPE_MARK, &mark), 0);
	assert_int_equal(try_rule(true, RTE_FLOW_ACTION_TYPE_MARK, &mark), -ENOSPC);
	assert_int_equal(xstat("nic_rules_capacity"), 1024);
	close_profile();
	open_profile("profile=82599,masks=2,refuse=none");
	assert_int_equal(try_rule(false, RTE_FLOW_ACTION_TYPE_COUNT, NULL), 0);
	assert_int_equal(try_rule(true, RTE_FLOW_ACTION_TYPE_COUNT, NULL), 0);
	close_profile();
	open_profile("profile=connectx");
	assert_int_equal(try_rule(false, RTE_FLOW_ACTION_TYPE_MARK, &mark), 0);
	mark.id++;
	assert_int_equal(try_rule(true, RTE_FLOW_ACTION_TYPE_MARK, &mark), -EINVAL);
	assert_non_null(strstr(error.message, "mark_max"));
	close_profile();
	open_profile("profile=e810");
	assert_int_equal(xstat("nic_rules_capacity"), 15360);
	assert_int_equal(try_rule(false, RTE_FLOW_ACTION_TYPE_FLAG, NULL), -ENOTSUP);
	close_profile();
	assert_int_not_equal(rte_vdev_init("net_emunic0", "profile=x520"), 0);
}

// What of MARK and FLAG the application did not negotiate is neither taken in an ingress rule nor
// delivered.
static void
test_metadata(void **state)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action_mark mark = {.id = 7};
	const struct rte_flow_item any[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action flags[] = {
		{.type = RTE_FLOW_ACTION_TYPE_FLAG}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	const struct rte_flow_action marks[] = {{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark},
		{.type = RTE_FLOW_ACTION_TYPE_END}};

	for (unsigned int wanted = 0; wanted < 4; wanted++) {
		uint64_t features = (wanted & 1 ? RTE_ETH_RX_METADATA_USER_FLAG : 0) |
				    (wanted & 2 ? RTE_ETH_RX_METADATA_USER_MARK : 0);
		uint64_t got = features | RTE_ETH_RX_METADATA_TUNNEL_ID;
		struct rte_flow_error e = {0};

		assert_int_equal(rte_vdev_init("net_emunic0", "queues=2"), 0);
		assert_int_equal(rte_eth_rx_metadata_negotiate(0, &got), 0);
		assert_int_equal(got, features);
		start_port(0, 1, 0);
		assert_int_equal(
			rte_flow_validate(0, &attr, any, flags, &e), wanted & 1 ? 0 : -EINVAL);
		assert_int_equal(
			rte_flow_validate(0, &attr, any, marks, &e), wanted & 2 ? 0 : -EINVAL);
		if (wanted == 0)
			assert_non_null(strstr(e.message, "was not negotiated"));
		assert_int_equal(rte_eth_dev_stop(0), 0);
		assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vlan_strip),
		cmocka_unit_test(test_vlan_filter),
		cmocka_unit_test(test_vlan_insert),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_interrupts_inline),
		cmocka_unit_test(test_queue_rate),
		cmocka_unit_test(test_vf_rate),
		cmocka_unit_test(test_many_queues),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_metadata),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
