// SPDX-License-Identifier: BSD-3-Clause
// What a driver means by an errno, and what insertions cost.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

struct told {
	const char *driver;
	int error;
	const char *words;
	enum offload_outcome means;
};

// What each driver says, in its own words, and what that means by what its source does there. Not
// taken from the table under test: one entry for each of its rows, in any order.
static const struct told told[] = {
	{"mlx5_pci", ENOMEM, "hardware refuses to create flow", OFFLOAD_FULL},
	{"mlx5_pci", ENOMEM, "cannot create action", OFFLOAD_FULL},
	{"mlx5_pci", ENOSPC, "not free temporary device flow", OFFLOAD_UNSUPPORTED},
	{"mlx5_pci", EREMOTEIO, "", OFFLOAD_UNSUPPORTED},
	{"net_ice", EINVAL, "Add filter rule failed.", OFFLOAD_FULL},
	{"net_ice", ETIMEDOUT, "Add filter rule failed.", OFFLOAD_TRANSIENT},
	{"net_ice", EINVAL, "switch filter create flow fail", OFFLOAD_TRANSIENT},
	{"net_ice", ENOMEM, "Failed to allocate memory", OFFLOAD_TRANSIENT},
	{"net_i40e", ENOBUFS, "Fdir space full", OFFLOAD_FULL},
	{"net_i40e", ENOMEM, "Failed to allocate memory", OFFLOAD_TRANSIENT},
	{"net_ixgbe", ENOSYS, "Failed to create flow.", OFFLOAD_FULL},
	{"net_ixgbe", ETIMEDOUT, "Failed to create flow.", OFFLOAD_TRANSIENT},
	{"net_ixgbe", ENOMEM, "Failed to create flow.", OFFLOAD_TRANSIENT},
	{"net_bnxt", ENOSPC, "Not enough resources for a new flow", OFFLOAD_FULL},
	{"net_bnxt", EACCES, "Failed to create flow.", OFFLOAD_UNSUPPORTED},
	{"net_bnxt", EAGAIN, "Failed to create flow.", OFFLOAD_TRANSIENT},
	{"net_bnxt", EXDEV, "Flow with pattern exists", OFFLOAD_TRANSIENT},
	{"net_cxgbe", EAGAIN, "Unable to create flow rule", OFFLOAD_FULL},
	{"net_cxgbe", ENOMEM, "Unable to create flow rule", OFFLOAD_FULL},
	{"net_cxgbe", EBUSY, "Unable to create flow rule", OFFLOAD_TRANSIENT},
	{"net_hns3", EXFULL, "", OFFLOAD_TRANSIENT},
	{"net_hns3", ETIME, "", OFFLOAD_TRANSIENT},
	{"net_hns3", EIO, "", OFFLOAD_TRANSIENT},
	{"net_hns3", EPERM, "", OFFLOAD_UNSUPPORTED},
	{"net_hns3", ERANGE, "", OFFLOAD_FULL},
	{"net_sfc_efx", ENOSPC, "", OFFLOAD_FULL},
	{"net_nfp", EINVAL, "Add flow to firmware failed.", OFFLOAD_FULL},
	{"net_iavf", EPERM, "Failed to add filter rule.", OFFLOAD_TRANSIENT},
	{"net_enic", EPERM, "Invalid action.", OFFLOAD_UNSUPPORTED},
};

#define TOLD (sizeof(told) / sizeof(told[0]))

static bool
says(const struct nic_error *r, const struct told *t)
{
	return r->error == t->error && (!r->words || strstr(t->words, r->words) != NULL);
}

// Every row has one who says it, and every saying one row, so that none hides another.
static void
test_rows(void **state)
{
	unsigned i, k, n, j;

	for (i = 0; i < TOLD; i++) {
		const struct told *t = &told[i];
		const struct nic_error *r;
		enum offload_outcome got =
			nic_error_class(t->driver, t->error, t->words, SOME, false);

		if (got != t->means)
			fail_msg("%s %s \"%s\": %s, not %s", t->driver, strerror(t->error),
				t->words, nic_outcome_name(got), nic_outcome_name(t->means));
		for (k = n = 0; (r = nic_error_row(t->driver, k)) != NULL; k++)
			n += says(r, t);
		if (n != 1)
			fail_msg("%s %s \"%s\": %u rows", t->driver, strerror(t->error), t->words,
				n);
		for (n = j = 0; j < TOLD; j++)
			n += strcmp(told[j].driver, t->driver) == 0;
		if (n != k)
			fail_msg("%s: %u rows for %u that it says", t->driver, k, n);
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
