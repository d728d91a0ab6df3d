// SPDX-License-Identifier: BSD-3-Clause
// A VF with several receive queues, by RSS and by rule, and its mailbox to the PF.
#include "emunic_nic.h"

#include <time.h>
#include <unistd.h>

#include "rte_pmd_emunic.h"

#define WAIT_MS 20000

// A packet of flow i.
static struct rte_mbuf *
flow_packet(uint32_t i, bool tcp)
{
	struct rte_mbuf *m = packet(pools[0], false, tcp, 50);

	rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, 34)->src_port = rte_cpu_to_be_16(i);
	return m;
}

// Sends one packet to VF 0 by its representor, and returns the queue that it got.
static uint16_t
queue_of(uint32_t i, bool tcp)
{
	uint16_t queue;

	send_one(1, flow_packet(i, tcp));
	emu_firmware_round(nic()); // a burst lets it be while the interrupt thread is in the NIC
	assert_int_equal(scripts[1].n_out, 1);
	queue = scripts[1].out[0]->hash.txadapter.txq;
	clear(&scripts[1]);
	return queue;
}

static void
test_rss(void **state)
{
	const uint16_t some[] = {1, 1, 1, 3};
	unsigned int hits[4] = {0}, weighted[4] = {0};

	plug(0);
	scripts[1].queues = 4;
	for (uint32_t i = 0; i < 400; i++) {
		uint16_t queue = queue_of(i, false);

		assert_in_range(queue, 0, 3);
		hits[queue]++;
		assert_int_equal(queue_of(i, false), queue); // a flow stays
	}
	for (unsigned int q = 0; q < 4; q++)
		assert_in_range(hits[q], 50, 150);
	assert_int_equal(xstat("vf0_rx_q2_packets"), 2 * hits[2]);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(0, 0, some, 4), 0);
	for (uint32_t i = 0; i < 400; i++)
		weighted[queue_of(i, false)]++;
	assert_int_equal(weighted[0] + weighted[2], 0);
	assert_true(weighted[1] > 2 * weighted[3] && weighted[3] > 50);
	// A guest that takes queues away gets all in those that are left.
	scripts[1].queues = 2;
	for (uint32_t i = 0; i < 50; i++)
		assert_in_range(queue_of(i, false), 0, 1);
	scripts[1].queues = 0;
	assert_int_equal(queue_of(7, false), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(0, 0, NULL, 0), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(0, 1, some, 4), -EINVAL);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(0, 0, (uint16_t[]){128}, 1), -EINVAL);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(9, 0, some, 4), -ENODEV);
	unplug();
}

static struct rte_flow *
steer(enum rte_flow_action_type type, uint16_t to, uint16_t queue, struct rte_flow_error *error)
{
	const struct rte_flow_attr attr = {.transfer = 1};
	const struct rte_flow_item_ethdev from = {.port_id = 1};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR, .spec = &from},
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_TCP},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action_ethdev port = {.port_id = to};
	const struct rte_flow_action_queue conf = {.index = queue};
	const struct rte_flow_action actions[] = {
		{.type = type, .conf = &port},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &conf},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return rte_flow_create(1, &attr, pattern, actions, error);
}

// A rule says which queue of the VF; what it does not match is spread, and so is what it sends to a
// queue that the guest has not.
static void
test_rule(void **state)
{
	struct rte_flow_error error;
	struct rte_flow *rule;
	unsigned int other = 0;

	plug(0);
	scripts[1].queues = 4;
	rule = steer(RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, 1, 3, &error);
	assert_non_null(rule);
	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(queue_of(i, true), 3);
		other += queue_of(i, false) != 3;
	}
	assert_true(other > 10);
	scripts[1].queues = 2;
	for (uint32_t i = 0; i < 40; i++)
		assert_in_range(queue_of(i, true), 0, 1);
	assert_int_equal(rte_flow_destroy(1, rule, &error), 0);
	// The wire has no such queues, a host port is an ethdev with its own rules.
	assert_null(steer(RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, 0, 1, &error));
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ACTION);
	assert_null(steer(RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, 1, 1, &error));
	assert_null(steer(RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, 1, 128, &error));
	assert_int_equal(error.type, RTE_FLOW_ERROR_TYPE_ACTION_CONF);
	unplug();
}

// What the callback saw.
struct seen {
	unsigned int n; // last written
	struct rte_pmd_emunic_mbox_event last;
};

static int
on_mail(uint16_t port, enum rte_eth_event_type type, void *arg, void *param)
{
	struct rte_pmd_emunic_mbox_event *event = param;
	struct seen *seen = arg;

	assert_int_equal(port, 0);
	seen->last = *event;
	event->answer = event->type == 9 ? -EPERM : 0;
	__atomic_add_fetch(&seen->n, 1, __ATOMIC_RELEASE);
	return 0;
}

// A frame of len bytes of data, of which it has all but short_by.
static struct rte_mbuf *
mail(uint8_t type, uint32_t id, uint16_t len, uint16_t short_by, uint32_t magic)
{
	const struct rte_pmd_emunic_mbox_frame f = {
		.dst = {1},
		.src = {2, 0, 0, 0, 0, 7},
		.ethertype = RTE_BE16(RTE_PMD_EMUNIC_MBOX_ETHERTYPE),
		.magic = rte_cpu_to_be_32(magic),
		.version = RTE_PMD_EMUNIC_MBOX_VERSION,
		.type = type,
		.len = rte_cpu_to_be_16(len),
		.id = rte_cpu_to_be_32(id),
	};
	struct rte_mbuf *m = rte_pktmbuf_alloc(nic()->pool);
	uint8_t *d;

	memcpy(rte_pktmbuf_append(m, sizeof(f)), &f, sizeof(f));
	d = (uint8_t *)rte_pktmbuf_append(m, len - short_by);
	for (int i = 0; i < len - short_by; i++)
		d[i] = i + 1;
	return m;
}

static void
post(struct rte_mbuf *m)
{
	struct rte_mbuf *got[4];

	scripts[1].in[scripts[1].n_in++] = m;
	// The firmware does nothing in a burst while an answer is on its way.
	while (scripts[1].n_in > 0)
		assert_int_equal(receive(1, got, 4), 0); // it reaches no port
}

static void
wait_answers(unsigned int n)
{
	for (int i = 0; i < WAIT_MS && xstat("nic_originated_mailbox") < n; i++)
		usleep(1000);
	assert_int_equal(xstat("nic_originated_mailbox"), n);
}

static void
assert_answer(unsigned int i, uint8_t type, uint32_t id, uint16_t result)
{
	const struct rte_pmd_emunic_mbox_frame *f =
		rte_pktmbuf_mtod(scripts[1].out[i], const struct rte_pmd_emunic_mbox_frame *);

	assert_int_equal(scripts[1].out[i]->pkt_len, 60);
	assert_int_equal(f->ethertype, RTE_BE16(RTE_PMD_EMUNIC_MBOX_ETHERTYPE));
	assert_int_equal(f->type, type | RTE_PMD_EMUNIC_MBOX_ANSWER);
	assert_int_equal(rte_be_to_cpu_32(f->id), id);
	assert_int_equal(rte_be_to_cpu_16(f->result), result);
	assert_int_equal(f->dst[5], 7);
}

static void
test_mailbox(void **state)
{
	const uint32_t magic = RTE_PMD_EMUNIC_MBOX_MAGIC;
	struct seen seen = {0};

	plug(0);
	post(mail(3, 77, 4, 0, magic)); // nobody listens
	wait_answers(1);
	assert_answer(0, 3, 77, ENOTSUP);
	clear(&scripts[1]);
	assert_int_equal(
		rte_eth_dev_callback_register(0, RTE_ETH_EVENT_VF_MBOX, on_mail, &seen), 0);
	post(mail(5, 0xfeedf00d, 64, 0, magic));
	wait_answers(2);
	assert_int_equal(__atomic_load_n(&seen.n, __ATOMIC_ACQUIRE), 1);
	assert_int_equal(seen.last.vf, 0);
	assert_int_equal(seen.last.type, 5);
	assert_int_equal(seen.last.id, 0xfeedf00d);
	assert_int_equal(seen.last.len, 64);
	assert_int_equal(seen.last.data[63], 64);
	assert_answer(0, 5, 0xfeedf00d, 0);
	post(mail(9, 1, 0, 0, magic));
	wait_answers(3);
	assert_answer(1, 9, 1, EPERM);
	clear(&scripts[1]);
	assert_int_equal(xstat("nic_consumed_mailbox"), 3);
	assert_int_equal(xstat("vf0_mbox_messages"), 3);
	assert_int_equal(rte_pmd_emunic_set(0, "mbox_rate=0", (char[512]){0}, 512), 0);
	// No message: too long, cut short, with another magic, an answer, a header only in part.
	post(mail(5, 1, 65, 0, magic));
	post(mail(5, 1, 10, 1, magic));
	post(mail(5, 1, 10, 0, magic + 1));
	post(mail(5 | RTE_PMD_EMUNIC_MBOX_ANSWER, 1, 10, 0, magic));
	{
		struct rte_mbuf *m = mail(5, 1, 0, 0, magic);

		rte_pktmbuf_trim(m, 14);
		post(m);
	}
	assert_int_equal(xstat("nic_drop_mbox_malformed"), 5);
	assert_int_equal(xstat("nic_consumed_mailbox"), 3);
	balance();
	assert_int_equal(
		rte_eth_dev_callback_unregister(0, RTE_ETH_EVENT_VF_MBOX, on_mail, &seen), 0);
	unplug();
}

// A message with data of its own, posted; its answer is the n-th, and is returned.
static const struct rte_pmd_emunic_mbox_frame *
ask_nic(unsigned int n, uint8_t type, const void *data, uint16_t len)
{
	struct rte_mbuf *m = mail(type, n, len, 0, RTE_PMD_EMUNIC_MBOX_MAGIC);

	memcpy(rte_pktmbuf_mtod_offset(m, void *, sizeof(struct rte_pmd_emunic_mbox_frame)), data,
		len);
	clear(&scripts[1]);
	post(m);
	wait_answers(n);
	assert_int_equal(scripts[1].n_out, 1);
	assert_true(scripts[1].out[0]->pkt_len >= 60);
	return rte_pktmbuf_mtod(scripts[1].out[0], const void *);
}

static uint16_t
result(unsigned int n, uint8_t type, const void *data, uint16_t len)
{
	const struct rte_pmd_emunic_mbox_frame *f = ask_nic(n, type, data, len);
	uint16_t r = rte_be_to_cpu_16(f->result);

	assert_int_equal(f->type, type | RTE_PMD_EMUNIC_MBOX_ANSWER);
	assert_int_equal(rte_be_to_cpu_32(f->id), n);
	clear(&scripts[1]);
	return r;
}

// The VF's own driver sets types, key and table; the PF hears nothing of it.
static void
test_own_rss(void **state)
{
	struct rte_pmd_emunic_vf_queue queues[8];
	struct {
		uint64_t types;
		uint8_t key[RTE_PMD_EMUNIC_RSS_KEY];
		uint8_t more;
	} rss = {0}, got = {0};
	const uint8_t two[] = {2, 2, 2}, far[] = {1, 200};
	const struct rte_pmd_emunic_mbox_frame *f;
	struct rte_eth_dev_info info;
	uint64_t types;
	uint8_t key[RTE_PMD_EMUNIC_RSS_KEY];
	struct seen seen = {0};
	uint16_t before[64], table[RTE_PMD_EMUNIC_RETA];
	unsigned int n = 0, other = 0;

	plug(0);
	assert_int_equal(rte_pmd_emunic_set(0, "mbox_rate=0", (char[512]){0}, 512), 0);
	assert_int_equal(
		rte_eth_dev_callback_register(0, RTE_ETH_EVENT_VF_MBOX, on_mail, &seen), 0);
	scripts[1].queues = 4;
	for (uint32_t i = 0; i < 64; i++)
		before[i] = queue_of(i, false);
	// Another key spreads otherwise, and the guest reads what it wrote.
	assert_int_equal(rte_eth_dev_info_get(0, &info), 0);
	rss.types = rte_cpu_to_be_64(info.flow_type_rss_offloads);
	for (unsigned int i = 0; i < sizeof(rss.key); i++)
		rss.key[i] = 37 * i + 11;
	assert_int_equal(result(++n, RTE_PMD_EMUNIC_MBOX_RSS_SET, &rss, 48), 0);
	for (uint32_t i = 0; i < 64; i++)
		other += queue_of(i, false) != before[i];
	assert_true(other > 20);
	f = ask_nic(++n, RTE_PMD_EMUNIC_MBOX_RSS_GET, "", 0);
	assert_int_equal(rte_be_to_cpu_16(f->result), 0);
	assert_int_equal(rte_be_to_cpu_16(f->len), 48);
	memcpy(&got, f + 1, 48);
	assert_memory_equal(&got, &rss, 48);
	clear(&scripts[1]);
	// Types alone: UDP is spread, TCP is not. The key stays.
	rss.types = rte_cpu_to_be_64(RTE_ETH_RSS_NONFRAG_IPV4_UDP);
	assert_int_equal(result(++n, RTE_PMD_EMUNIC_MBOX_RSS_SET, &rss, 8), 0);
	other = 0;
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(queue_of(i, true), 0);
		other += queue_of(i, false) != 0;
	}
	assert_true(other > 20);
	assert_int_equal(rte_pmd_emunic_vf_rss_get(0, 0, &types, key), 0);
	assert_int_equal(types, RTE_ETH_RSS_NONFRAG_IPV4_UDP);
	assert_memory_equal(key, rss.key, sizeof(key));
	assert_int_equal(result(++n, RTE_PMD_EMUNIC_MBOX_RETA_SET, two, sizeof(two)), 0);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(queue_of(i, false), 2);
	assert_int_equal(rte_pmd_emunic_vf_reta_get(0, 0, table), 3);
	assert_int_equal(table[2], 2);
	assert_int_equal(rte_pmd_emunic_vf_queues(0, 0, queues, 2), 4);
	assert_int_equal(rte_pmd_emunic_vf_queues(0, 0, queues, RTE_DIM(queues)), 4);
	assert_true(queues[2].rss == 1 && queues[2].packets >= 64);
	assert_int_equal(queues[0].rss + queues[1].rss + queues[3].rss, 0);
	assert_int_equal(rte_pmd_emunic_vf_queues(0, 1, queues, 1), -EINVAL);
	f = ask_nic(++n, RTE_PMD_EMUNIC_MBOX_RETA_GET, "", 0);
	assert_int_equal(rte_be_to_cpu_16(f->result), 0);
	assert_int_equal(rte_be_to_cpu_16(f->len), sizeof(two));
	assert_memory_equal(f + 1, two, sizeof(two));
	clear(&scripts[1]);
	// What is wrong changes nothing.
	assert_int_equal(result(++n, RTE_PMD_EMUNIC_MBOX_RETA_SET, far, sizeof(far)), EINVAL);
	for (uint16_t len = 0; len <= 49; len++)
		if (len != 8 && len != 48)
			assert_int_equal(
				result(++n, RTE_PMD_EMUNIC_MBOX_RSS_SET, &rss, len), EINVAL);
	rss.types = UINT64_MAX;
	assert_int_equal(result(++n, RTE_PMD_EMUNIC_MBOX_RSS_SET, &rss, 48), EINVAL);
	assert_int_equal(result(++n, 0x7f, "", 0), ENOTSUP);
	assert_int_equal(queue_of(1, false), 2);
	assert_int_equal(rte_pmd_emunic_vf_rss_get(0, 0, &types, key), 0);
	assert_int_equal(types, RTE_ETH_RSS_NONFRAG_IPV4_UDP);
	assert_int_equal(result(++n, RTE_PMD_EMUNIC_MBOX_RETA_SET, "", 0), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_get(0, 0, table), 0);
	assert_int_equal(rte_pmd_emunic_vf_reta_get(0, 1, table), -EINVAL);
	for (unsigned int i = 0; i < RTE_DIM(table); i++)
		table[i] = i % 4;
	assert_int_equal(rte_pmd_emunic_vf_reta_set(0, 0, table, RTE_DIM(table)), 0);
	assert_int_equal(result(++n, RTE_PMD_EMUNIC_MBOX_RETA_GET, "", 0), E2BIG);
	assert_int_equal(rte_pmd_emunic_vf_reta_set(0, 0, NULL, 0), 0);
	// As the host may do, too.
	assert_int_equal(rte_pmd_emunic_vf_rss_set(0, 0, 0, NULL), 0);
	assert_int_equal(queue_of(1, false), 0);
	assert_int_equal(rte_pmd_emunic_vf_rss_set(0, 1, 0, NULL), -EINVAL);
	assert_int_equal(rte_pmd_emunic_vf_rss_set(0, 0, UINT64_MAX, NULL), -EINVAL);
	assert_int_equal(rte_pmd_emunic_vf_rss_get(9, 0, &types, key), -ENODEV);
	assert_int_equal(__atomic_load_n(&seen.n, __ATOMIC_ACQUIRE), 0);
	balance();
	assert_int_equal(
		rte_eth_dev_callback_unregister(0, RTE_ETH_EVENT_VF_MBOX, on_mail, &seen), 0);
	unplug();
}

// A guest that floods the mailbox has its burst, and loses the rest by name.
static void
test_mailbox_flood(void **state)
{
	uint64_t lost, taken;

	plug(0);
	assert_int_equal(rte_pmd_emunic_set(0, "mbox_rate=1", (char[512]){0}, 512), 0);
	for (unsigned int i = 0; i < 500; i++)
		post(mail(1, i, 8, 0, RTE_PMD_EMUNIC_MBOX_MAGIC));
	lost = xstat("nic_drop_mbox_flood");
	taken = xstat("nic_consumed_mailbox");
	assert_int_equal(lost + taken, 500);
	assert_in_range(taken, 1, 8 + 60); // a second more for each message more
	wait_answers(taken);
	clear(&scripts[1]);
	// Pulled out with messages waiting.
	post(mail(1, 1, 8, 0, RTE_PMD_EMUNIC_MBOX_MAGIC));
	for (unsigned int i = 0; i < 2; i++)
		rte_eth_dev_stop(i);
	balance();
	assert_int_equal(rte_vdev_uninit("net_emunic0"), 0);
	for (unsigned int i = 0; i < RTE_DIM(pools); i++)
		assert_int_equal(rte_mempool_in_use_count(pools[i]), 0);
}

// The host's own frames of that type are none of the mailbox's business.
static void
test_host_frames_pass(void **state)
{
	struct rte_mbuf *m, *got[4];

	plug(0);
	m = mail(1, 1, 8, 0, RTE_PMD_EMUNIC_MBOX_MAGIC);
	send_one(1, m);
	assert_int_equal(scripts[1].n_out, 1);
	scripts[0].in[scripts[0].n_in++] = mail(1, 1, 8, 0, RTE_PMD_EMUNIC_MBOX_MAGIC);
	assert_int_equal(receive(0, got, 4), 1); // from the wire
	rte_pktmbuf_free(got[0]);
	assert_int_equal(xstat("nic_consumed_mailbox"), 0);
	unplug();
}

static void
set(const char *text)
{
	char why[1024] = "";

	if (rte_pmd_emunic_set(0, text, why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
}

// Queues of the VF that stand still: nothing is given to one, nothing is taken from another.
static void
test_stalls(void **state)
{
	struct rte_flow_error error;
	char why[1024];

	plug(0);
	scripts[1].queues = 4;
	assert_non_null(steer(RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, 1, 3, &error));
	set("stall=vf0.rx3");
	send_one(1, flow_packet(1, true));
	emu_firmware_round(nic());
	assert_int_equal(scripts[1].n_out, 0);
	assert_int_equal(xstat("nic_drop_vf_queue_stalled"), 1);
	for (uint32_t i = 0; i < 40; i++)
		send_one(1, flow_packet(i, false));
	emu_firmware_round(nic());
	assert_int_equal(xstat("nic_drop_vf_queue_stalled") + xstat("nic_sent_vf"), 41);
	for (unsigned int i = 0; i < scripts[1].n_out; i++)
		assert_in_range(scripts[1].out[i]->hash.txadapter.txq, 0, 2);
	clear(&scripts[1]);
	set("stall=vf0.rx0+vf0.tx0+rep0.rx0");
	assert_int_equal(queue_of(1, true), 3);
	// A backend of one queue is not asked at all, also one that comes later.
	assert_int_equal(
		rte_pmd_emunic_backend_swap(0, "vf0", "[generator,flows=1,pps=0,count=5]"), 0);
	emu_firmware_round(nic());
	assert_int_equal(xstat("nic_received_vf"), 0);
	set("stall=none");
	emu_firmware_round(nic());
	assert_int_equal(xstat("nic_received_vf"), 5);
	assert_int_equal(rte_pmd_emunic_backend_swap(0, "vf0", NULL), 0);
	assert_int_equal(rte_pmd_emunic_set(0, "stall=vf1.rx0", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "stall: the NIC has 1 VFs, so no vf1");
	assert_int_equal(rte_pmd_emunic_set(0, "stall=vf0.rx128", why, sizeof(why)), -EINVAL);
	assert_string_equal(
		why, "stall: 'vf0.rx128' is not a queue, as in pf.rx0+rep1.tx0+vf0.rx1");
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rss),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_own_rss),
		cmocka_unit_test(test_mailbox_flood),
		cmocka_unit_test(test_host_frames_pass),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
