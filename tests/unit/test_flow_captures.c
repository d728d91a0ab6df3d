// SPDX-License-Identifier: BSD-3-Clause
#include "captures.h"
#include "ref_flow_parse.h"

// Every frame of the real captures, whole and as captured, against the reference parser.

struct check {
	struct sl_rng rng;
	unsigned int frames;
};

static void
check_frame(void *ctx, const char *what, uint8_t *frame, uint32_t len)
{
	static const uint32_t field_sets[] = {0, UINT32_MAX};
	struct check *c = ctx;

	if (len > UINT16_MAX) // longer than an mbuf segment can be
		len = UINT16_MAX;
	ref_flow_check(what, frame, len, field_sets[++c->frames % 2], &c->rng);
}

static void
check_dir(const char *sub)
{
	struct check c = {.rng = {.state = 1}};

	capture_each(sub, check_frame, &c);
}

static void
test_pcap(void **state)
{
	check_dir("pcap");
}

static void
test_dos(void **state)
{
	check_dir("dos");
}

static void
test_malformed(void **state)
{
	check_dir("malformed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_dos),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests_name("flow_captures", tests, NULL, NULL);
}
