// SPDX-License-Identifier: BSD-3-Clause
// What is plugged in at a VF goes to a VF of another NIC while both run: what goes along, what
// stays, and what is refused.
#include "emunic_nic.h"

#include "rte_pmd_emunic.h"

#define FROM 0 // the PF of the NIC that it leaves; its VF's representor is port 1
#define TO 2   // that of the one it goes to; its VF's representor is port 3

static struct rte_mempool *told_pool;

static void
script_move(struct emu_backend *b, const struct emu_backend_env *env)
{
	told_pool = env->pool;
}

// So that what it has counted shows.
static void
count_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->tx_packets = 5;
}

static struct emu_backend_ops moving;

static struct emu_nic *
nic_of(uint16_t port)
{
	return ((struct emu_port *)rte_eth_devices[port].data->dev_private)->nic;
}

static struct emu_side *
vf_of(uint16_t port)
{
	return &nic_of(port)->sides[1];
}

static void
plug_two(void)
{
	plug(0);
	assert_int_equal(rte_vdev_init("net_emunic1",
				 "queues=2,representor=vf0,firmware=inline,wire=[sink]"),
		0);
	start_port(TO, 2, 0);
	start_port(TO + 1, 1, 0);
	moving = script_ops;
	moving.move = script_move;
	moving.stats = count_stats;
	scripts[1].base.ops = &moving;
	scripts[1].queues = 4;
}

static void
unplug_two(void)
{
	for (uint16_t port = TO; port <= TO + 1; port++)
		assert_int_equal(rte_eth_dev_stop(port), 0);
	clear(&scripts[1]);
	assert_int_equal(rte_vdev_uninit("net_emunic1"), 0);
	unplug();
}

// The queue that a packet of flow i gets, which the representor at this port sends to the VF.
static uint16_t
queue_by(uint16_t rep, uint32_t i, bool tcp)
{
	struct rte_mbuf *m = packet(pools[0], false, tcp, 50);
	uint16_t queue;

	rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, 34)->src_port = rte_cpu_to_be_16(i);
	send_one(rep, m);
	emu_firmware_round(nic_of(rep));
	assert_int_equal(scripts[1].n_out, 1);
	queue = scripts[1].out[0]->hash.txadapter.txq;
	clear(&scripts[1]);
	return queue;
}

// A guest's packets get the same queues at the VF where it goes to; the next one at the VF that it
// leaves has the default, and what its new VF had before is forgotten.
static void
test_rss(void **state)
{
	const uint16_t some[] = {3, 1, 3}, other[] = {2};
	uint8_t key[RTE_PMD_EMUNIC_RSS_KEY], got[RTE_PMD_EMUNIC_RSS_KEY], def[sizeof(key)];
	uint16_t table[RTE_PMD_EMUNIC_RETA], udp[64];
	uint64_t types, all;

	plug_two();
	assert_int_equal(rte_pmd_emunic_vf_rss_get(TO, 0, &all, def), 0);
	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = 37 * i + 11;
	assert_int_equal(rte_pmd_emunic_vf_rss_set(FROM, 0, RTE_ETH_RSS_NONFRAG_IPV4_UDP, key), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(FROM, 0, some, 3), 0);
	assert_int_equal(rte_pmd_emunic_vf_rss_set(TO, 0, 0, NULL), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(TO, 0, other, 1), 0);
	for (uint32_t i = 0; i < RTE_DIM(udp); i++)
		udp[i] = queue_by(1, i, false);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", TO, "vf0"), 0);
	assert_null(vf_of(FROM)->backend);
	assert_ptr_equal(told_pool, nic_of(TO)->pool);
	for (uint32_t i = 0; i < RTE_DIM(udp); i++) {
		assert_int_equal(queue_by(TO + 1, i, false), udp[i]);
		assert_int_equal(queue_by(TO + 1, i, true), 0); // TCP is not spread
	}
	assert_int_equal(rte_pmd_emunic_vf_rss_get(TO, 0, &types, got), 0);
	assert_int_equal(types, RTE_ETH_RSS_NONFRAG_IPV4_UDP);
	assert_memory_equal(got, key, sizeof(key));
	assert_int_equal(rte_pmd_emunic_vf_reta_get(TO, 0, table), 3);
	assert_int_equal(rte_pmd_emunic_vf_rss_get(FROM, 0, &types, got), 0);
	assert_int_equal(types, all);
	assert_memory_equal(got, def, sizeof(def));
	assert_int_equal(rte_pmd_emunic_vf_reta_get(FROM, 0, table), 0);
	// And back, with nothing set any more.
	assert_int_equal(rte_pmd_emunic_backend_move(TO, "vf0", FROM, "vf0"), 0);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", TO, "vf0"), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_get(FROM, 0, table), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_get(TO, 0, table), 3);
	assert_int_equal(rte_pmd_emunic_backend_move(TO, "vf0", FROM, "vf0"), 0);
	unplug_two();
}

// What it counted stays with the side that it leaves.
static void
test_counts(void **state)
{
	plug_two();
	emu_side_ask(vf_of(FROM));
	assert_int_equal(vf_of(FROM)->told.tx_packets, 5);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", TO, "vf0"), 0);
	emu_side_ask(vf_of(FROM));
	emu_side_ask(vf_of(TO));
	assert_int_equal(vf_of(FROM)->told.tx_packets, 5);
	assert_int_equal(vf_of(TO)->told.tx_packets, 0);
	assert_int_equal(rte_pmd_emunic_backend_move(TO, "vf0", FROM, "vf0"), 0);
	emu_side_ask(vf_of(FROM));
	assert_int_equal(vf_of(FROM)->told.tx_packets, 5);
	unplug_two();
}

// What the host sends while nobody is there yet waits, and comes when the guest does.
static void
test_hold(void **state)
{
	plug_two();
	assert_int_equal(rte_pmd_emunic_side_hold(TO, "vf0", 1), 0);
	assert_true(is_up(TO + 1));
	send_one(TO + 1, packet(pools[0], false, false, 50));
	emu_firmware_round(nic_of(TO));
	assert_int_equal(scripts[1].n_out, 0);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", TO, "vf0"), 0);
	assert_false(is_up(1));
	emu_firmware_round(nic_of(TO));
	assert_int_equal(scripts[1].n_out, 1);
	clear(&scripts[1]);
	assert_int_equal(rte_pmd_emunic_backend_move(TO, "vf0", FROM, "vf0"), 0);
	unplug_two();
}

// Nothing changes where it cannot go.
static void
test_refused(void **state)
{
	plug_two();
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf1", TO, "vf0"), -EINVAL);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", TO, "vf7"), -EINVAL);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, NULL, TO, "vf0"), -EINVAL);
	assert_int_equal(rte_pmd_emunic_backend_move(9, "vf0", TO, "vf0"), -ENODEV);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", 9, "vf0"), -ENODEV);
	assert_int_equal(rte_pmd_emunic_backend_move(TO, "vf0", FROM, "vf0"), -ENOENT);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", TO, "wire"), -EBUSY);
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", FROM, "vf0"), -EBUSY);
	moving.move = NULL;
	assert_int_equal(rte_pmd_emunic_backend_move(FROM, "vf0", TO, "vf0"), -ENOTSUP);
	assert_ptr_equal(vf_of(FROM)->backend, &scripts[1].base);
	assert_null(vf_of(TO)->backend);
	unplug_two();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rss),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_refused),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
