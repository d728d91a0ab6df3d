// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "ext/chain.h"
#include "ext/loader.h"

// Files that are extensions, files that are none, and what they answer.

static int
try_open(const char *path, enum sluice_ext_point at, const char *arg, const char *value,
	struct ext **out, struct sl_err *err)
{
	const struct sluice_ext_arg args[] = {{arg, value}};
	const struct ext_spec spec = {.name = "mine",
		.path = path,
		.at = at,
		.args = args,
		.n_args = arg != NULL,
		.workers = 3};

	sl_err_init(err);
	return ext_open(&spec, out, err);
}

static void
refuses(const char *path, enum sluice_ext_point at, const char *arg, int code, const char *where,
	const char *words)
{
	struct sl_err err;
	struct ext *e;

	if (try_open(path, at, arg, "x", &e, &err) != code || strcmp(err.path, where) != 0 ||
		strstr(err.text, words) == NULL)
		fail_msg("%s: %d %s: %s", path, err.code, err.path, err.text);
	assert_null(e);
}

static void
wrong_files(void **state)
{
	refuses("/no/such/file.so", 0, NULL, -ENOENT, "path", "/no/such/file.so");
	refuses("/etc/hostname", 0, NULL, -ENOENT, "path", "/etc/hostname");
	refuses(MODULE_NO_SYMBOL, 0, NULL, -EINVAL, "path", "no function sluice_extension()");
	refuses(MODULE_OTHER_ABI, 0, NULL, -EINVAL, "path", "version 3 of the extension ABI");
	refuses(MODULE_NO_BURST, 0, NULL, -EINVAL, "path", "lacks one of");
	refuses(MODULE_SMALL, 0, NULL, -EINVAL, "path", "in 16 bytes");
	refuses(MODULE_NOTHING, 0, NULL, -EINVAL, "path", "gave nothing");
	refuses(MODULE, 0, "unknown", -EINVAL, "args", "module did not start: no argument unknown");
	refuses(EXAMPLE, SLUICE_EXT_INGRESS, "match", -EINVAL, "args", "not tcp/PORT");
	refuses(EXAMPLE, SLUICE_EXT_MATCH, "drop", -EINVAL, "args", "not tcp/PORT");
	refuses(EXAMPLE, SLUICE_EXT_MONITOR, "drop", -EINVAL, "args", "not tcp/PORT");
}

// What a flow gets of an extension that answers `say` at a point.
static struct ext_answer
answer(enum sluice_ext_point at, const char *say, uint64_t faults)
{
	struct ext_chain chain = {0};
	struct flow_key key;
	struct sluice_ext_flow flow;
	struct ext_answer a;
	struct ext_info info;
	struct sl_err err;
	struct ext *e;

	assert_int_equal(try_open(MODULE, at, "say", say, &e, &err), 0);
	chain.list[at][chain.n[at]++] = e;
	flow_key_init(&key, 5, 1);
	ext_flow_of_key(&key, &flow);
	assert_int_equal(flow.sw, 5);
	assert_int_equal(flow.in, 1);
	assert_int_equal(flow.out, SLUICE_EXT_NO_PORT);
	assert_int_equal(flow.vlan[0], SLUICE_EXT_NO_PORT);
	ext_chain_ask(&chain, at, &flow, &a);
	ext_info_get(e, &info);
	assert_int_equal(info.faults, faults);
	ext_close(e);
	return a;
}

static void
answers(void **state)
{
	struct ext_answer a = answer(SLUICE_EXT_INGRESS, "pass", 0);

	assert_true(a.dropper == NULL && a.seen == EXT_SEEN_NO);
	assert_non_null(answer(SLUICE_EXT_INGRESS, "drop", 0).dropper);
	assert_int_equal(answer(SLUICE_EXT_EGRESS, "see", 0).seen, EXT_SEEN_ALL);
	assert_int_equal(answer(SLUICE_EXT_MONITOR, "copy", 0).seen, EXT_SEEN_COPY);
	// What is no answer is none of the four, or not one of that point.
	assert_non_null(answer(SLUICE_EXT_EGRESS, "nonsense", 1).dropper);
	a = answer(SLUICE_EXT_MONITOR, "drop", 1);
	assert_true(a.dropper == NULL && a.seen == EXT_SEEN_NO);
	a = answer(SLUICE_EXT_MONITOR, "see", 1);
	assert_true(a.dropper == NULL && a.seen == EXT_SEEN_NO);
	a = answer(SLUICE_EXT_MATCH, "drop", 1);
	assert_true(a.dropper == NULL && a.seen == EXT_SEEN_NO);
	assert_non_null(answer(SLUICE_EXT_INGRESS, "hit", 1).dropper);
}

// A function that reads a part of packets is shown that part, and no header that ends behind it.
static void
is_shown_a_part(void **state)
{
	uint8_t bytes[600] = {0};
	struct sluice_ext_packet pkt = {
		.data = bytes, .len = 200, .total = 300, .l3 = 14, .l4 = 34, .payload = 42};
	const char *args[] = {"match", "tcp/80"};
	struct sl_err err;
	struct ext *e;

	assert_int_equal(try_open(MODULE, SLUICE_EXT_MATCH, "say", "see", &e, &err), 0);
	assert_false(ext_match_packet(e, 0, &pkt));
	assert_int_equal(pkt.len, 128);
	assert_true(pkt.l3 == 14 && pkt.l4 == 34 && pkt.payload == 42 && pkt.total == 300);
	ext_close(e);
	assert_int_equal(try_open(EXAMPLE, SLUICE_EXT_MATCH, args[0], args[1], &e, &err), 0);
	pkt = (struct sluice_ext_packet){.data = bytes, .len = 200, .l3 = 14, .l4 = 34};
	pkt.flow = &(const struct sluice_ext_flow){.proto = 6, .dport = 80};
	pkt.payload = 42;
	assert_false(ext_match_packet(e, 0, &pkt));
	assert_int_equal(pkt.len, 200); // it would read more than there is
	// The L4 header is cut: the one before it is whole. One whose end is not known is not
	// named.
	pkt.len = 600;
	pkt.l4 = 510;
	pkt.payload = 530;
	assert_false(ext_match_packet(e, 0, &pkt));
	assert_true(pkt.len == 512 && pkt.l3 == 14 && pkt.l4 == 0 && pkt.payload == 0);
	pkt.len = 600;
	assert_false(ext_match_packet(e, 0, &pkt));
	assert_true(pkt.len == 512 && pkt.l3 == 0);
	ext_close(e);
}

static void
describes_itself(void **state)
{
	struct sluice_ext_counter out[3];
	struct ext_info info;
	struct sl_err err;
	struct ext *e;

	assert_int_equal(try_open(MODULE, SLUICE_EXT_INGRESS, "say", "copy", &e, &err), 0);
	ext_info_get(e, &info);
	assert_string_equal(info.name, "mine");
	assert_string_equal(info.kind, "module");
	assert_string_equal(info.version, "7");
	assert_int_equal(info.n_args, 1);
	assert_string_equal(info.args[0].value, "copy");
	ext_count_dropped(e, 0, 2);
	ext_count_dropped(e, 2, 3);
	ext_info_get(e, &info);
	assert_int_equal(info.dropped, 5);
	assert_int_equal(ext_counters(e, out, 3), 3);
	assert_int_equal(strlen(out[0].name), sizeof(out[0].name) - 1);
	assert_string_equal(out[1].name, "a_b_");
	assert_false(ext_wants_again(e));
	ext_close(e);
	assert_int_equal(ext_point_of("egress"), SLUICE_EXT_EGRESS);
	assert_int_equal(ext_point_of("forward"), -EINVAL);
	assert_string_equal(ext_point_name(SLUICE_EXT_MONITOR), "monitor");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_files),
		cmocka_unit_test(answers),
		cmocka_unit_test(is_shown_a_part),
		cmocka_unit_test(describes_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
