// SPDX-License-Identifier: BSD-3-Clause
// An emulated NIC of several physical ports: each has a PF and a wire of its own, one switch is
// between all of them and the VFs.
#include "emunic_nic.h"

#include "rte_pmd_emunic.h"

// ethdevs, in the order in which they come; sides, in the order of the switch.
enum { PF, PF1, PF2, REP };
enum { WIRE, VF, WIRE1, WIRE2, SIDES };

static struct script side[SIDES];
static struct rte_flow_error error;

static void
set(const char *text)
{
	char why[1024] = "";

	if (rte_pmd_emunic_set(0, text, why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
}

static void
plug3(const char *more)
{
	char args[256];

	snprintf(args, sizeof(args), "ports=3,queues=2,representor=pf0vf0,firmware=inline%s", more);
	assert_int_equal(rte_vdev_init("net_emunic0", args), 0);
	for (unsigned int i = 0; i < SIDES; i++) {
		memset(&side[i], 0, sizeof(side[i]));
		side[i].base.ops = &script_ops;
		side[i].accepts = RTE_DIM(side[i].out);
		nic()->sides[i].backend = &side[i].base;
	}
	for (uint16_t port = PF; port <= REP; port++)
		start_port(port, port == PF1 ? 2 : 1, 0);
}

static void
unplug3(void)
{
	balance();
	for (unsigned int i = 0; i < SIDES; i++)
		script_close(&side[i].base);
	for (uint16_t port = PF; port <= REP; port++)
		if (rte_eth_dev_is_valid_port(port))
			rte_eth_dev_stop(port);
	if (rte_eth_dev_is_valid_port(PF)) {
		balance();
		assert_int_equal(rte_mempool_in_use_count(nic()->pool), 0);
	}
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	for (unsigned int i = 0; i < RTE_DIM(pools); i++)
		assert_int_equal(rte_mempool_in_use_count(pools[i]), 0);
	for (uint16_t port = PF; port <= REP; port++)
		assert_false(rte_eth_dev_is_valid_port(port));
}

static void
enter(unsigned int by)
{
	side[by].in[side[by].n_in++] = packet(nic()->pool, false, false, 10);
	emu_firmware_round(nic());
}

static void
send_by(uint16_t port)
{
	send_one(port, packet(pools[0], false, false, 10));
	emu_firmware_round(nic());
}

// The ethdev that a packet arrived at, or -1; -2: more than one.
static int
arrived(void)
{
	struct rte_mbuf *m;
	int at = -1;

	for (uint16_t port = PF; port <= REP; port++) {
		for (uint16_t q = 0; rte_eth_dev_is_valid_port(port) && q < (port == PF1 ? 2 : 1);
			q++) {
			while (rte_eth_rx_burst(port, q, &m, 1) == 1) {
				assert_int_equal(m->port, port);
				at = at == -1 ? port : -2;
				rte_pktmbuf_free(m);
			}
		}
	}
	return at;
}

// The side that a packet left by, or -1; -2: more than one.
static int
left_by(void)
{
	int by = -1;

	for (int i = 0; i < SIDES; i++) {
		if (side[i].n_out > 0)
			by = by == -1 && side[i].n_out == 1 ? i : -2;
		clear(&side[i]);
	}
	return by;
}

// A transfer rule that counts and sends to what an ethdev represents, or (host) to the ethdev; for
// what entered by what `from` represents, or without a port item where that is negative.
static struct rte_flow *
rule(uint16_t on, int from, uint16_t to, bool host)
{
	const struct rte_flow_attr attr = {.transfer = 1};
	const struct rte_flow_item_ethdev source = {.port_id = from};
	const struct rte_flow_action_ethdev target = {.port_id = to};
	const struct rte_flow_item pattern[] = {
		{.type = from < 0 ? RTE_FLOW_ITEM_TYPE_VOID : RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT,
			.spec = from < 0 ? NULL : &source},
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = host ? RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR
			      : RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT,
			.conf = &target},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow *f = rte_flow_create(on, &attr, pattern, actions, &error);

	if (f == NULL)
		fail_msg("%s", error.message);
	return f;
}

static uint64_t
hits(uint16_t on, struct rte_flow *f)
{
	const struct rte_flow_action count[] = {
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_query_count out = {0};

	assert_int_equal(rte_flow_query(on, f, count, &out, &error), 0);
	return out.hits;
}

static uint64_t
port_xstat(uint16_t port, const char *name)
{
	uint64_t id, value;

	assert_int_equal(rte_eth_xstats_get_id_by_name(port, name, &id), 0);
	assert_int_equal(rte_eth_xstats_get_by_id(port, &id, &value, 1), 1);
	return value;
}

static void
test_identity(void **state)
{
	static const char *const names[] = {
		"net_emunic0", "net_emunic0_pf1", "net_emunic0_pf2", "net_emunic0_representor_vf0"};
	struct rte_ether_addr mac[4];
	struct rte_eth_dev_info info[4];

	plug3("");
	for (uint16_t port = PF; port <= REP; port++) {
		struct rte_eth_representor_info *reps =
			calloc(1, sizeof(*reps) + sizeof(struct rte_eth_representor_range));
		char name[RTE_ETH_NAME_MAX_LEN];

		assert_int_equal(rte_eth_dev_get_name_by_port(port, name), 0);
		assert_string_equal(name, names[port]);
		assert_int_equal(rte_eth_dev_info_get(port, &info[port]), 0);
		assert_int_equal(rte_eth_macaddr_get(port, &mac[port]), 0);
		assert_int_equal(info[port].max_rx_queues, port == REP ? 1 : 2);
		assert_int_equal(info[port].max_vfs, port == PF ? 1 : 0);
		assert_int_equal(!!(*info[port].dev_flags & RTE_ETH_DEV_REPRESENTOR), port == REP);
		assert_int_equal(info[port].switch_info.domain_id, info[PF].switch_info.domain_id);
		for (uint16_t other = PF; other < port; other++) {
			assert_int_not_equal(
				info[port].switch_info.port_id, info[other].switch_info.port_id);
			assert_memory_not_equal(&mac[port], &mac[other], sizeof(mac[0]));
		}
		assert_non_null(reps);
		reps->nb_ranges_alloc = 1;
		assert_int_equal(rte_eth_representor_info_get(port, NULL), 1);
		assert_int_equal(rte_eth_representor_info_get(port, reps), 1);
		assert_int_equal(reps->pf, port == PF1 ? 1 : port == PF2 ? 2 : 0);
		assert_int_equal(reps->ranges[0].pf, 0);
		assert_string_equal(reps->ranges[0].name, "pf0vf");
		free(reps);
	}
	unplug3();
}

// With no rule each wire goes to its PF and back.
static void
test_default_ways(void **state)
{
	static const unsigned int of[] = {WIRE, WIRE1, WIRE2, VF};

	plug3("");
	for (uint16_t port = PF; port <= REP; port++) {
		enter(of[port]);
		assert_int_equal(arrived(), port);
		send_by(port);
		assert_int_equal(arrived(), -1);
		assert_int_equal(left_by(), of[port]);
	}
	assert_int_equal(xstat("nic_received_wire"), 3);
	assert_int_equal(xstat("nic_sent_wire"), 3);
	for (uint16_t port = PF; port < REP; port++) {
		struct rte_eth_stats stats;

		assert_int_equal(port_xstat(port, "wire_rx_packets"), 1);
		assert_int_equal(port_xstat(port, "wire_tx_packets"), 1);
		assert_int_equal(rte_eth_stats_get(port, &stats), 0);
		assert_int_equal(stats.ipackets, 1);
		assert_int_equal(stats.opackets, 1);
	}
	unplug3();
}

static void
test_rules(void **state)
{
	struct rte_flow *across, *named, *back, *up, *down;

	plug3("");
	across = rule(PF, -1, PF1, false); // what enters by the wire of the port that it is made on
	named = rule(PF, PF1, PF2, false);
	back = rule(PF2, -1, PF, true);
	up = rule(REP, -1, PF1, false);
	enter(WIRE);
	assert_int_equal(left_by(), WIRE1);
	enter(WIRE1);
	assert_int_equal(left_by(), WIRE2);
	enter(WIRE2);
	assert_int_equal(arrived(), PF);
	enter(VF);
	assert_int_equal(left_by(), WIRE1);
	assert_int_equal(rte_flow_destroy(PF, named, &error), 0);
	down = rule(PF1, -1, REP, false);
	enter(WIRE1);
	assert_int_equal(left_by(), VF);
	assert_int_equal(hits(PF, across), 1);
	assert_int_equal(hits(PF2, back), 1);
	assert_int_equal(hits(REP, up), 1);
	assert_int_equal(hits(PF1, down), 1);
	assert_int_equal(arrived(), -1);
	// Only one of them is the proxy, where there is one.
	set("pf_proxy=1");
	{
		const struct rte_flow_attr attr = {.transfer = 1};
		const struct rte_flow_item any[] = {
			{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
		const struct rte_flow_action drop[] = {
			{.type = RTE_FLOW_ACTION_TYPE_DROP}, {.type = RTE_FLOW_ACTION_TYPE_END}};
		uint16_t proxy = PF2;

		assert_null(rte_flow_create(PF1, &attr, any, drop, &error));
		assert_int_equal(rte_flow_pick_transfer_proxy(PF1, &proxy, &error), 0);
		assert_int_equal(proxy, PF);
	}
	unplug3();
}

// Queues of the VF can be chosen behind a VF as target, not behind a wire.
static void
test_queue_of_wire(void **state)
{
	const struct rte_flow_attr attr = {.transfer = 1};
	const struct rte_flow_item any[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action_queue queue = {.index = 0};
	struct rte_flow_action_ethdev to = {.port_id = PF2};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END}};

	plug3("");
	assert_int_equal(rte_flow_validate(PF, &attr, any, actions, &error), -EINVAL);
	to.port_id = REP;
	assert_int_equal(rte_flow_validate(PF, &attr, any, actions, &error), 0);
	unplug3();
}

static void
test_moods(void **state)
{
	char why[1024];

	plug3("");
	set("link_down=wire1");
	assert_true(is_up(PF));
	assert_false(is_up(PF1));
	assert_true(is_up(PF2));
	send_by(PF1);
	assert_int_equal(left_by(), -1);
	assert_int_equal(xstat("nic_drop_tx_wire1_down"), 1);
	set("link_down=none,stall=pf1.rx0+pf1.rx1");
	enter(WIRE1);
	assert_int_equal(arrived(), -1);
	assert_int_equal(xstat("nic_drop_rx_queue_stalled"), 1);
	enter(WIRE);
	assert_int_equal(arrived(), PF);
	set("stall=pf2.tx0");
	send_by(PF2);
	send_by(PF1);
	assert_int_equal(left_by(), WIRE1);
	set("stall=none");
	enter(WIRE);
	assert_int_equal(left_by(), WIRE2);
	assert_int_equal(arrived(), PF);
	set("loss=1000000");
	enter(WIRE2);
	send_by(PF1);
	assert_int_equal(arrived(), -1);
	assert_int_equal(left_by(), -1);
	assert_int_equal(xstat("nic_drop_wire_loss"), 2);
	set("loss=0,late=1000000"); // each wire has its own that waits
	enter(WIRE1);
	enter(WIRE2);
	assert_int_equal(xstat("nic_held"), 2);
	set("late=0");
	enter(WIRE2);
	assert_int_equal(arrived(), -2);
	rte_eth_dev_stop(PF1); // lets its own go
	assert_int_equal(xstat("nic_held"), 0);
	assert_int_equal(xstat("nic_wire_late"), 2);
	set("rate=wire1:100");
	assert_int_equal(nic()->sides[WIRE1].rate.mbps, 100);
	assert_int_equal(nic()->sides[WIRE2].rate.mbps, 0);
	assert_int_equal(rte_pmd_emunic_set(0, "link_down=wire3", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "link_down: the NIC has 3 ports, so no wire3");
	assert_int_equal(rte_pmd_emunic_set(0, "stall=pf3.rx0", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "stall: the NIC has 3 ports, so no pf3");
	assert_int_equal(rte_pmd_emunic_set(0, "rate=wire0:1", why, sizeof(why)), -EINVAL);
	unplug3();
}

static void
swap_refused(uint16_t port, const char *at, const char *text)
{
	assert_int_equal(rte_pmd_emunic_backend_swap(port, at, text), -ELOOP);
}

// A NIC is not plugged into itself, by whichever of its ports, nor two or three into one another in
// a circle: it would wait for itself. A row of them is fine.
static void
test_circles(void **state)
{
	uint16_t b, c;

	assert_int_equal(rte_vdev_init("net_emunic0", "wire=[ethdev,net_emunic0]"), -ELOOP);
	assert_false(rte_eth_dev_is_valid_port(0));
	assert_int_equal(
		rte_vdev_init("net_emunic0",
			"ports=2,representor=vf0,firmware=inline,vf0=[ethdev,net_emunic0]"),
		-ELOOP);
	assert_int_equal(
		rte_vdev_init("net_emunic0", "ports=2,representor=vf0,firmware=inline"), 0);
	for (uint16_t id = 0; id < 3; id++) {
		char text[RTE_ETH_NAME_MAX_LEN + 16], name[RTE_ETH_NAME_MAX_LEN];

		assert_int_equal(rte_eth_dev_get_name_by_port(id, name), 0);
		snprintf(text, sizeof(text), "[ethdev,%s]", name);
		swap_refused(0, "wire", text);
		swap_refused(0, "vf0", text);
	}
	assert_int_equal(rte_vdev_init("net_emunic1", "firmware=inline"), 0);
	assert_int_equal(rte_vdev_init("net_emunic2", "firmware=inline"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_emunic1", &b), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_emunic2", &c), 0);
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", "[ethdev,net_emunic1]"), 0);
	swap_refused(b, "wire", "[ethdev,net_emunic0]");
	assert_int_equal(rte_pmd_emunic_backend_swap(b, "wire", "[ethdev,net_emunic2]"), 0);
	swap_refused(c, "wire", "[ethdev,net_emunic0]");
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "wire", NULL), 0);
	assert_int_equal(rte_pmd_emunic_backend_swap(c, "wire", "[ethdev,net_emunic0]"), 0);
	assert_int_equal(rte_pmd_emunic_backend_swap(b, "wire", NULL), 0);
	assert_int_equal(rte_pmd_emunic_backend_swap(c, "wire", NULL), 0);
	for (unsigned int i = 0; i < 3; i++) {
		char name[] = "net_emunic0";

		name[10] += i;
		assert_int_equal(rte_vdev_uninit(name), 0);
	}
}

// Ports go one by one; what is left works on.
static void
test_close(void **state)
{
	plug3("");
	assert_int_equal(rte_eth_dev_stop(PF1), 0);
	enter(WIRE1);
	assert_int_equal(xstat("nic_drop_host_stopped"), 1);
	rule(PF1, -1, PF2, false);
	assert_int_equal(rte_eth_dev_close(PF1), 0); // and its rules
	enter(WIRE1);                                // nobody looks there any more
	assert_int_equal(side[WIRE1].n_in, 1);
	enter(WIRE2);
	assert_int_equal(arrived(), PF2);
	assert_int_equal(nic()->rules.n_rules, 0);
	assert_int_equal(rte_pmd_emunic_side_finished(PF2, "wire2"), 0);
	assert_int_equal(rte_pmd_emunic_side_finished(PF2, "wire3"), -EINVAL);
	unplug3();
}

static void
test_swap(void **state)
{
	plug3("");
	assert_int_equal(rte_pmd_emunic_backend_swap(PF1, "wire2", "[sink,reflect=1]"), 0);
	send_by(PF2);
	emu_firmware_round(nic());
	assert_int_equal(arrived(), PF2);
	assert_int_equal(port_xstat(PF2, "wire_rx_packets"), 1);
	assert_int_equal(rte_pmd_emunic_backend_swap(PF2, "wire2", NULL), 0);
	assert_false(is_up(PF2));
	unplug3();
}

// Whatever comes by whatever rule, the ledger adds up.
static void
test_ledger(void **state)
{
	plug3(",loss=50000,late=50000");
	for (uint16_t from = PF; from <= REP; from++)
		if (draw(3))
			rule(PF, from, draw(4), draw(2));
	for (unsigned int i = 0; i < 2000; i++) {
		if (draw(2))
			enter(draw(SIDES));
		else
			send_one(draw(4), packet(pools[0], false, draw(2), draw(1000)));
		arrived();
		left_by();
		if (i % 100 == 0)
			balance();
	}
	unplug3();
}

static void
test_arguments(void **state)
{
	static const char *const wrong[] = {"ports=0", "ports=5", "ports=2,wire2=[sink]",
		"wire0=[sink]", "wire4=[sink]", "wires=[sink]", "wire1=[sink],wire1=[sink]",
		"representor=pf1vf0", "representor=c0pf0vf0", "ports=2,stall=pf2.rx0",
		"link_down=wire1", "ports=2,wire1=[nonsense]"};

	for (unsigned int i = 0; i < RTE_DIM(wrong); i++) {
		if (rte_vdev_init("net_emunic0", wrong[i]) == 0)
			fail_msg("%s was taken", wrong[i]);
		assert_int_equal(rte_eth_dev_count_avail(), 0);
	}
	// A wire that is named is there, whatever comes first.
	assert_int_equal(rte_vdev_init("net_emunic0", "link_down=wire1,wire1=[sink],vfs=2"), 0);
	assert_int_equal(rte_eth_dev_count_avail(), 2);
	assert_int_equal(nic()->args.ports, 2);
	assert_false(is_up(PF1));
	assert_int_equal(rte_eth_dev_close(PF), 0); // in any order
	assert_int_equal(rte_eth_dev_close(PF1), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_default_ways),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_queue_of_wire),
		cmocka_unit_test(test_moods),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_arguments),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
