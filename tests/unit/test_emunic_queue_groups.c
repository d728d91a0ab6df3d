// SPDX-License-Identifier: BSD-3-Clause
// Queue groups on the whole NIC: rules that send to them, real queues, and their life beside rules,
// ports and queues that come and go. What the engine decides is tested in test_emunic_assign.c.
#include "emunic_nic.h"

#include <rte_cycles.h>

#include "rte_pmd_emunic.h"

#define NIC_QUEUES 4

static struct rte_flow_error error;

static void
set(uint16_t port, uint16_t group, const char *text)
{
	char why[256] = "";

	if (rte_pmd_emunic_group_set(port, group, text, why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
}

static void
set_refused(uint16_t port, uint16_t group, const char *text, int code, const char *contains)
{
	char why[256] = "";

	assert_int_equal(rte_pmd_emunic_group_set(port, group, text, why, sizeof(why)), code);
	if (strstr(why, contains) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why, contains);
}

static struct rte_flow *
rule(uint16_t port, uint16_t group, uint32_t mark)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action_queue queue = {.index = RTE_PMD_EMUNIC_GROUP + group};
	const struct rte_flow_action_mark id = {.id = mark};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &id},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_create(port, &attr, pattern, actions, &error);
}

// A NIC with four queues at its PF.
static void
plug_four(void)
{
	struct rte_eth_conf conf = {0};

	plug_with("queues=4,representor=vf0,firmware=inline,capacity=32", 0);
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_eth_dev_configure(0, NIC_QUEUES, 1, &conf), 0);
	for (uint16_t q = 0; q < NIC_QUEUES; q++)
		assert_int_equal(rte_eth_rx_queue_setup(0, q, 64, 0, NULL, pools[1]), 0);
	assert_int_equal(rte_eth_tx_queue_setup(0, 0, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(0), 0);
}

// A packet of flow i comes from the wire.
static void
come(uint32_t i, uint32_t payload)
{
	struct rte_mbuf *m = packet(pools[0], false, false, payload);

	rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, 34)->src_port = rte_cpu_to_be_16(i);
	scripts[0].in[scripts[0].n_in++] = m;
}

// Takes what the queue has, and returns how many.
static unsigned int
take(uint16_t queue, uint32_t mark)
{
	struct rte_mbuf *m[64];
	uint16_t n = rte_eth_rx_burst(0, queue, m, 64);

	for (uint16_t i = 0; i < n; i++) {
		assert_true(m[i]->ol_flags & RTE_MBUF_F_RX_FDIR_ID);
		assert_int_equal(m[i]->hash.fdir.hi, mark);
	}
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

// Sends a packet of each of n flows, and counts those that come to each queue.
static void
come_all(unsigned int n, uint32_t mark, unsigned int *hits)
{
	for (unsigned int i = 0; i < n; i++)
		come(i, 50);
	emu_firmware_inline(nic());
	for (uint16_t q = 0; q < NIC_QUEUES; q++)
		hits[q] += take(q, mark);
}

// Packets of a flow that is heavy until it has a queue alone. The clock is the machine's.
static void
make_heavy(uint32_t flow, uint32_t mark)
{
	struct rte_pmd_emunic_queue q[NIC_QUEUES];
	uint64_t until = rte_get_tsc_cycles() + 20 * rte_get_tsc_hz();
	bool alone = false;

	while (!alone) {
		assert_true(rte_get_tsc_cycles() < until);
		for (unsigned int i = 0; i < 8; i++)
			come(flow, 1400);
		emu_firmware_inline(nic());
		for (uint16_t i = 0; i < NIC_QUEUES; i++)
			take(i, mark);
		assert_int_equal(rte_pmd_emunic_group_queues(0, 1, q, NIC_QUEUES), 3);
		for (unsigned int i = 0; i < 3; i++)
			alone |= q[i].state == RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE && q[i].flows == 1;
	}
}

static void
test_assigned(void **state)
{
	struct rte_pmd_emunic_queue q[NIC_QUEUES];
	struct rte_pmd_emunic_flow flows[16];
	struct rte_pmd_emunic_group group;
	unsigned int hits[NIC_QUEUES] = {0}, alone = 0;
	struct rte_flow *r;
	uint32_t next = 0;
	char why[256];

	plug_four();
	assert_null(rule(0, 1, 7));
	assert_non_null(strstr(error.message, "no such queue group"));
	set(0, 1, "queues=1-3,heavy=1,light=1,hold=0,window=1");
	r = rule(0, 1, 7);
	assert_non_null(r);
	make_heavy(1000, 7);
	set(0, 1, "heavy=100000,hold=600000,idle=3600000"); // it keeps what it has
	come_all(10, 7, hits);
	assert_int_equal(hits[0], 0);
	assert_int_equal(hits[1] + hits[2] + hits[3], 10);
	assert_int_equal(rte_pmd_emunic_group_queues(0, 1, q, NIC_QUEUES), 3);
	for (unsigned int i = 0; i < 3; i++) {
		if (q[i].state != RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE)
			continue;
		assert_int_equal(hits[q[i].queue], 0);
		alone++;
	}
	assert_int_equal(alone, 1);
	assert_int_equal(rte_pmd_emunic_group_flows(0, 1, &next, flows, 16), 11);
	assert_int_equal(rte_pmd_emunic_group_flows(0, 1, &next, flows, 16), 0);
	assert_int_equal(rte_pmd_emunic_group_get(0, 1, &group), 0);
	assert_int_equal(group.rules, 1);
	assert_int_equal(group.flows, 11);
	assert_non_null(strstr(group.text, "queues=1+2+3,"));
	assert_int_equal(rte_pmd_emunic_group_del(0, 1, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "1 rule sends to group 1"));
	assert_int_equal(rte_flow_destroy(0, r, &error), 0);
	assert_int_equal(rte_pmd_emunic_group_del(0, 1, why, sizeof(why)), 0);
	assert_int_equal(rte_pmd_emunic_group_del(0, 1, why, sizeof(why)), -ENOENT);
	assert_int_equal(rte_pmd_emunic_group_get(0, 1, &group), -ENOENT);
	assert_int_equal(rte_pmd_emunic_group_queues(0, 1, q, 4), -ENOENT);
	assert_int_equal(rte_pmd_emunic_group_flows(0, 1, &next, flows, 16), -ENOENT);
	unplug();
}

// A flow leaves a queue only behind its last packet there.
static void
test_order(void **state)
{
	struct rte_pmd_emunic_flow f;
	uint32_t next = 0;
	uint16_t old;

	plug_four();
	set(0, 1, "queues=1-2,heavy=400000000");
	assert_non_null(rule(0, 1, 7));
	come(1, 50);
	come(2, 50);
	emu_firmware_inline(nic());
	assert_int_equal(rte_pmd_emunic_group_flows(0, 1, &next, &f, 1), 1);
	old = f.queue;
	set(0, 1, "queues=3"); // both have to leave
	come(1, 50);
	emu_firmware_inline(nic());
	assert_int_equal(rte_eth_rx_queue_count(0, 3), 0);
	assert_int_equal(rte_eth_rx_queue_count(0, old), 3);
	next = 0;
	assert_int_equal(rte_pmd_emunic_group_flows(0, 1, &next, &f, 1), 1);
	assert_int_equal(f.queue, old);
	assert_int_equal(f.next_queue, 3);
	assert_int_equal(take(old, 7), 3);
	come(1, 50);
	come(1, 50);
	emu_firmware_inline(nic());
	assert_int_equal(take(old, 7), 0);
	assert_int_equal(take(3, 7), 2);
	unplug();
}

static void
test_queue_stops(void **state)
{
	unsigned int hits[NIC_QUEUES] = {0}, after[NIC_QUEUES] = {0}, again[NIC_QUEUES] = {0};
	uint64_t lost;
	uint16_t used = 0;

	plug_four();
	set(0, 1, "queues=2-3");
	assert_non_null(rule(0, 1, 7));
	come_all(10, 7, hits);
	used = hits[2] > 0 ? 2 : 3;
	assert_int_equal(hits[used], 10);
	assert_int_equal(rte_eth_dev_rx_queue_stop(0, used), 0);
	come_all(10, 7, after);
	assert_int_equal(after[5 - used], 10);
	assert_int_equal(rte_eth_dev_rx_queue_stop(0, 5 - used), 0);
	lost = xstat("nic_drop_rx_queue_stopped");
	come_all(12, 7, again); // two of them are new
	assert_int_equal(again[0] + again[1] + again[2] + again[3], 0);
	assert_int_equal(xstat("nic_drop_rx_queue_stopped"), lost + 12);
	assert_int_equal(rte_eth_dev_rx_queue_start(0, 2), 0);
	come_all(12, 7, again);
	assert_int_equal(again[2], 12);
	unplug();
}

// A port that was stopped begins anew, with its groups and rules.
static void
test_port_restarts(void **state)
{
	struct rte_pmd_emunic_group group;
	struct rte_eth_conf conf = {0};
	unsigned int hits[NIC_QUEUES] = {0};

	plug_four();
	set(0, 1, "queues=1-3");
	assert_non_null(rule(0, 1, 7));
	come(1, 50);
	come(2, 50);
	emu_firmware_inline(nic());
	assert_int_equal(rte_eth_dev_stop(0), 0);
	assert_int_equal(rte_pmd_emunic_group_get(0, 1, &group), 0);
	assert_int_equal(group.flows, 0);
	// With fewer queues, the others are as stopped ones.
	assert_int_equal(rte_eth_dev_configure(0, 2, 1, &conf), 0);
	for (uint16_t q = 0; q < 2; q++)
		assert_int_equal(rte_eth_rx_queue_setup(0, q, 64, 0, NULL, pools[1]), 0);
	assert_int_equal(rte_eth_tx_queue_setup(0, 0, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(0), 0);
	for (unsigned int i = 0; i < 10; i++)
		come(i, 50);
	emu_firmware_inline(nic());
	hits[1] = take(1, 7);
	assert_int_equal(hits[1], 10);
	unplug();
}

static void
test_bad(void **state)
{
	const struct rte_flow_attr attr = {.ingress = 1}, transfer = {.transfer = 1};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action_queue queue = {.index = RTE_PMD_EMUNIC_GROUP};
	const struct rte_flow_action_ethdev vf = {.port_id = 1};
	const struct rte_flow_action copy[] = {{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	const struct rte_flow_action_sample sample = {.ratio = 1, .actions = copy};
	const struct rte_flow_action samples[] = {
		{.type = RTE_FLOW_ACTION_TYPE_SAMPLE, .conf = &sample},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	const struct rte_flow_action to_vf[] = {
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &vf},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_pmd_emunic_group group;
	char why[256];

	plug_four();
	set_refused(9, 0, "queues=1", -ENODEV, "no such port");
	set_refused(0, 64, "queues=1", -EINVAL, "groups 0 to 63");
	set_refused(0, 0, "queues=1-4", -EINVAL, "queues 0 to 3");
	set_refused(0, 0, "queues=1,overflow=4", -EINVAL, "queues 0 to 3");
	set_refused(0, 0, "heavy=1", -EINVAL, "needs queues");
	set_refused(1, 0, "queues=1", -EINVAL, "queues 0 to 0"); // a representor with one queue
	assert_int_equal(rte_pmd_emunic_group_get(0, 0, &group), -ENOENT);
	set(0, 0, "queues=1-2,overflow=0,flows=64");
	set(1, 0, "queues=0"); // of another port
	set_refused(0, 1, "queues=2-3", -EBUSY, "queue 2 is of group 0");
	set_refused(0, 1, "queues=0", -EBUSY, "overflow of group 0");
	set_refused(0, 1, "queues=3,overflow=1", -EBUSY, "queue 1 is of group 0");
	set(0, 1, "queues=3,overflow=0");
	set_refused(0, 0, "queues=1-3", -EBUSY, "queue 3 is of group 1");
	set_refused(0, 0, "flows=128", -EINVAL, "flows=64, which stays");
	set_refused(0, 0, "alike=x", -EINVAL, "alike=x");
	assert_int_equal(rte_pmd_emunic_group_get(0, 0, &group), 0);
	assert_non_null(strstr(group.text, "queues=1+2,alike=none,overflow=0,"));
	// Neither copies of packets nor a VF's queues.
	assert_null(rte_flow_create(0, &attr, pattern, samples, &error));
	assert_non_null(strstr(error.message, "queue group"));
	assert_null(rte_flow_create(0, &transfer, pattern, to_vf, &error));
	assert_int_equal(rte_pmd_emunic_group_del(0, 1, why, sizeof(why)), 0);
	nic()->gone = true; // pulled out: what is there goes with the port
	set_refused(0, 0, "heavy=7", -ENODEV, "gone");
	set_refused(0, 1, "queues=3", -ENODEV, "gone");
	nic()->gone = false;
	unplug();
}

// Groups, rules and flows are all there when the NIC goes.
static void
test_unplugged_in_use(void **state)
{
	unsigned int hits[NIC_QUEUES] = {0};

	for (unsigned int i = 0; i < 3; i++) {
		plug_four();
		set(0, 1, "queues=1-3,alike=source+dscp,flows=4");
		set(1, 5, "queues=0");
		assert_non_null(rule(0, 1, 7));
		assert_non_null(rule(1, 5, 8));
		come_all(20, 7, hits);
		unplug();
	}
}

#define RANDOM_FLOWS 12

// A packet with the flow's next number.
static void
come_numbered(uint16_t flow, uint32_t *sent, uint32_t payload)
{
	struct rte_mbuf *m;
	uint32_t number = ++sent[flow];

	come(flow, payload);
	m = scripts[0].in[scripts[0].n_in - 1];
	memcpy(rte_pktmbuf_mtod_offset(m, void *, 42), &number, sizeof(number));
}

// Takes at most n packets of a queue: each is behind all that were taken of its flow.
static void
take_in_order(uint16_t queue, uint16_t n, uint32_t *taken)
{
	struct rte_mbuf *m[64];

	n = rte_eth_rx_burst(0, queue, m, n);
	for (uint16_t i = 0; i < n; i++) {
		uint16_t flow = rte_be_to_cpu_16(
			rte_pktmbuf_mtod_offset(m[i], struct rte_udp_hdr *, 34)->src_port);
		uint32_t number;

		memcpy(&number, rte_pktmbuf_mtod_offset(m[i], void *, 42), sizeof(number));
		assert_in_range(flow, 0, RANDOM_FLOWS - 1);
		if (number <= taken[flow])
			fail_msg("packet %u of flow %u in queue %u after %u", number, flow, queue,
				taken[flow]);
		taken[flow] = number;
	}
	rte_pktmbuf_free_bulk(m, n);
}

// What a queue that stops holds is the application's, which takes it first.
static void
start_or_stop(uint16_t queue, uint32_t *taken)
{
	if (!nic()->ports[0]->rxq[queue]->started) {
		assert_int_equal(rte_eth_dev_rx_queue_start(0, queue), 0);
		return;
	}
	take_in_order(queue, 64, taken);
	assert_int_equal(rte_eth_dev_rx_queue_stop(0, queue), 0);
}

// Packets, full rings, queues that stop and groups that change in any order: no packet overtakes
// one of its flow, and the ledger balances.
static void
test_random(void **state)
{
	static const char *const changes[] = {"queues=1-3", "queues=1", "queues=2-3",
		"heavy=1,light=1", "heavy=400000000", "alike=mark", "overflow=0", "overflow=mix",
		"exclusive_max=1", "exclusive_max=0", "window=1", "hold=5,window=2", "idle=1",
		"idle=2000"};
	uint32_t sent[RANDOM_FLOWS] = {0}, taken[RANDOM_FLOWS] = {0};

	plug_four();
	set(0, 1, "queues=1-3,heavy=1000,hold=0,window=1,flows=8");
	assert_non_null(rule(0, 1, 7));
	for (unsigned int step = 0; step < 20000; step++) {
		uint32_t what = draw(100);
		uint16_t queue = draw(NIC_QUEUES);

		if (what < 60 && scripts[0].n_in < 60)
			come_numbered(draw(RANDOM_FLOWS), sent, draw(2) ? 20 : 1000);
		else if (what < 80)
			emu_firmware_inline(nic());
		else if (what < 97)
			take_in_order(queue, 1 + draw(40), taken);
		else if (what < 99)
			set(0, 1, changes[draw(RTE_DIM(changes))]);
		else
			start_or_stop(queue, taken);
		if (step % 1000 == 0)
			balance();
	}
	unplug();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assigned),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_queue_stops),
		cmocka_unit_test(test_port_restarts),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_unplugged_in_use),
		cmocka_unit_test(test_random),
	};

	return run_nic_tests("test_emunic_queue_groups", tests, RTE_DIM(tests));
}
