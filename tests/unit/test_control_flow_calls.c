// SPDX-License-Identifier: BSD-3-Clause
// What a driver's errors mean: the rte_flow calls are wrapped, so that each error can be injected.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_errno.h>
#include <rte_flow.h>

#include "nic/flow_calls.h"

static struct {
	int error; // of the next call, as the driver gives it
	enum rte_flow_error_type type;
	const char *message;
	bool removed;
	int query_error;
	uint64_t hits;
	unsigned destroyed;
} played;

static int
play(struct rte_flow_error *fe)
{
	if (played.error == 0)
		return 0;
	fe->type = played.type;
	fe->message = played.message;
	rte_errno = played.error;
	return -played.error;
}

int __wrap_rte_flow_validate(uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *fe);
int
__wrap_rte_flow_validate(uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *fe)
{
	return play(fe);
}

struct rte_flow *__wrap_rte_flow_create(uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *fe);
struct rte_flow *
__wrap_rte_flow_create(uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *fe)
{
	return play(fe) == 0 ? (struct rte_flow *)&played : NULL;
}

int __wrap_rte_flow_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *fe);
int
__wrap_rte_flow_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *fe)
{
	played.destroyed++;
	return play(fe);
}

int __wrap_rte_flow_query(uint16_t port, struct rte_flow *flow,
	const struct rte_flow_action *action, void *data, struct rte_flow_error *fe);
int
__wrap_rte_flow_query(uint16_t port, struct rte_flow *flow, const struct rte_flow_action *action,
	void *data, struct rte_flow_error *fe)
{
	struct rte_flow_query_count *count = data;

	count->hits_set = 1;
	count->hits = played.hits;
	count->bytes_set = 1;
	count->bytes = 100 * played.hits;
	return played.query_error;
}

int __wrap_rte_eth_dev_is_removed(uint16_t port);
int
__wrap_rte_eth_dev_is_removed(uint16_t port)
{
	return played.removed;
}

int __wrap_rte_eth_dev_is_valid_port(uint16_t port);
int
__wrap_rte_eth_dev_is_valid_port(uint16_t port)
{
	return 1;
}

static void
test_classes(void **state)
{
	static const struct {
		int error;
		enum rte_flow_error_type type;
		bool removed;
		enum offload_outcome want;
	} cases[] = {
		{0, RTE_FLOW_ERROR_TYPE_NONE, false, OFFLOAD_OK},
		{ENOSPC, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_FULL},
		{ENOMEM, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_FULL},
		{ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, false, OFFLOAD_UNSUPPORTED},
		{EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, false, OFFLOAD_UNSUPPORTED},
		{EINVAL, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_UNSUPPORTED},
		{ENOSYS, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_UNSUPPORTED},
		{EPERM, RTE_FLOW_ERROR_TYPE_ACTION, false, OFFLOAD_UNSUPPORTED},
		{EPERM, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_TRANSIENT},
		{EEXIST, RTE_FLOW_ERROR_TYPE_ITEM, false, OFFLOAD_TRANSIENT},
		{EBUSY, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_TRANSIENT},
		{ETIMEDOUT, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_TRANSIENT},
		// One rule's trouble is not the NIC's end, unless ethdev says so.
		{EIO, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_TRANSIENT},
		{ENODEV, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_TRANSIENT},
		{EIO, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, true, OFFLOAD_GONE},
		{ENODEV, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, true, OFFLOAD_GONE},
		// A driver that sets a negative errno.
		{-ENOSPC, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, false, OFFLOAD_FULL},
	};
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nic_job job = {0};

		memset(&played, 0, sizeof(played));
		played.error = cases[i].error;
		played.type = cases[i].type;
		played.removed = cases[i].removed;
		nic_flow_create(&job);
		if (job.outcome != cases[i].want)
			fail_msg("create, errno %d: outcome %d", cases[i].error, job.outcome);
		assert_int_equal(job.error, cases[i].error < 0 ? -cases[i].error : cases[i].error);
		assert_true((job.flow != NULL) == (cases[i].error == 0));
		memset(&job, 0, sizeof(job));
		nic_flow_validate(&job);
		if (job.outcome != cases[i].want)
			fail_msg("validate, errno %d: outcome %d", cases[i].error, job.outcome);
	}
}

static void
test_words(void **state)
{
	struct nic_job job = {0};
	char words[300];

	memset(words, 'w', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	memset(&played, 0, sizeof(played));
	played.error = ENOTSUP;
	played.message = "no such item";
	nic_flow_create(&job);
	assert_string_equal(job.text, "no such item");
	played.message = NULL;
	nic_flow_create(&job);
	assert_string_equal(job.text, strerror(ENOTSUP));
	played.message = words;
	nic_flow_create(&job);
	assert_int_equal(strlen(job.text), sizeof(job.text) - 1);
}

static void
test_destroy(void **state)
{
	static const struct {
		int error;
		bool removed;
		enum offload_outcome want;
	} cases[] = {
		{0, false, OFFLOAD_OK},
		{ENOENT, false, OFFLOAD_OK},
		{EINVAL, false, OFFLOAD_TRANSIENT},
		{ENOTSUP, false, OFFLOAD_TRANSIENT},
		{ENOMEM, false, OFFLOAD_TRANSIENT},
		{EIO, false, OFFLOAD_TRANSIENT},
		{EIO, true, OFFLOAD_GONE},
	};
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nic_job job = {.flow = (struct rte_flow *)&played};

		memset(&played, 0, sizeof(played));
		played.error = cases[i].error;
		played.removed = cases[i].removed;
		played.hits = 7;
		nic_flow_destroy(&job);
		if (job.outcome != cases[i].want)
			fail_msg("destroy, errno %d: outcome %d", cases[i].error, job.outcome);
		assert_int_equal(played.destroyed, 1);
		assert_true(job.counted);
		assert_int_equal(job.packets, 7);
		assert_int_equal(job.bytes, 700);
	}
}

// A query that fails is not "idle", and does not keep a rule from going.
static void
test_failed_query(void **state)
{
	struct nic_count counts[2] = {{.id = 1}, {.id = 2}};
	struct nic_job job = {.counts = counts, .n_counts = 2};

	memset(&played, 0, sizeof(played));
	played.query_error = -EIO;
	nic_flow_count(&job);
	assert_int_equal(job.outcome, OFFLOAD_OK);
	assert_int_equal(counts[0].error, -EIO);
	assert_int_equal(counts[1].error, -EIO);
	nic_flow_destroy(&job);
	assert_int_equal(job.outcome, OFFLOAD_OK);
	assert_false(job.counted);
	played.query_error = 0;
	played.hits = 5;
	nic_flow_count(&job);
	assert_int_equal(counts[1].error, 0);
	assert_int_equal(counts[1].packets, 5);
}

// What the driver does not destroy is told for each rule; one that it does not know is gone.
static void
test_evict(void **state)
{
	static const struct {
		int error, told;
		bool removed;
		enum offload_outcome want;
	} cases[] = {
		{0, 0, false, OFFLOAD_OK},
		{ENOENT, 0, false, OFFLOAD_OK},
		{EBUSY, -EBUSY, false, OFFLOAD_OK},
		{EIO, -EIO, true, OFFLOAD_GONE},
	};
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nic_count counts[2] = {{.id = 1}, {.id = 2}};
		struct nic_job job = {.counts = counts, .n_counts = 2};

		memset(&played, 0, sizeof(played));
		played.error = cases[i].error;
		played.removed = cases[i].removed;
		played.hits = 7;
		nic_flow_evict(&job);
		assert_int_equal(played.destroyed, 2);
		assert_int_equal(counts[0].destroy, cases[i].told);
		assert_int_equal(counts[1].destroy, cases[i].told);
		assert_int_equal(counts[1].error, 0);
		assert_int_equal(counts[1].packets, 7);
		assert_int_equal(job.outcome, cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_failed_query),
		cmocka_unit_test(test_evict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
