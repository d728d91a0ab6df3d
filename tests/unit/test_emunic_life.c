// SPDX-License-Identifier: BSD-3-Clause
// Ports, queues, rules and what belongs to them, made and ended in any order while packets move:
// no buffer and no memory is left when the NIC is gone. And backends that are swapped under load.
#include "emunic_nic.h"

#include <pthread.h>

#include <rte_malloc.h>

#include "rte_pmd_emunic.h"

#define LIVES 60
#define STEPS 300
#define SWAPS 400
#define MAX_RULES 24
#define PORTS 3

static struct rte_flow_error error;
static char why[1024];
static unsigned int made, templated, moved; // rules, of them by templates, and packets

static const char *const plugs[] = {"generator,flows=40,pps=0,seed=1", "generator,flows=3,count=50",
	"generator,flows=5,pps=20000,v6=30,size=mixed", "sink", "sink,reflect=1",
	"sink,reflect=1,depth=8", "ethdev,net_emunic_life%u,mbufs=600,wire=[sink,reflect=1]", ""};

// One of the above behind a side, opened before the one that was there is closed: of two devices of
// DPDK's, other emulated NICs, by turns.
static void
swap(uint16_t port, unsigned int side, uint32_t which)
{
	static const char *const names[] = {"wire", "vf0", "vf1"};
	static unsigned int turn[PORTS];
	char text[96];

	snprintf(text, sizeof(text), plugs[which % RTE_DIM(plugs)], 2 * side + turn[side]++ % 2);
	if (rte_pmd_emunic_backend_swap(port, names[side], text) != 0)
		fail_msg("%s=[%s] of port %u was refused", names[side], text, port);
}

// The PF and the representors of two VFs, some of which may be closed.
struct life {
	uint16_t port[PORTS];
	bool open[PORTS], started[PORTS], configured[PORTS];
	uint16_t queues[PORTS];
	struct {
		struct rte_flow *flow;
		unsigned int port;
	} rules[MAX_RULES];
	unsigned int n_rules;
	struct rte_flow_action_handle *counter[PORTS];
	struct rte_flow_pattern_template *pattern[PORTS];
	struct rte_flow_actions_template *actions[PORTS];
	struct rte_flow_template_table *table[PORTS];
};

static void
stop_port(struct life *l, unsigned int p)
{
	if (l->started[p])
		assert_int_equal(rte_eth_dev_stop(l->port[p]), 0);
	l->started[p] = false;
}

// With 1 or 2 queues, sometimes without setting all of them up.
static void
configure(struct life *l, unsigned int p)
{
	struct rte_eth_conf conf = {.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS};
	bool all = draw(8) > 0;

	stop_port(l, p);
	l->queues[p] = 1 + draw(2);
	conf.rx_adv_conf.rss_conf.rss_hf = draw(2) ? EMU_RSS_TYPES : 0;
	assert_int_equal(rte_eth_dev_configure(l->port[p], l->queues[p], l->queues[p], &conf), 0);
	for (uint16_t q = 0; q < l->queues[p] && (all || q == 0); q++) {
		const struct rte_eth_rxconf rx = {.rx_deferred_start = draw(6) == 0};

		assert_int_equal(
			rte_eth_rx_queue_setup(l->port[p], q, 64, 0, &rx, pools[1 + draw(2)]), 0);
		assert_int_equal(rte_eth_tx_queue_setup(l->port[p], q, 64, 0, NULL), 0);
	}
	l->configured[p] = all || l->queues[p] == 1;
}

static void
start(struct life *l, unsigned int p)
{
	int ret;

	if (l->queues[p] == 0 || l->started[p])
		return;
	ret = rte_eth_dev_start(l->port[p]);
	if (l->configured[p])
		assert_int_equal(ret, 0);
	l->started[p] = ret == 0;
	if (l->started[p])
		rte_eth_promiscuous_enable(l->port[p]);
}

static void
close_port(struct life *l, unsigned int p)
{
	stop_port(l, p);
	assert_int_equal(rte_eth_dev_close(l->port[p]), 0);
	l->open[p] = false;
	for (unsigned int i = l->n_rules; i-- > 0;)
		if (l->rules[i].port == p)
			l->rules[i] = l->rules[--l->n_rules];
}

// What rules with templates need, on a port that has been configured and is stopped.
static void
make_templates(struct life *l, unsigned int p)
{
	const struct rte_flow_port_attr attr = {0};
	const struct rte_flow_queue_attr size = {.size = 64}, *sizes[] = {&size};
	const struct rte_flow_pattern_template_attr pattern_attr = {.transfer = 1};
	const struct rte_flow_actions_template_attr actions_attr = {.transfer = 1};
	const struct rte_flow_template_table_attr table_attr = {
		.flow_attr = {.transfer = 1}, .nb_flows = 5};
	const uint8_t head[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	const struct rte_flow_action_raw_decap decap = {.size = 14};
	const struct rte_flow_action_raw_encap encap = {
		.data = (uint8_t *)(uintptr_t)head, .size = sizeof(head)};
	const struct rte_flow_item any[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP, .conf = &decap},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &encap},
		{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};

	if (l->pattern[p] != NULL || l->queues[p] == 0)
		return;
	stop_port(l, p);
	assert_int_equal(rte_flow_configure(l->port[p], &attr, 1, sizes, &error), 0);
	l->pattern[p] = rte_flow_pattern_template_create(l->port[p], &pattern_attr, any, &error);
	l->actions[p] = rte_flow_actions_template_create(
		l->port[p], &actions_attr, actions, actions, &error);
	l->table[p] = rte_flow_template_table_create(
		l->port[p], &table_attr, &l->pattern[p], 1, &l->actions[p], 1, &error);
	assert_non_null(l->table[p]);
}

// A rule of any domain, group and kind; some are refused.
static struct rte_flow *
make_rule(struct life *l, unsigned int p)
{
	const uint32_t domain = draw(3);
	const struct rte_flow_attr attr = {.group = draw(3),
		.priority = draw(4),
		.ingress = domain == 0,
		.egress = domain == 1,
		.transfer = domain == 2};
	const struct rte_flow_item_ipv4 last = {.hdr.time_to_live = 70},
					ttl = {.hdr.time_to_live = 60},
					mask = {.hdr.time_to_live = 0xff};
	const struct rte_flow_item pattern[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = draw(2) ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_VOID,
			.spec = &ttl,
			.last = draw(2) ? &last : NULL,
			.mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action_age age = {.timeout = 1 + draw(3)};
	const struct rte_flow_action_queue queue = {.index = draw(3)};
	const struct rte_flow_action_jump jump = {.group = draw(4)};
	const struct rte_flow_action_ethdev to = {.port_id = l->port[draw(PORTS)]};
	const struct rte_flow_action_of_push_vlan push = {.ethertype = RTE_BE16(0x8100)};
	const uint16_t queues[] = {0};
	const struct rte_flow_action_rss rss = {.queue_num = 1, .queue = queues};
	const struct rte_flow_action fates[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_JUMP, .conf = &jump},
		{.type = RTE_FLOW_ACTION_TYPE_PASSTHRU},
		{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss},
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, .conf = &to}};
	const struct rte_flow_action sampled[] = {
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	const struct rte_flow_action_sample sample = {.ratio = 2, .actions = sampled};
	const struct rte_flow_action extras[] = {{.type = RTE_FLOW_ACTION_TYPE_VOID},
		{.type = RTE_FLOW_ACTION_TYPE_AGE, .conf = &age},
		{.type = RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, .conf = &push},
		{.type = RTE_FLOW_ACTION_TYPE_DEC_TTL},
		{.type = RTE_FLOW_ACTION_TYPE_SAMPLE, .conf = &sample},
		{.type = RTE_FLOW_ACTION_TYPE_INDIRECT, .conf = l->counter[p]}};
	const struct rte_flow_action actions[] = {extras[draw(RTE_DIM(extras))],
		fates[draw(RTE_DIM(fates))], {.type = RTE_FLOW_ACTION_TYPE_END}};

	return rte_flow_create(l->port[p], &attr, pattern, actions, &error);
}

static struct rte_flow *
make_templated(struct life *l, unsigned int p)
{
	const struct rte_flow_op_attr now = {0};
	const struct rte_flow_item any[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action actions[] = {{.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP},
		{.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP}, {.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_op_result results[8];

	rte_flow_pull(l->port[p], 0, results, RTE_DIM(results), &error);
	return rte_flow_async_create(
		l->port[p], 0, &now, l->table[p], any, 0, actions, 0, NULL, &error);
}

static void
change_rules(struct life *l, unsigned int p)
{
	const struct rte_flow_indir_action_conf conf = {.ingress = 1};
	const struct rte_flow_action count = {.type = RTE_FLOW_ACTION_TYPE_COUNT};
	struct rte_flow *f = NULL;

	if (l->counter[p] == NULL)
		l->counter[p] = rte_flow_action_handle_create(l->port[p], &conf, &count, &error);
	if (draw(12) == 0) {
		assert_int_equal(rte_flow_flush(l->port[p], &error), 0);
		for (unsigned int i = l->n_rules; i-- > 0;)
			if (l->rules[i].port == p)
				l->rules[i] = l->rules[--l->n_rules];
	} else if (l->n_rules == MAX_RULES || (l->n_rules > 0 && draw(3) == 0)) {
		unsigned int i = draw(l->n_rules);

		assert_int_equal(
			rte_flow_destroy(l->port[l->rules[i].port], l->rules[i].flow, &error), 0);
		l->rules[i] = l->rules[--l->n_rules];
	} else if (l->table[p] != NULL && draw(3) == 0) {
		f = make_templated(l, p);
	} else {
		f = make_rule(l, p);
	}
	if (f != NULL) {
		l->rules[l->n_rules].flow = f;
		l->rules[l->n_rules++].port = p;
		made++;
		templated += f->template != NULL;
	}
}

static void
move_packets(struct life *l, unsigned int p)
{
	struct rte_mbuf *m[32];
	uint16_t q = draw(l->queues[p]), n;

	if (!l->started[p])
		return;
	m[0] = packet(pools[0], draw(2), draw(2), draw(400));
	if (rte_eth_tx_burst(l->port[p], q, m, 1) == 0)
		rte_pktmbuf_free(m[0]);
	for (unsigned int i = 0; i < 4; i++) {
		n = rte_eth_rx_burst(l->port[p], draw(l->queues[p]), m, 32);
		rte_pktmbuf_free_bulk(m, n);
		moved += n;
	}
}

static void
change_queue(struct life *l, unsigned int p)
{
	uint16_t q = draw(l->queues[p]);

	if (!l->started[p])
		return;
	if (draw(3) > 0) {
		rte_eth_dev_rx_queue_stop(l->port[p], q);
		if (draw(3) == 0)
			assert_int_equal(rte_eth_rx_queue_setup(
						 l->port[p], q, 128, 0, NULL, pools[1 + draw(2)]),
				0);
		rte_eth_dev_rx_queue_start(l->port[p], q);
	} else {
		rte_eth_dev_tx_queue_stop(l->port[p], q);
		rte_eth_dev_tx_queue_start(l->port[p], q);
	}
}

static void
change_groups(struct life *l, unsigned int p)
{
	uint16_t g = draw(3);

	if (draw(2))
		rte_pmd_emunic_group_set(l->port[p], g, draw(2) ? "queues=0" : "queues=1,flows=100",
			why, sizeof(why));
	else
		rte_pmd_emunic_group_del(l->port[p], g, why, sizeof(why));
}

static void
step(struct life *l)
{
	static const char *const moods[] = {"late=400000", "late=0,loss=1000", "link_down=vf0",
		"link_down=none", "capacity=9", "capacity=64", "counter_lag=5", "counter_lag=0",
		"stall=pf.rx0", "stall=none"};
	unsigned int p = draw(PORTS);

	if (!l->open[p])
		return;
	switch (draw(16)) {
	case 0:
		configure(l, p);
		break;
	case 1:
	case 2:
		start(l, p);
		break;
	case 3:
		stop_port(l, p);
		break;
	case 4:
		swap(l->port[p], draw(PORTS), draw(100));
		break;
	case 5:
		assert_int_equal(rte_pmd_emunic_set(
					 l->port[p], moods[draw(RTE_DIM(moods))], why, sizeof(why)),
			0);
		break;
	case 6:
		if (l->queues[p] > 0)
			change_queue(l, p);
		break;
	case 7:
		change_groups(l, p);
		break;
	case 8:
		make_templates(l, p);
		break;
	case 9:
		if (draw(15) == 0)
			close_port(l, p);
		break;
	case 10:
	case 11:
	case 12:
		change_rules(l, p);
		break;
	default:
		if (l->queues[p] > 0)
			move_packets(l, p);
	}
}

static size_t
memory_used(void)
{
	struct rte_malloc_socket_stats s;

	assert_int_equal(rte_malloc_get_socket_stats(0, &s), 0);
	return s.alloc_count;
}

static void
assert_pools_whole(void)
{
	for (unsigned int i = 0; i < RTE_DIM(pools); i++)
		assert_int_equal(rte_mempool_in_use_count(pools[i]), 0);
}

// Nothing moves any more: what came in has gone out, is lost by name, or is still in a ring.
static void
settle(struct life *l)
{
	for (unsigned int side = 0; side < PORTS; side++)
		swap(l->port[0], side, RTE_DIM(plugs) - 1);
	for (unsigned int p = 0; p < PORTS; p++)
		if (l->open[p])
			stop_port(l, p);
	balance();
	// A late packet may still be on a wire, whose port has stopped before it.
	for (unsigned int i = 0; xstat("nic_held") > 0; i++) {
		assert_true(i < 10000);
		emu_firmware_round(nic());
		rte_delay_us_sleep(100);
	}
	balance();
	assert_int_equal(rte_mempool_in_use_count(nic()->pool), 0);
}

static void
live(const char *firmware)
{
	struct life l = {.open = {true, true, true}};
	char args[128], name[64];

	snprintf(args, sizeof(args),
		"queues=2,rep_queues=2,vfs=2,representor=vf[0-1],capacity=64,%s", firmware);
	assert_int_equal(rte_vdev_init("net_emunic0", args), 0);
	for (unsigned int p = 0; p < PORTS; p++) {
		snprintf(name, sizeof(name), "net_emunic0_representor_vf%u", p - 1);
		assert_int_equal(
			rte_eth_dev_get_port_by_name(p == 0 ? "net_emunic0" : name, &l.port[p]), 0);
	}
	for (unsigned int p = 0; p < PORTS; p++) {
		configure(&l, p);
		start(&l, p);
	}
	for (unsigned int i = 0; i < STEPS; i++)
		step(&l);
	if (l.open[0] && draw(2))
		settle(&l);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	assert_pools_whole();
}

static void
test_any_order(void **state)
{
	static const char *const kinds[] = {"firmware=inline", "firmware=thread"};
	size_t before = 0;

	for (unsigned int i = 0; i < LIVES; i++) {
		live(kinds[i % RTE_DIM(kinds)]);
		// What DPDK makes once for all ports and devices is made by then.
		if (i == 9)
			before = memory_used();
		if (i > 9)
			assert_int_equal(memory_used(), before);
	}
	// It was a test of something.
	// It was a test of something.
	assert_true(made > 5 * LIVES && templated > LIVES && moved > 30 * LIVES);
}

// Packets go from the wire to VF 0 and back, to the PF, and from it to the wire, while all of it
// is swapped under them by another thread.
struct load {
	uint32_t seed;
	bool done, refused;
};

static void *
swap_all(void *arg)
{
	struct load *load = arg;
	uint32_t r = load->seed;
	int ret = 0;

	for (unsigned int i = 0; i < SWAPS; i++) {
		char text[96];

		r = r * 1664525 + 1013904223;
		snprintf(text, sizeof(text), plugs[(r >> 16) % RTE_DIM(plugs)], i % 4);
		ret |= rte_pmd_emunic_backend_swap(0, i % 2 ? "vf0" : "wire", text);
		rte_delay_us_sleep(r >> 24);
	}
	load->refused = ret != 0;
	__atomic_store_n(&load->done, true, __ATOMIC_RELEASE);
	return NULL;
}

// The switch's share: every second UDP port from the wire to VF 0, and what VF 0 sends to the wire.
static void
split_traffic(void)
{
	const struct rte_flow_attr attr = {.transfer = 1};
	const struct rte_flow_item_udp odd = {.hdr.src_port = RTE_BE16(1)};
	const struct rte_flow_item udp[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &odd, .mask = &odd},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_item any[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action_ethdev vf = {.port_id = 1}, wire = {.port_id = 0};
	const struct rte_flow_action to_vf[] = {
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &vf},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	const struct rte_flow_action to_wire[] = {
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &wire},
		{.type = RTE_FLOW_ACTION_TYPE_END}};

	assert_non_null(rte_flow_create(0, &attr, udp, to_vf, &error));
	assert_non_null(rte_flow_create(1, &attr, any, to_wire, &error));
}

static void
test_swap_under_load(void **state)
{
	struct load load = {.seed = draw(UINT32_MAX)};
	struct life l = {.port = {0, 1}, .open = {true, true}, .started = {true, true}};
	uint64_t got = 0, sent = 0;
	pthread_t thread;
	uint16_t n;

	assert_int_equal(rte_vdev_init("net_emunic0", "queues=2,vfs=2,representor=vf0"), 0);
	start_port(0, 2, 0);
	start_port(1, 1, 0);
	split_traffic();
	assert_int_equal(pthread_create(&thread, NULL, swap_all, &load), 0);
	while (!__atomic_load_n(&load.done, __ATOMIC_ACQUIRE)) {
		struct rte_mbuf *m[64];

		n = receive(0, m, 64);
		got += n;
		if (n > 0) {
			uint16_t k = rte_eth_tx_burst(0, 0, m, n);

			sent += k;
			rte_pktmbuf_free_bulk(&m[k], n - k);
		}
		n = receive(1, m, 64);
		got += n;
		rte_pktmbuf_free_bulk(m, n);
	}
	pthread_join(thread, NULL);
	assert_false(load.refused);
	for (unsigned int side = 0; side < 2; side++)
		swap(0, side, RTE_DIM(plugs) - 1);
	// What the backends handed over, also those that are gone, is what the NIC received.
	assert_int_equal(xstat("nic_received_wire"), xstat("wire_played"));
	assert_int_equal(xstat("nic_received_vf"), xstat("vf0_played"));
	assert_int_equal(xstat("nic_received_host"), sent);
	assert_int_equal(xstat("nic_sent_host"), got);
	assert_true(got > 1000 && sent > 0 && xstat("nic_eswitch_packets") > 1000);
	settle(&l);
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	assert_pools_whole();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_swap_under_load),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
