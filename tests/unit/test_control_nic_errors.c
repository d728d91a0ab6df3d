// SPDX-License-Identifier: BSD-3-Clause
// What a driver means by an errno, and what insertions cost.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "nic/cost.h"
#include "nic/errors.h"

#define SOME RTE_FLOW_ERROR_TYPE_UNSPECIFIED

static void
test_by_driver(void **state)
{
	static const struct {
		const char *driver;
		int error;
		const char *words;
		enum offload_outcome means;
	} known[] = {
		{"mlx5_pci", ENOMEM, "hardware refuses to create flow", OFFLOAD_FULL},
		{"mlx5_pci", ENOTSUP, "item not supported", OFFLOAD_UNSUPPORTED},
		{"net_ice", EINVAL, "Add filter rule failed.", OFFLOAD_FULL},
		{"net_ice", EINVAL, "Unsupported pattern", OFFLOAD_UNSUPPORTED},
		{"net_ice_dcf", ETIMEDOUT, "", OFFLOAD_TRANSIENT},
		{"net_i40e", ENOBUFS, "Fdir space full", OFFLOAD_FULL},
		{"net_i40e", ENOMEM, "Failed to allocate memory", OFFLOAD_TRANSIENT},
		{"net_ixgbe", ENOSYS, "Failed to create flow.", OFFLOAD_FULL},
		{"net_bnxt", ENOSPC, "Not enough resources for a new flow", OFFLOAD_FULL},
		{"net_cxgbe", EAGAIN, "", OFFLOAD_FULL},
		{"net_hns3", EXFULL, "", OFFLOAD_TRANSIENT},
		{"net_emunic", EAGAIN, "", OFFLOAD_TRANSIENT},
		{"net_emunic", ENOSPC, "", OFFLOAD_FULL},
		{"net_emunic", ENOSYS, "", OFFLOAD_UNSUPPORTED},
		{NULL, ENOMEM, NULL, OFFLOAD_FULL},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		enum offload_outcome got = nic_error_class(
			known[i].driver, known[i].error, known[i].words, SOME, false);

		if (got != known[i].means)
			fail_msg("%s %s \"%s\": %s", known[i].driver, strerror(known[i].error),
				known[i].words, nic_outcome_name(got));
	}
}

// A device that is gone is gone, whatever the table says; and nothing else is.
static void
test_gone(void **state)
{
	int error;

	for (error = 1; error < 134; error++)
		assert_int_not_equal(
			nic_error_class("net_hns3", error, "", SOME, false), OFFLOAD_GONE);
	assert_int_equal(nic_error_class("net_hns3", EIO, "", SOME, true), OFFLOAD_GONE);
	assert_int_equal(nic_error_class("mlx5_pci", ENODEV, "", SOME, true), OFFLOAD_GONE);
	// What points at the pattern is about the shape; what does not is about now.
	assert_int_equal(nic_error_class("x", EPROTO, "", RTE_FLOW_ERROR_TYPE_ITEM, false),
		OFFLOAD_UNSUPPORTED);
	assert_int_equal(nic_error_class("x", EPROTO, "", SOME, false), OFFLOAD_TRANSIENT);
}

// Every row can be reached: none before it says the same of the same.
static void
test_rows(void **state)
{
	static const char *const drivers[] = {"mlx5_pci", "net_ice", "net_i40e", "net_ixgbe",
		"net_bnxt", "net_cxgbe", "net_hns3", "net_sfc_efx", "net_nfp", "net_iavf",
		"net_enic"};
	size_t d;

	for (d = 0; d < sizeof(drivers) / sizeof(drivers[0]); d++) {
		const struct nic_error *r;
		unsigned i;

		for (i = 0; (r = nic_error_row(drivers[d], i)) != NULL; i++)
			assert_int_equal(
				nic_error_class(drivers[d], r->error, r->words, SOME, false),
				r->means);
		assert_true(i > 0);
	}
	assert_null(nic_error_row("net_emunic", 0));
	assert_null(nic_error_row(NULL, 0));
}

static void
test_cost(void **state)
{
	struct nic_cost c = {0};
	uint64_t now = SL_NS_PER_S;
	unsigned i;

	assert_int_equal(nic_cost_us(&c, 50), 0);
	assert_int_equal(nic_cost_rate(&c, now), 0);
	for (i = 0; i < 20000; i++) {
		now += SL_NS_PER_MS;
		nic_cost_add(&c, i % 50 == 0 ? 20 * SL_NS_PER_MS : SL_NS_PER_MS, now);
	}
	assert_in_range(nic_cost_us(&c, 50), 900, 1100);
	assert_in_range(nic_cost_us(&c, 99), 18000, 22000);
	assert_in_range(nic_cost_rate(&c, now), 950, 1050);
	assert_int_equal(nic_cost_rate(&c, now + 20 * SL_NS_PER_S), 0);
	nic_cost_add(&c, 0, now);
	nic_cost_add(&c, UINT64_MAX, now);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_driver),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
