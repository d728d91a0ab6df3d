// SPDX-License-Identifier: BSD-3-Clause
// Misses that go through the VM: what the NIC makes of them, and the judgement of what comes back.
#include "emunic_nic.h"

#include "rte_pmd_emunic.h"
#include "rte_pmd_emunic_miss.h"

#define MAX 2048
#define HEAD RTE_PMD_EMUNIC_MISS_HEAD
#define TAG RTE_PMD_EMUNIC_MISS_TAG

static struct rte_pmd_emunic_vf_miss conf = {.way = RTE_PMD_EMUNIC_MISS_TO_VM,
	.key_id = 3,
	.group = 5,
	.key = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void
set(void)
{
	char why[256] = "";

	if (rte_pmd_emunic_vf_miss_set(1, 0, &conf, why, sizeof(why)) != 0)
		fail_msg("%s", why);
}

// A frame as the guest has it.
struct frame {
	uint8_t bytes[MAX];
	size_t len;
};

static int
open_as(const struct frame *f, const uint8_t *key, uint16_t vf,
	struct rte_pmd_emunic_miss_window *w, struct rte_pmd_emunic_miss *out)
{
	const struct iovec whole = {(void *)(uintptr_t)f->bytes, f->len};

	return rte_pmd_emunic_miss_open(key, vf, &whole, 1, w, out);
}

static int
judge(const struct frame *f)
{
	struct rte_pmd_emunic_miss_window w = {0};
	struct rte_pmd_emunic_miss out;

	return open_as(f, conf.key, 0, &w, &out);
}

static void
copy_out(struct rte_mbuf *m, struct frame *f)
{
	f->len = rte_pktmbuf_pkt_len(m);
	assert_true(f->len <= MAX);
	assert_true(emu_get(m, 0, f->bytes, f->len));
}

// The i-th frame that the VF was given.
static struct frame
given(unsigned int i)
{
	struct frame f;

	assert_true(i < scripts[1].n_out);
	copy_out(scripts[1].out[i], &f);
	return f;
}

// A packet enters at a side; what it is, to compare.
static struct frame
enter(unsigned int side, struct rte_mbuf *m)
{
	struct frame f = {.len = 0};

	if (rte_pktmbuf_pkt_len(m) <= MAX)
		copy_out(m, &f);
	scripts[side].in[scripts[side].n_in++] = m;
	emu_firmware_inline(nic());
	return f;
}

static void
assert_stripped(struct frame *tagged, const struct frame *orig)
{
	uint8_t *at = rte_pmd_emunic_miss_strip(tagged->bytes);

	assert_int_equal(tagged->len - TAG, orig->len);
	assert_memory_equal(at, orig->bytes, orig->len);
}

static struct rte_flow *
jump(const struct rte_flow_item *port_item, uint32_t group)
{
	const struct rte_flow_attr attr = {.transfer = 1};
	const struct rte_flow_item pattern[] = {*port_item, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action_jump to = {.group = group};
	const struct rte_flow_action actions[] = {{.type = RTE_FLOW_ACTION_TYPE_JUMP, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_error error;
	struct rte_flow *rule = rte_flow_create(0, &attr, pattern, actions, &error);

	assert_non_null(rule);
	return rule;
}

// The published vectors of SipHash-2-4: key 00 .. 0f, data 00 01 02 ..
static void
test_hash(void **state)
{
	static const struct {
		unsigned int len;
		uint64_t hash;
	} known[] = {
		{0, UINT64_C(0x726fdb47dd0e0e31)},
		{1, UINT64_C(0x74f839c593dc67fd)},
		{8, UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)},
		{63, UINT64_C(0x958a324ceb064572)},
	};
	struct rte_pmd_emunic_sip s;
	uint8_t key[16], data[64];

	for (unsigned int i = 0; i < 64; i++) {
		data[i] = i;
		key[i % 16] = i % 16;
	}
	for (unsigned int i = 0; i < RTE_DIM(known); i++) {
		rte_pmd_emunic_sip_init(&s, key);
		rte_pmd_emunic_sip_update(&s, data, known[i].len);
		assert_true(rte_pmd_emunic_sip_end(&s) == known[i].hash);
		rte_pmd_emunic_sip_init(&s, key);
		for (unsigned int k = 0; k < known[i].len; k++)
			rte_pmd_emunic_sip_update(&s, &data[k], 1);
		assert_true(rte_pmd_emunic_sip_end(&s) == known[i].hash);
	}
}

// From the VF, and from the wire by the VF's own group; else as ever.
static void
test_real_path(void **state)
{
	const struct rte_flow_item_ethdev pf = {.port_id = 0};
	const struct rte_flow_item wire = {
		.type = RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, .spec = &pf};
	struct rte_pmd_emunic_miss_window w = {0};
	struct rte_pmd_emunic_miss m = {0};
	struct rte_flow_error error;
	struct rte_mbuf *got[8];
	struct rte_flow *rule;
	struct frame orig, f;

	plug(0);
	enter(1, packet(pools[0], false, false, 50)); // as ever: to the representor
	assert_int_equal(scripts[1].n_out, 0);
	assert_int_equal(receive(1, got, 8), 1);
	rte_pktmbuf_free(got[0]);
	set();
	orig = enter(1, packet(pools[0], false, false, 50));
	f = given(0);
	assert_int_equal(open_as(&f, conf.key, 0, &w, &m), 0);
	assert_int_equal(m.origin, 1);
	assert_int_equal(m.vf, 0);
	assert_int_equal(m.key_id, 3);
	assert_int_equal(m.number, 1);
	assert_int_equal(m.len, orig.len);
	assert_stripped(&f, &orig);
	assert_int_equal(receive(1, got, 8), 0);
	// From the wire: to the PF, unless it missed in the VF's group.
	enter(0, packet(pools[0], false, false, 50));
	assert_int_equal(scripts[1].n_out, 1);
	assert_int_equal(receive(0, got, 8), 1);
	rte_pktmbuf_free(got[0]);
	rule = jump(&wire, 5);
	orig = enter(0, packet(pools[0], true, true, 1000));
	f = given(1);
	assert_int_equal(open_as(&f, conf.key, 0, &w, &m), 0);
	assert_int_equal(m.origin, 0);
	assert_int_equal(m.number, 2);
	assert_stripped(&f, &orig);
	assert_int_equal(rte_flow_destroy(0, rule, &error), 0);
	rule = jump(&wire, 6); // that of nobody
	enter(0, packet(pools[0], false, false, 50));
	assert_int_equal(scripts[1].n_out, 2);
	assert_int_equal(receive(0, got, 8), 1);
	rte_pktmbuf_free(got[0]);
	assert_int_equal(rte_flow_destroy(0, rule, &error), 0);
	// What the host sends to the VF is no miss.
	send_one(1, packet(pools[0], false, false, 50));
	f = given(2);
	assert_int_equal(judge(&f), -ENOMSG);
	assert_int_equal(xstat("vf0_rx_tagged_misses"), 2);
	// A guest that is not there passes nothing on.
	scripts[1].down = true;
	enter(1, packet(pools[0], false, false, 50));
	assert_int_equal(receive(1, got, 8), 1);
	rte_pktmbuf_free(got[0]);
	scripts[1].down = false;
	// And back.
	conf.way = RTE_PMD_EMUNIC_MISS_TO_REPRESENTOR;
	set();
	conf.way = RTE_PMD_EMUNIC_MISS_TO_VM;
	enter(1, packet(pools[0], false, false, 50));
	assert_int_equal(scripts[1].n_out, 3);
	assert_int_equal(receive(1, got, 8), 1);
	rte_pktmbuf_free(got[0]);
	unplug();
}

// A rule decides: no miss. A tagged frame that comes back from the VF is dropped by name.
static void
test_once(void **state)
{
	const struct rte_flow_attr attr = {.transfer = 1};
	const struct rte_flow_item_ethdev rep = {.port_id = 1}, pf = {.port_id = 0};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, .spec = &rep},
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &pf},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_error error;
	struct rte_mbuf *back;

	plug(0);
	set();
	assert_non_null(rte_flow_create(0, &attr, pattern, actions, &error));
	enter(1, packet(pools[0], false, false, 50));
	assert_int_equal(scripts[0].n_out, 1);
	assert_int_equal(scripts[1].n_out, 0);
	enter(1, packet(pools[0], true, false, 50));
	assert_int_equal(scripts[1].n_out, 1);
	back = rte_pktmbuf_copy(scripts[1].out[0], pools[0], 0, UINT32_MAX);
	assert_non_null(back);
	enter(1, back);
	assert_int_equal(scripts[1].n_out, 1);
	assert_int_equal(xstat("nic_drop_miss_loop"), 1);
	unplug();
}

// A big packet goes in finished segments, each with a tag of its own.
static void
test_segments(void **state)
{
	struct rte_pmd_emunic_miss_window w = {0};
	struct rte_pmd_emunic_miss m = {0};
	struct rte_mbuf *big;
	unsigned int n;

	plug(0);
	scripts[1].takes = true; // offload requests would be taken; the hash would not hold then
	set();
	big = packet(pools[0], false, true, BIG);
	ask(big, false, true, true);
	enter(1, big);
	n = scripts[1].n_out;
	assert_int_equal(n, (BIG + MSS - 1) / MSS);
	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *o = scripts[1].out[i];
		struct frame f = given(i);
		struct rte_mbuf *plain;

		assert_int_equal(o->ol_flags, 0);
		assert_int_equal(open_as(&f, conf.key, 0, &w, &m), 0);
		assert_int_equal(m.number, i + 1);
		plain = rte_pktmbuf_alloc(pools[0]);
		memcpy(rte_pktmbuf_append(plain, m.len), rte_pmd_emunic_miss_strip(f.bytes), m.len);
		assert_sums(plain, false, true);
		rte_pktmbuf_free(plain);
	}
	clear(&scripts[1]);
	// A checksum that was left to the NIC is filled in first.
	big = packet(pools[0], true, false, 300);
	ask(big, true, false, false);
	enter(1, big);
	assert_int_equal(scripts[1].n_out, 1);
	rte_pktmbuf_adj(scripts[1].out[0], TAG);
	assert_sums(scripts[1].out[0], true, false);
	unplug();
}

// One frame, and all that a guest could make of it.
static void
test_forged(void **state)
{
	struct rte_pmd_emunic_vf_miss other = conf;
	struct rte_pmd_emunic_miss_window w = {0}, before;
	struct rte_pmd_emunic_miss m = {0};
	struct frame f, g;

	plug(0);
	set();
	enter(1, packet(pools[0], false, false, 50));
	f = given(0);
	for (size_t i = 0; i < f.len; i++) { // any bit of it
		g = f;
		g.bytes[i] ^= 1U << i % 8;
		assert_int_not_equal(judge(&g), 0);
		assert_int_equal(judge(&g) == -ENOMSG, i == 12 || i == 13);
	}
	for (size_t len = 0; len < f.len; len++) { // any piece of it
		g = f;
		g.len = len;
		assert_int_equal(judge(&g), len < 14 ? -ENOMSG : -EBADMSG);
	}
	// Padding is not of the frame: it is cut off by its length.
	g = f;
	memset(g.bytes + g.len, 0xff, 20);
	g.len += 20;
	assert_int_equal(open_as(&g, conf.key, 0, &w, &m), 0);
	assert_int_equal(m.len, f.len - TAG);
	// Nothing that fails marks its number as taken.
	memset(&w, 0, sizeof(w));
	before = w;
	g = f;
	g.bytes[g.len - 1] ^= 1;
	assert_int_equal(open_as(&g, conf.key, 0, &w, &m), -EACCES);
	assert_int_equal(open_as(&f, conf.key, 1, &w, &m), -EPERM);
	other.key[0] ^= 1; // that of another VF
	assert_int_equal(open_as(&f, other.key, 0, &w, &m), -EACCES);
	assert_memory_equal(&w, &before, sizeof(w));
	assert_int_equal(open_as(&f, conf.key, 0, &w, &m), 0);
	assert_int_equal(open_as(&f, conf.key, 0, &w, &m), -EALREADY);
	unplug();
}

// However it is cut up, it is the same frame.
static void
test_pieces(void **state)
{
	struct frame f;

	plug(0);
	set();
	enter(1, packet(pools[0], false, true, 700));
	f = given(0);
	for (unsigned int round = 0; round < 500; round++) {
		struct rte_pmd_emunic_miss_window w = {0};
		struct rte_pmd_emunic_miss m = {0};
		struct iovec iov[8];
		size_t at = 0;
		unsigned int n = 1 + draw(8);
		int expect = round % 2 ? 0 : -EACCES;

		for (unsigned int i = 0; i < n; i++) {
			size_t part = i + 1 == n ? f.len - at : draw(draw(2) ? 20 : f.len - at + 1);

			part = RTE_MIN(part, f.len - at);
			iov[i] = (struct iovec){f.bytes + at, part};
			at += part;
		}
		if (expect != 0)
			f.bytes[HEAD + draw(f.len - HEAD)] ^= 0x10;
		assert_int_equal(rte_pmd_emunic_miss_open(conf.key, 0, iov, n, &w, &m), expect);
		if (expect != 0)
			f = given(0);
	}
	unplug();
}

// The window against the plain definition: once each, and not older than it remembers.
static void
test_window(void **state)
{
	static bool seen[20000];
	struct rte_pmd_emunic_miss_window w = {0};
	uint64_t top = 0;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(rte_pmd_emunic_miss_once(&w, 0), -ESTALE);
	for (unsigned int i = 0; i < 60000; i++) {
		uint64_t number = 1 + draw(draw(50) == 0 ? RTE_MIN(top + 3000, 19999ULL)
							 : RTE_MIN(top + 3, 19999ULL));
		int ret;

		if (draw(2) && top > 1500)
			number = top - draw(1500);
		ret = rte_pmd_emunic_miss_once(&w, number);
		if (number + RTE_PMD_EMUNIC_MISS_WINDOW - 64 > top && seen[number])
			assert_int_equal(ret, -EALREADY);
		else if (number + RTE_PMD_EMUNIC_MISS_WINDOW - 64 > top)
			assert_int_equal(ret, 0);
		else if (number + RTE_PMD_EMUNIC_MISS_WINDOW <= top)
			assert_int_equal(ret, -ESTALE);
		if (ret == 0)
			assert_false(seen[number]);
		seen[number] |= ret == 0;
		top = RTE_MAX(top, number);
	}
	assert_int_equal(rte_pmd_emunic_miss_once(&w, UINT64_MAX), 0);
	assert_int_equal(rte_pmd_emunic_miss_once(&w, UINT64_MAX), -EALREADY);
	assert_int_equal(rte_pmd_emunic_miss_once(&w, UINT64_MAX - 5000), -ESTALE);
}

static void
test_bad(void **state)
{
	struct rte_pmd_emunic_vf_miss bad = conf;
	char why[256];

	plug_with("queues=2,vfs=2,representor=vf0,firmware=inline", 0);
	set();
	assert_int_equal(rte_pmd_emunic_vf_miss_set(9, 0, &bad, why, sizeof(why)), -ENODEV);
	assert_int_equal(rte_pmd_emunic_vf_miss_set(0, 2, &bad, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "2 VFs"));
	assert_int_equal(rte_pmd_emunic_vf_miss_set(0, 1, &bad, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "group 5 is that of VF 0"));
	bad.group = 6;
	assert_int_equal(rte_pmd_emunic_vf_miss_set(0, 1, &bad, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "key is that of VF 0"));
	bad.key[0]++;
	assert_int_equal(rte_pmd_emunic_vf_miss_set(0, 1, &bad, why, sizeof(why)), 0);
	bad.way = 2;
	assert_int_equal(rte_pmd_emunic_vf_miss_set(0, 0, &bad, why, sizeof(why)), -EINVAL);
	bad.way = 1;
	nic()->gone = true;
	assert_int_equal(rte_pmd_emunic_vf_miss_set(0, 0, &conf, why, sizeof(why)), -ENODEV);
	nic()->gone = false;
	memset(bad.key, 0, sizeof(bad.key));
	assert_int_equal(rte_pmd_emunic_vf_miss_set(0, 0, &bad, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "guess"));
	unplug();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_real_path),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_bad),
	};

	return run_nic_tests("test_emunic_miss", tests, RTE_DIM(tests));
}
