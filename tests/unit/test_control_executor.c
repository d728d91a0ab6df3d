// SPDX-License-Identifier: BSD-3-Clause
// A NIC's executor: order of answers, the bound of its queue, its end with jobs waiting, a driver
// that does not come back.
#include <sys/eventfd.h>

#include "control_support.h"

static struct nic_executor *
executor(const char *name, int wake_fd)
{
	struct nic_executor *e = NULL;

	assert_int_equal(nic_executor_new(name, &driver_ops, wake_fd, &e), 0);
	return e;
}

static struct nic_job *
job(uint32_t id)
{
	struct nic_job *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	j->type = NIC_JOB_CREATE;
	j->id = id;
	return j;
}

static struct nic_job *
wait_answer(struct nic_executor *e)
{
	struct nic_job *j = NULL;
	unsigned i;

	for (i = 0; i < 50000 && (j = nic_executor_get(e)) == NULL; i++)
		nap();
	assert_non_null(j);
	return j;
}

static void
test_order(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct nic_executor *e;
	uint64_t woken;
	uint32_t i;

	memset(&driver, 0, sizeof(driver));
	e = executor("order", fd);
	for (i = 0; i < 1000; i++)
		assert_true(nic_executor_put(e, job(i)));
	for (i = 0; i < 1000; i++) {
		struct nic_job *j = wait_answer(e);

		assert_int_equal(j->id, i);
		assert_int_equal(j->outcome, OFFLOAD_OK);
		nic_job_free(j);
	}
	assert_int_equal(nic_executor_pending(e), 0);
	assert_null(nic_executor_get(e));
	assert_int_equal(read(fd, &woken, sizeof(woken)), sizeof(woken));
	nic_executor_free(e);
	close(fd);
}

static void
test_full(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct nic_job *over = job(0);
	struct nic_executor *e;
	uint32_t i;

	memset(&driver, 0, sizeof(driver));
	atomic_store(&driver.hold, true);
	e = executor("full", fd);
	for (i = 0; i < NIC_QUEUE_MAX; i++)
		assert_true(nic_executor_put(e, job(i)));
	assert_false(nic_executor_put(e, over));
	assert_int_equal(nic_executor_pending(e), NIC_QUEUE_MAX);
	atomic_store(&driver.hold, false);
	nic_job_free(wait_answer(e));
	assert_true(nic_executor_put(e, over));
	nic_executor_free(e);
	close(fd);
}

// What waits is not done any more: a driver that takes a second for each must not hold up the end.
static void
test_stop_with_jobs(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct nic_executor *e;
	uint32_t i;

	memset(&driver, 0, sizeof(driver));
	for (i = 0; i < 20; i++) {
		e = executor("stop", fd);
		for (uint32_t k = 0; k < 100; k++)
			assert_true(nic_executor_put(e, job(k)));
		nic_executor_free(e);
	}
	nic_executor_free(NULL);
	close(fd);
}

// One driver holds its thread: another NIC's goes on, and so does who puts.
static void
hold_first(struct nic_job *j)
{
	if (j->id == 0)
		while (atomic_load(&driver.hold))
			nap();
	atomic_fetch_add(&driver.created, 1);
}

static void
test_slow_driver(void **state)
{
	static const struct nic_ops ops = {.name = "slow", .create = hold_first};
	int fd = eventfd(0, EFD_NONBLOCK);
	struct nic_executor *slow = NULL, *fast = NULL;

	memset(&driver, 0, sizeof(driver));
	atomic_store(&driver.hold, true);
	assert_int_equal(nic_executor_new("slow", &ops, fd, &slow), 0);
	assert_int_equal(nic_executor_new("fast", &ops, fd, &fast), 0);
	assert_true(nic_executor_put(slow, job(0)));
	assert_true(nic_executor_put(slow, job(1)));
	assert_true(nic_executor_put(fast, job(2)));
	nic_job_free(wait_answer(fast));
	assert_int_equal(nic_executor_pending(slow), 2);
	assert_null(nic_executor_get(slow));
	assert_int_equal(atomic_load(&driver.created), 1);
	atomic_store(&driver.hold, false);
	nic_job_free(wait_answer(slow));
	nic_job_free(wait_answer(slow));
	nic_executor_free(slow);
	nic_executor_free(fast);
	close(fd);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_stop_with_jobs),
		cmocka_unit_test(test_slow_driver),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
