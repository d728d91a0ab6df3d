// SPDX-License-Identifier: BSD-3-Clause
// Links of the emulated NIC: which ports are told when a side dies or is held, and what else a port
// configuration says of the link: speeds, and the MTU.
#include "emunic_nic.h"

#include <pthread.h>
#include <time.h>

#include <rte_alarm.h>

#include "rte_pmd_emunic.h"

// ethdevs, in the order in which they come; sides, in the order of the switch.
enum { PF, PF1, REP, PORTS };
enum { WIRE, VF, VF1, WIRE1, SIDES };
#define WAIT_S 10

static struct script side[SIDES];

// The events that were raised; EAL's interrupt thread writes, the test waits.
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	unsigned int n[PORTS];
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static int
on_link(uint16_t port, enum rte_eth_event_type type, void *arg, void *ret)
{
	assert_int_equal(type, RTE_ETH_EVENT_INTR_LSC);
	pthread_mutex_lock(&heard.lock);
	if (port < PORTS)
		heard.n[port]++;
	pthread_cond_broadcast(&heard.more);
	pthread_mutex_unlock(&heard.lock);
	return 0;
}

static void
open_port(uint16_t port)
{
	struct rte_eth_conf conf = {.intr_conf.lsc = 1};

	assert_int_equal(rte_eth_dev_configure(port, 1, 1, &conf), 0);
	assert_int_equal(rte_eth_rx_queue_setup(port, 0, 64, 0, NULL, pools[1]), 0);
	assert_int_equal(rte_eth_tx_queue_setup(port, 0, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
	assert_int_equal(
		rte_eth_dev_callback_register(port, RTE_ETH_EVENT_INTR_LSC, on_link, NULL), 0);
}

// Two wires and two VFs, the second of which nobody represents.
static void
plug_links(void)
{
	assert_int_equal(
		rte_vdev_init("net_emunic0", "ports=2,vfs=2,representor=pf0vf0,firmware=inline"),
		0);
	for (unsigned int i = 0; i < SIDES; i++) {
		memset(&side[i], 0, sizeof(side[i]));
		side[i].base.ops = &script_ops;
		side[i].accepts = RTE_DIM(side[i].out);
		nic()->sides[i].backend = &side[i].base;
	}
	memset(heard.n, 0, sizeof(heard.n));
	for (uint16_t port = PF; port < PORTS; port++)
		open_port(port);
}

static void
unplug_links(void)
{
	for (unsigned int i = 0; i < SIDES; i++)
		script_close(&side[i].base);
	for (uint16_t port = PF; port < PORTS; port++) {
		rte_eth_dev_callback_unregister(port, RTE_ETH_EVENT_INTR_LSC, on_link, NULL);
		rte_eth_dev_stop(port);
	}
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
}

static void
on_fence(void *arg)
{
	pthread_mutex_lock(&heard.lock);
	*(bool *)arg = true;
	pthread_cond_broadcast(&heard.more);
	pthread_mutex_unlock(&heard.lock);
}

// The firmware looks at the links, and the ports of `who` (a bit each) hear of it, one time each,
// and nobody else. EAL runs alarms one after the other in the order of their times, so behind ours
// no event is on its way.
static void
expect_told(unsigned int who)
{
	struct timespec until;
	bool passed = false;
	int rc = 0;

	emu_firmware_round(nic());
	assert_int_equal(rte_eal_alarm_set(100, on_fence, &passed), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&heard.lock);
	while (!passed && rc == 0)
		rc = pthread_cond_timedwait(&heard.more, &heard.lock, &until);
	assert_true(passed);
	for (uint16_t port = PF; port < PORTS; port++)
		assert_int_equal(heard.n[port], who >> port & 1);
	memset(heard.n, 0, sizeof(heard.n));
	pthread_mutex_unlock(&heard.lock);
}

#define TOLD(port) (1u << (port))

static void
die(unsigned int which, bool down)
{
	side[which].down = down;
	nic()->link_check_at = 0; // the firmware looks from time to time
}

// Each port hears of the side that it represents, and of no other.
static void
test_death(void **state)
{
	static const struct {
		unsigned int side;
		uint16_t port;
	} pairs[] = {{WIRE, PF}, {WIRE1, PF1}, {VF, REP}};
	char why[256];

	plug_links();
	expect_told(0);
	for (unsigned int i = 0; i < RTE_DIM(pairs); i++) {
		die(pairs[i].side, true);
		expect_told(TOLD(pairs[i].port));
		for (uint16_t port = PF; port < PORTS; port++)
			assert_int_equal(is_up(port), port != pairs[i].port);
		die(pairs[i].side, true);
		expect_told(0); // once
		die(pairs[i].side, false);
		expect_told(TOLD(pairs[i].port));
		assert_true(is_up(pairs[i].port));
	}
	die(VF1, true); // nobody represents it
	expect_told(0);
	assert_int_equal(rte_pmd_emunic_set(PF, "link_down=wire1+vf0", why, sizeof(why)), 0);
	expect_told(TOLD(PF1) | TOLD(REP));
	assert_int_equal(rte_pmd_emunic_set(PF, "link_down=none", why, sizeof(why)), 0);
	expect_told(TOLD(PF1) | TOLD(REP));
	unplug_links();
}

// A side that is held is up whatever becomes of what is behind it; it is told when that shows.
static void
test_hold(void **state)
{
	plug_links();
	assert_int_equal(rte_pmd_emunic_side_hold(PF, "vf0", 1), 0);
	expect_told(0);
	die(VF, true);
	expect_told(0);
	assert_true(is_up(REP));
	assert_int_equal(rte_pmd_emunic_side_hold(PF, "vf0", 0), 0);
	assert_false(is_up(REP));
	expect_told(TOLD(REP));
	assert_int_equal(rte_pmd_emunic_side_hold(PF, "vf0", 1), 0); // a dead one waits for another
	expect_told(TOLD(REP));
	assert_true(is_up(REP));
	die(VF, false);
	expect_told(0);
	assert_int_equal(rte_pmd_emunic_side_hold(PF, "vf0", 0), 0);
	expect_told(0);
	assert_true(is_up(REP));
	// Down by its administrator, or up.
	assert_int_equal(rte_eth_dev_set_link_down(PF1), 0);
	expect_told(TOLD(PF1));
	assert_int_equal(rte_eth_dev_set_link_up(PF1), 0);
	expect_told(TOLD(PF1));
	// Of two that die, the one that is held says nothing.
	assert_int_equal(rte_pmd_emunic_side_hold(PF, "wire", 1), 0);
	die(WIRE, true);
	die(WIRE1, true);
	expect_told(TOLD(PF1));
	assert_int_equal(rte_pmd_emunic_side_hold(PF, "wire", 0), 0);
	expect_told(TOLD(PF));
	unplug_links();
}

static void
test_speeds(void **state)
{
	static const uint32_t good[] = {RTE_ETH_LINK_SPEED_AUTONEG, RTE_ETH_LINK_SPEED_100G,
		RTE_ETH_LINK_SPEED_100G | RTE_ETH_LINK_SPEED_FIXED,
		RTE_ETH_LINK_SPEED_100G | RTE_ETH_LINK_SPEED_10G};
	static const uint32_t bad[] = {RTE_ETH_LINK_SPEED_FIXED, RTE_ETH_LINK_SPEED_10G,
		RTE_ETH_LINK_SPEED_25G | RTE_ETH_LINK_SPEED_FIXED,
		RTE_ETH_LINK_SPEED_1G | RTE_ETH_LINK_SPEED_10G, RTE_ETH_LINK_SPEED_200G};
	struct rte_eth_dev_info info;

	assert_int_equal(rte_vdev_init("net_emunic0", "firmware=inline"), 0);
	assert_int_equal(rte_eth_dev_info_get(PF, &info), 0);
	assert_int_equal(info.speed_capa, RTE_ETH_LINK_SPEED_100G);
	for (unsigned int i = 0; i < RTE_DIM(good); i++) {
		struct rte_eth_conf conf = {.link_speeds = good[i]};

		assert_int_equal(rte_eth_dev_configure(PF, 1, 1, &conf), 0);
	}
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		struct rte_eth_conf conf = {.link_speeds = bad[i]};

		assert_int_equal(rte_eth_dev_configure(PF, 1, 1, &conf), -EINVAL);
	}
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
}

// Whether a frame of so many bytes is too long for the side that it enters by.
static bool
too_long(unsigned int which, uint16_t bytes)
{
	uint64_t before = xstat("nic_drop_mtu");
	struct rte_mbuf *m = rte_pktmbuf_alloc(nic()->pool);

	memset(rte_pktmbuf_append(m, bytes), 0, bytes);
	side[which].in[side[which].n_in++] = m;
	emu_firmware_round(nic());
	return xstat("nic_drop_mtu") == before + 1;
}

// The MTU of a port is that of the side that it represents; a VF that nobody represents has that
// of the first PF.
static void
test_mtu(void **state)
{
	plug_links();
	for (unsigned int i = 0; i < SIDES; i++) {
		assert_false(too_long(i, RTE_ETHER_MTU));
		assert_true(too_long(i, 1900));
	}
	assert_int_equal(rte_eth_dev_set_mtu(PF, 1800), 0);
	assert_false(too_long(WIRE, 1810));
	assert_false(too_long(VF1, 1810));
	assert_true(too_long(VF1, 1900));
	assert_true(too_long(VF, 1810));
	assert_true(too_long(WIRE1, 1810));
	assert_int_equal(rte_eth_dev_set_mtu(REP, 1900), 0);
	assert_false(too_long(VF, 1910));
	assert_true(too_long(VF1, 1910));
	assert_int_equal(rte_eth_dev_set_mtu(PF1, 1900), 0);
	assert_false(too_long(WIRE1, 1910));
	assert_true(too_long(VF1, 1910));
	assert_int_equal(rte_eth_dev_set_mtu(PF, 1000), 0);
	assert_true(too_long(VF1, 1100));
	unplug_links();
}

static uint16_t
mtu_of(const char *name)
{
	uint16_t port, mtu;

	assert_int_equal(rte_eth_dev_get_port_by_name(name, &port), 0);
	assert_int_equal(rte_eth_dev_get_mtu(port, &mtu), 0);
	return mtu;
}

// A device that is plugged in hears of the MTU, by configuration or later: behind the wire, and
// behind a VF that follows.
static void
test_mtu_behind(void **state)
{
	char why[256];

	assert_int_equal(rte_vdev_init("net_emunic0", "vfs=1,firmware=inline"), 0);
	assert_int_equal(rte_vdev_init("net_emunic1", "firmware=inline"), 0);
	assert_int_equal(rte_vdev_init("net_emunic2", "firmware=inline"), 0);
	assert_int_equal(
		emu_nic_set_backend(nic(), &nic()->sides[WIRE], "[ethdev,net_emunic1]", why, 256),
		0);
	assert_int_equal(
		emu_nic_set_backend(nic(), &nic()->sides[VF], "[ethdev,net_emunic2]", why, 256), 0);
	for (uint16_t mtu = 2500; mtu >= 1500; mtu -= 1000) {
		struct rte_eth_conf conf = {.rxmode.mtu = mtu};

		assert_int_equal(rte_eth_dev_configure(PF, 1, 1, &conf), 0);
		assert_int_equal(nic()->sides[WIRE].mtu, mtu);
		assert_int_equal(mtu_of("net_emunic1"), mtu);
		assert_int_equal(mtu_of("net_emunic2"), mtu);
	}
	for (uint16_t mtu = 1000; mtu <= 3000; mtu += 1000) {
		assert_int_equal(rte_eth_dev_set_mtu(PF, mtu), 0);
		assert_int_equal(mtu_of("net_emunic1"), mtu);
		assert_int_equal(mtu_of("net_emunic2"), mtu);
	}
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic1"), 0);
	assert_int_equal(rte_vdev_uninit("net_emunic2"), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_speeds),
		cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_mtu_behind),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
