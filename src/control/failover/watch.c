// SPDX-License-Identifier: BSD-3-Clause
#include "failover/watch.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "base/clock.h"

static int
on_event(uint16_t ethdev, enum rte_eth_event_type event, void *arg, void *ret)
{
	const uint64_t one = 1;
	struct watch *w = arg;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (!atomic_load(&w->changed))
		atomic_store(&w->told_ns, (uint64_t)ts.tv_sec * SL_NS_PER_S + (uint64_t)ts.tv_nsec);
	if (event == RTE_ETH_EVENT_INTR_RMV)
		atomic_store(&w->removed, true);
	atomic_store(&w->changed, true);
	if (write(w->wake_fd, &one, sizeof(one)) < 0)
		return 0; // the counter is at its limit: control is awake already
	return 0;
}

int
watch_start(struct watch *w, uint16_t ethdev, int wake_fd)
{
	int rc;

	w->ethdev = ethdev;
	w->wake_fd = wake_fd;
	rc = rte_eth_dev_callback_register(ethdev, RTE_ETH_EVENT_INTR_LSC, on_event, w);
	if (rc == 0)
		rc = rte_eth_dev_callback_register(ethdev, RTE_ETH_EVENT_INTR_RMV, on_event, w);
	if (rc != 0)
		watch_stop(w);
	return rc;
}

static void
stop_one(struct watch *w, enum rte_eth_event_type event)
{
	// While it runs (on another thread) it cannot be taken out.
	while (rte_eth_dev_callback_unregister(w->ethdev, event, on_event, w) == -EAGAIN)
		rte_delay_us_sleep(10);
}

void
watch_stop(struct watch *w)
{
	stop_one(w, RTE_ETH_EVENT_INTR_LSC);
	stop_one(w, RTE_ETH_EVENT_INTR_RMV);
}

bool
watch_heard(struct watch *w, bool *removed)
{
	*removed = atomic_load(&w->removed);
	return atomic_exchange(&w->changed, false);
}

uint64_t
watch_told(const struct watch *w)
{
	return atomic_load(&w->changed) ? atomic_load(&w->told_ns) : 0;
}

bool
watch_link(const struct watch *w)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(w->ethdev, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}
