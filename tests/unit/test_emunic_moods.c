// SPDX-License-Identifier: BSD-3-Clause
// The limits and moods of the emulated NIC, each changed while it runs, seen by the application
// through rte_flow and ethdev only.
#include "emunic_nic.h"

#include "rte_pmd_emunic.h"

static void
set(const char *text)
{
	char why[1024] = "";

	if (rte_pmd_emunic_set(0, text, why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
}

static void
assert_refused(const char *text, const char *sentence)
{
	char why[1024] = "";

	assert_int_equal(rte_pmd_emunic_set(0, text, why, sizeof(why)), -EINVAL);
	if (strstr(why, sentence) == NULL)
		fail_msg("%s: %s", text, why);
}

static struct rte_flow_error error;

enum shape { SHAPE_ETH, SHAPE_IPV4, SHAPE_UDP, SHAPE_VLAN };

// A rule that counts and drops what enters by the port's side (transfer) or reaches it.
static struct rte_flow *
rule(uint16_t port, bool transfer, enum shape shape)
{
	const struct rte_flow_attr attr = {.ingress = !transfer, .transfer = transfer};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = shape == SHAPE_ETH    ? RTE_FLOW_ITEM_TYPE_VOID
			 : shape == SHAPE_VLAN ? RTE_FLOW_ITEM_TYPE_VLAN
					       : RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = shape == SHAPE_UDP ? RTE_FLOW_ITEM_TYPE_UDP : RTE_FLOW_ITEM_TYPE_VOID},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_create(port, &attr, pattern, actions, &error);
}

// n packets enter by the side, and the firmware runs until they are where they belong.
static void
enter(unsigned int side, unsigned int n)
{
	struct rte_mbuf *got[64];

	for (; n > 0; n--)
		scripts[side].in[scripts[side].n_in++] = packet(nic()->pool, false, false, 10);
	while (scripts[side].n_in > 0)
		rte_pktmbuf_free_bulk(got, rte_eth_rx_burst(side, 0, got, 64));
}

static uint64_t
hits(uint16_t port, struct rte_flow *flow, bool reset)
{
	const struct rte_flow_action count[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count out = {.reset = reset};

	assert_int_equal(rte_flow_query(port, flow, count, &out, &error), 0);
	return out.hits;
}

static void
test_capacity(void **state)
{
	plug(0);
	set("capacity=2");
	assert_int_equal(xstat("nic_rules_capacity"), 2);
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_non_null(rule(1, true, SHAPE_ETH));
	assert_null(rule(0, false, SHAPE_ETH));
	assert_int_equal(rte_errno, ENOSPC);
	assert_string_equal(error.message, "the NIC is full: it holds 2 rules of 2");
	set("capacity=1"); // what is there stays
	assert_int_equal(xstat("nic_rules"), 2);
	assert_int_equal(rte_flow_flush(0, &error), 0);
	assert_null(rule(0, false, SHAPE_ETH));
	set("capacity=32");
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_refused("capacity=33", "at most 32");
	unplug();
}

static void
test_masks(void **state)
{
	struct rte_flow *two[2];

	plug(0);
	set("masks=2");
	two[0] = rule(0, false, SHAPE_ETH);
	two[1] = rule(0, false, SHAPE_IPV4);
	assert_non_null(rule(0, false, SHAPE_IPV4));
	assert_int_equal(xstat("nic_masks"), 2);
	assert_null(rule(0, false, SHAPE_UDP));
	assert_int_equal(rte_errno, ENOSPC);
	assert_string_equal(error.message, "the NIC is full: it holds 2 masks of 2");
	assert_null(rule(1, false, SHAPE_ETH)); // another table
	assert_int_equal(rte_flow_destroy(0, two[0], &error), 0);
	assert_non_null(rule(0, false, SHAPE_UDP));
	assert_int_equal(rte_flow_destroy(0, two[1], &error), 0);
	assert_null(rule(0, false, SHAPE_ETH)); // one rule of that mask is left
	set("masks=0");
	assert_non_null(rule(0, false, SHAPE_ETH));
	unplug();
}

static void
test_fail_next(void **state)
{
	plug(0);
	set("fail_next=2,fail_errno=12");
	for (unsigned int i = 0; i < 2; i++) {
		assert_null(rule(0, false, SHAPE_ETH));
		assert_int_equal(rte_errno, ENOMEM);
	}
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_int_equal(xstat("nic_rules"), 1);
	unplug();
}

static void
test_fail_start(void **state)
{
	plug(0);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	set("fail_start=2");
	assert_int_equal(rte_eth_dev_start(0), -EIO);
	assert_int_equal(rte_eth_dev_start(0), -EIO);
	assert_int_equal(rte_eth_dev_start(0), 0);
	assert_non_null(rule(0, false, SHAPE_ETH));
	unplug();
}

static void
test_refuse(void **state)
{
	plug(0);
	set("refuse=item.udp+action.mark");
	assert_null(rule(0, false, SHAPE_UDP));
	assert_int_equal(rte_errno, ENOTSUP);
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ITEM);
	assert_string_equal(error.message, "the NIC refuses it (refuse=item.udp)");
	assert_non_null(rule(0, false, SHAPE_IPV4));
	set("refuse=action.drop");
	assert_null(rule(0, false, SHAPE_IPV4));
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ACTION);
	set("refuse=none");
	assert_non_null(rule(0, false, SHAPE_UDP));
	unplug();
}

// A pattern as a whole, whatever its fields and VOIDs.
static void
test_shapes(void **state)
{
	char entry[EMU_MOOD_TEXT];
	unsigned int found = 0;

	plug(0);
	set("refuse=shape.eth/ipv4/udp+item.vlan+shape.eth");
	assert_null(rule(0, false, SHAPE_UDP));
	assert_int_equal(rte_errno, ENOTSUP);
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ITEM_NUM);
	assert_string_equal(error.message,
		"the NIC refuses patterns of this shape (refuse=shape.eth/ipv4/udp)");
	assert_null(rule(0, false, SHAPE_ETH));
	assert_null(rule(0, true, SHAPE_VLAN));
	assert_non_null(rule(0, false, SHAPE_IPV4));
	for (unsigned int i = 0;
		emu_moods_entry(&nic()->moods, EMU_MOOD_REFUSE, i, entry, sizeof(entry)) >= 0; i++)
		found += strcmp(entry, "shape.eth/ipv4/udp") == 0;
	assert_int_equal(found, 1);
	assert_refused("refuse=shape.eth/ipv5", "'shape.eth/ipv5' is neither");
	assert_refused("refuse=shape.", "'shape.' is neither");
	assert_refused("refuse=shape.eth//udp", "'shape.eth//udp' is neither");
	assert_refused("refuse=shape.void", "'shape.void' is neither");
	set("refuse=item.udp");
	assert_non_null(rule(0, false, SHAPE_ETH));
	unplug();
}

// Accepted, counted against the capacity, and of no effect; the next one works.
static void
test_dead_next(void **state)
{
	struct rte_flow *dead[2], *live;

	plug(0);
	set("dead_next=2");
	dead[0] = rule(0, false, SHAPE_IPV4);
	dead[1] = rule(0, true, SHAPE_IPV4);
	enter(0, 5);
	assert_int_equal(hits(0, dead[0], false) + hits(0, dead[1], false), 0);
	assert_int_equal(xstat("nic_drop_rule"), 0);
	assert_int_equal(xstat("nic_rules"), 2);
	live = rule(0, true, SHAPE_IPV4);
	enter(0, 5);
	assert_int_equal(hits(0, live, false), 5);
	assert_int_equal(xstat("nic_drop_rule"), 5);
	unplug();
}

// A query sees the counters as of the last reading, and a reset takes off what it saw.
static void
test_counter_lag(void **state)
{
	struct rte_flow *f;

	plug(0);
	f = rule(0, true, SHAPE_IPV4);
	enter(0, 3);
	set("counter_lag=600000");
	assert_int_equal(hits(0, f, false), 3);
	enter(0, 4);
	assert_int_equal(hits(0, f, true), 3);
	assert_int_equal(hits(0, f, false), 0);
	enter(0, 1);
	assert_int_equal(hits(0, f, false), 0);
	set("counter_lag=1");
	rte_delay_us_sleep(2500);
	assert_int_equal(hits(0, f, false), 5);
	set("counter_lag=0");
	enter(0, 2);
	assert_int_equal(hits(0, f, true), 7);
	assert_int_equal(hits(0, f, true), 0);
	unplug();
}

static void
test_stop_flush(void **state)
{
	struct rte_eth_dev_info info;
	struct rte_flow *f;

	plug(0);
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(xstat("nic_rules"), 1);
	assert_int_equal(rte_eth_dev_start(0), 0);
	set("stop_flush=1");
	assert_int_equal(rte_eth_dev_info_get(0, &info), 0);
	assert_false(info.dev_capa & RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP);
	assert_non_null(rule(0, true, SHAPE_ETH));
	f = rule(1, true, SHAPE_ETH);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(xstat("nic_rules"), 1); // the other port's
	assert_int_equal(rte_flow_destroy(1, f, &error), 0);
	unplug();
}

static void
test_proxy_flush(void **state)
{
	struct rte_flow *f;

	plug(0);
	set("proxy_flush=1");
	assert_non_null(rule(0, false, SHAPE_ETH));
	assert_non_null(rule(0, true, SHAPE_ETH));
	f = rule(1, true, SHAPE_ETH);
	assert_int_equal(rte_eth_dev_stop(1), 0);
	assert_int_equal(xstat("nic_rules"), 3);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(xstat("nic_rules"), 1);
	assert_int_equal(xstat("nic_rules_transfer"), 0);
	assert_int_equal(rte_flow_destroy(1, f, &error), -ENOENT);
	unplug();
}

// Runs the firmware until the statistic has the value. A burst does not run it while a link event
// is under way in the interrupt thread.
static void
wait_xstat(const char *name, uint64_t value)
{
	struct rte_mbuf *none[1];

	for (unsigned int i = 0; i < 10000 && xstat(name) != value; i++) {
		rte_eth_rx_burst(0, 0, none, 0);
		rte_delay_us_sleep(100);
	}
	assert_int_equal(xstat(name), value);
}

static void
test_link_down(void **state)
{
	struct rte_eth_link link;

	plug(0);
	set("link_down=wire");
	assert_int_equal(rte_eth_link_get_nowait(0, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_DOWN);
	send_one(0, packet(pools[0], false, false, 10));
	wait_xstat("nic_drop_tx_wire_down", 1);
	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	send_one(1, packet(pools[0], false, false, 10));
	wait_xstat("nic_sent_vf", 1);
	assert_int_equal(xstat("nic_received_wire"), 0); // still with the peer
	balance();
	set("link_down=vf0");
	send_one(1, packet(pools[0], false, false, 10));
	wait_xstat("nic_drop_tx_vf0_down", 1);
	wait_xstat("nic_received_wire", 1);
	set("link_down=none");
	assert_int_equal(rte_eth_link_get_nowait(0, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_UP);
	unplug();
}

static void
test_stall(void **state)
{
	struct rte_mbuf *m, *got[64];
	unsigned int n;

	plug(0);
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(1, 0, got, 0), 0); // runs the firmware
	set("stall=rep0.rx0+pf.tx1");
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	n = receive(1, got, 64);
	assert_int_equal(n, 1); // what was there before
	rte_pktmbuf_free_bulk(got, n);
	assert_int_equal(xstat("nic_drop_rx_queue_stalled"), 1);
	send_one(0, packet(pools[0], false, false, 10));
	assert_int_equal(xstat("nic_sent_wire"), 1);
	n = 0;
	for (;;) {
		m = packet(pools[0], false, false, 10);
		if (rte_eth_tx_burst(0, 1, &m, 1) == 0)
			break;
		n++;
	}
	rte_pktmbuf_free(m);
	assert_int_equal(n, 64); // the ring is full
	assert_int_equal(xstat("nic_held"), 64);
	balance();
	clear(&scripts[0]);
	set("stall=none");
	while (xstat("nic_held") > 0) {
		receive(0, got, 64);
		clear(&scripts[0]);
	}
	assert_int_equal(xstat("nic_sent_wire"), 65);
	unplug();
}

// One round of packets of growing length over the wire and back; writes what arrived, in order.
static unsigned int
round_trip(uint16_t *lengths)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < 200; i++) {
		struct rte_mbuf *got[64];
		unsigned int k;

		scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10 + i);
		send_one(0, packet(pools[0], false, false, 300 + i));
		k = receive(0, got, 64);
		for (unsigned int j = 0; j < k; j++)
			lengths[n++] = got[j]->pkt_len;
		rte_pktmbuf_free_bulk(got, k);
		for (unsigned int j = 0; j < scripts[0].n_out; j++)
			lengths[n++] = scripts[0].out[j]->pkt_len;
		clear(&scripts[0]);
		balance();
	}
	return n;
}

static void
test_loss(void **state)
{
	uint16_t a[400], b[400], c[400];
	unsigned int n;

	plug(0);
	assert_int_equal(round_trip(a), 400);
	set("loss=250000,seed=7");
	n = round_trip(a);
	assert_in_range(n, 260, 340);
	assert_int_equal(xstat("nic_drop_wire_loss"), 400 - n);
	set("seed=7");
	assert_int_equal(round_trip(b), n);
	assert_memory_equal(a, b, n * sizeof(a[0]));
	set("seed=8");
	assert_true(round_trip(c) != n || memcmp(a, c, n * sizeof(a[0])) != 0);
	set("loss=1000000");
	assert_int_equal(round_trip(a), 0);
	set("loss=0");
	assert_int_equal(round_trip(a), 400);
	unplug();
}

// Every packet arrives, and a late one by one place only.
static void
test_late(void **state)
{
	uint16_t at[400], way[2][200];
	unsigned int n, k[2] = {0, 0}, swapped = 0;
	struct rte_mbuf *got[64];

	plug(0);
	set("late=300000,seed=3");
	n = round_trip(at);
	while (xstat("nic_held") > 0) { // the last ones have nothing behind them
		unsigned int more = receive(0, got, 64);

		for (unsigned int i = 0; i < more; i++)
			at[n++] = got[i]->pkt_len;
		rte_pktmbuf_free_bulk(got, more);
		for (unsigned int i = 0; i < scripts[0].n_out; i++)
			at[n++] = scripts[0].out[i]->pkt_len;
		clear(&scripts[0]);
	}
	assert_int_equal(n, 400);
	for (unsigned int i = 0; i < n; i++) {
		bool out = at[i] >= 342;

		way[out][k[out]++] = at[i] - (out ? 342 : 52);
	}
	assert_int_equal(k[0], 200);
	for (unsigned int i = 0; i < 400; i++) {
		int off = way[i / 200][i % 200] - (int)(i % 200);

		assert_in_range(off + 1, 0, 2);
		swapped += off == 1;
	}
	assert_in_range(swapped, 1, xstat("nic_wire_late"));
	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	set("late=1000000");
	send_one(0, packet(pools[0], false, false, 10));
	assert_int_equal(xstat("nic_held"), 2);
	balance();
	unplug(); // with packets on the wire
}

static int
note_removal(uint16_t port, enum rte_eth_event_type event, void *arg, void *ret)
{
	__atomic_or_fetch((uint32_t *)arg, 1U << port, __ATOMIC_RELAXED);
	return 0;
}

// The device goes with packets in its rings and rules in its tables; the application can clean up.
static void
test_removal(void **state)
{
	struct rte_eth_link link;
	struct rte_flow *f;
	uint32_t told = 0;

	plug(0);
	f = rule(0, false, SHAPE_ETH);
	for (uint16_t port = 0; port < 2; port++)
		assert_int_equal(rte_eth_dev_callback_register(
					 port, RTE_ETH_EVENT_INTR_RMV, note_removal, &told),
			0);
	assert_int_equal(rte_eth_dev_is_removed(0), 0);
	set("remove_ms=60000");
	set("remove_ms=0"); // thought better of it
	set("remove_ms=1");
	for (unsigned int i = 0; i < 5000 && __atomic_load_n(&told, __ATOMIC_RELAXED) != 3; i++)
		rte_delay_us_sleep(1000);
	assert_int_equal(__atomic_load_n(&told, __ATOMIC_RELAXED), 3);
	assert_int_equal(rte_eth_dev_is_removed(0), 1);
	assert_int_equal(rte_eth_dev_is_removed(1), 1);
	assert_int_equal(rte_eth_link_get_nowait(1, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_DOWN);
	send_one(0, packet(pools[0], false, false, 10));
	scripts[1].in[scripts[1].n_in++] = packet(nic()->pool, false, false, 10);
	assert_int_equal(rte_eth_rx_burst(1, 0, (struct rte_mbuf *[1]){NULL}, 1), 0);
	assert_int_equal(xstat("nic_held"), 1);
	assert_int_equal(xstat("nic_sent_wire") + xstat("nic_received_vf"), 0);
	assert_null(rule(0, false, SHAPE_ETH));
	assert_int_equal(rte_errno, EIO); // ethdev's word for it
	assert_int_equal(rte_flow_destroy(0, f, &error), 0);
	for (uint16_t port = 0; port < 2; port++)
		rte_eth_dev_callback_unregister(port, RTE_ETH_EVENT_INTR_RMV, note_removal, &told);
	unplug();
}

// Moods change at random under traffic: whatever is lost has a name, and every rule is accounted
// for.
static void
test_storm(void **state)
{
	static const char *const texts[] = {"loss=%u", "late=%u", "loss=0,late=0", "stall=none",
		"stall=pf.rx0+rep0.tx0", "stall=pf.tx1+pf.rx1+rep0.rx0", "link_down=none",
		"link_down=wire", "link_down=vf0+wire", "capacity=5", "capacity=32", "dead_next=%u",
		"fail_next=3", "masks=2", "masks=0", "counter_lag=1", "counter_lag=0",
		"stop_flush=1", "proxy_flush=1", "stop_flush=0,proxy_flush=0"};
	struct rte_mbuf *got[64];

	plug(0);
	for (unsigned int i = 0; i < 5000; i++) {
		uint16_t port = draw(2);
		struct rte_mbuf *m = packet(pools[0], draw(2), draw(2), draw(300));
		char text[64];

		if (draw(8) == 0) {
			snprintf(text, sizeof(text), texts[draw(RTE_DIM(texts))], draw(500000));
			set(text);
		}
		if (rte_eth_tx_burst(port, port == 0 ? draw(2) : 0, &m, 1) == 0)
			rte_pktmbuf_free(m);
		for (unsigned int k = draw(20); k > 0 && scripts[port].n_in < 50; k--)
			scripts[port].in[scripts[port].n_in++] =
				packet(nic()->pool, draw(2), draw(2), draw(300));
		if (draw(4) == 0)
			rule(port, draw(2), draw(4));
		if (draw(100) == 0)
			rte_flow_flush(port, &error);
		if (draw(3) == 0)
			rte_pktmbuf_free_bulk(got, receive(draw(2), got, 64));
		if (draw(200) == 0) {
			rte_eth_dev_stop(port);
			assert_int_equal(rte_eth_dev_start(port), 0);
		}
		clear(&scripts[0]);
		clear(&scripts[1]);
		if (draw(20) == 0)
			balance();
	}
	assert_true(xstat("nic_drop_wire_loss") > 0 && xstat("nic_wire_late") > 0);
	assert_true(xstat("nic_drop_rx_queue_stalled") > 0 && xstat("nic_drop_rule") > 0);
	unplug();
}

// All of a text takes effect, or nothing.
static void
test_wrong(void **state)
{
	char why[64];

	plug(0);
	assert_refused("", "expected KEY=VALUE");
	assert_refused("capacity", "'capacity': expected KEY=VALUE");
	assert_refused("loss=1,", "'': expected KEY=VALUE");
	assert_refused("loss=1,late=2,loss=1", "loss is given twice");
	assert_refused("capacity=3,nonsense=1", "unknown mood 'nonsense'");
	assert_refused("masks=3,capacity=0", "capacity=0: expected a number from 1 to 1048576");
	assert_refused("fail_errno=0", "expected a number from 1 to 133");
	assert_refused("refuse=item.udp+item.nonsense", "'item.nonsense' is neither");
	assert_refused("refuse=", "''");
	assert_refused("link_down=wire+vf1", "link_down: the NIC has 1 VFs, so no vf1");
	assert_refused("link_down=vf64", "'vf64' is not a side");
	assert_refused("stall=rep1.rx0", "stall: the NIC has 1 VFs, so no rep1");
	assert_refused("stall=pf.rx2", "stall: pf has 2 queues, so no pf.rx2");
	assert_refused("stall=pf.rx0+rep0.tx1", "stall: rep0 has 1 queue, so no rep0.tx1");
	assert_refused("stall=pf.rx256", "'pf.rx256' is not a queue");
	assert_refused("stall=pf", "'pf' is not a queue");
	assert_refused("loss=1000001", "expected a number from 0 to 1000000");
	assert_int_equal(nic()->moods.capacity, 32);
	assert_int_equal(nic()->moods.masks, 0);
	assert_int_equal(nic()->moods.refuse[0] | nic()->moods.refuse[1], 0);
	assert_int_equal(rte_pmd_emunic_set(7, "masks=1", why, sizeof(why)), -ENODEV);
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_fail_next),
		cmocka_unit_test(test_fail_start),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_dead_next),
		cmocka_unit_test(test_counter_lag),
		cmocka_unit_test(test_stop_flush),
		cmocka_unit_test(test_proxy_flush),
		cmocka_unit_test(test_link_down),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_removal),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_wrong),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
