// SPDX-License-Identifier: BSD-3-Clause
#include "firmware.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_service.h>
#include <rte_service_component.h>
#include <rte_version.h>

// Who runs the firmware: a thread of its own, a service core, or the application's bursts. When a
// round found nothing, the thread sleeps: shortly at first, longer the longer nothing came, and
// never past the next packet that a backend announces. Sleeping gathers bursts, which is cheaper
// than polling for single packets, and leaves the CPU to those that it shares it with. While rules
// come and go by the thousand it sleeps for longer yet: whoever changes them mostly shares that
// CPU, and each nap that ends costs it more than some rules do.

#define SPIN_ROUNDS 8
#define NAP_MIN_NS 20000
#define NAP_MAX_NS 200000
#define NAP_UNUSED_NS 2000000 // no port is started
#define NAP_RULES_NS 100000   // while rules come and go
#define RULES_MANY 8          // that changed since the last nap
#define RULES_FOR_NS 1000000  // that it is taken to go on
#define NAP_GROW_ROUNDS 32    // rounds without work until a nap gets twice as long

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

struct naps {                 // of the thread
	uint64_t rules_seen;  // changes that it knew of at the last one
	uint64_t rules_until; // they are taken to go on until then
};

// How long to sleep after `idle` rounds without work.
static uint64_t
nap_ns(struct emu_nic *nic, struct naps *naps, unsigned int idle)
{
	unsigned int grow = RTE_MIN(idle / NAP_GROW_ROUNDS, 6U);
	uint64_t nap = RTE_MIN((uint64_t)NAP_MIN_NS << grow, (uint64_t)NAP_MAX_NS);
	uint64_t changes = emu_read(&nic->rule_changes), least = NAP_MIN_NS, next, now;
	bool unused;

	next = emu_firmware_next_event(nic, &unused);
	now = now_ns();
	if (changes - naps->rules_seen >= RULES_MANY)
		naps->rules_until = now + RULES_FOR_NS;
	naps->rules_seen = changes;
	if (now < naps->rules_until)
		least = NAP_RULES_NS;
	if (unused)
		nap = NAP_UNUSED_NS;
	if (next <= now)
		return least;
	nap = RTE_MIN(nap, next - now);
	return RTE_MAX(least, nap);
}

static void
thread_loop(struct emu_nic *nic)
{
	struct naps naps = {0};
	unsigned int idle = 0;

	// The kernel's default slack of 50 us would be added to every nap.
	prctl(PR_SET_TIMERSLACK, 1000);
	while (!__atomic_load_n(&nic->thread_stop, __ATOMIC_RELAXED)) {
		struct timespec nap = {0};

		if (emu_firmware_round(nic) > 0) {
			idle = 0;
			continue;
		}
		if (++idle < SPIN_ROUNDS) {
			rte_pause();
			continue;
		}
		nap.tv_nsec = nap_ns(nic, &naps, idle);
		nanosleep(&nap, NULL);
	}
}

#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
static uint32_t
thread_main(void *arg)
{
	thread_loop(arg);
	return 0;
}

static int
thread_create(struct emu_nic *nic)
{
	rte_thread_t id;
	int ret = rte_thread_create_internal_control(&id, "emunic", thread_main, nic);

	nic->thread = (pthread_t)id.opaque_id;
	return ret;
}
#else
static void *
thread_main(void *arg)
{
	thread_loop(arg);
	return NULL;
}

static int
thread_create(struct emu_nic *nic)
{
	return rte_ctrl_thread_create(&nic->thread, "emunic", NULL, thread_main, nic);
}
#endif

static int32_t
service_run(void *arg)
{
	return emu_firmware_round(arg) > 0 ? 0 : -EAGAIN;
}

static int
service_create(struct emu_nic *nic)
{
	struct rte_service_spec spec = {
		.callback = service_run,
		.callback_userdata = nic,
		.socket_id = nic->socket_id,
	};
	uint32_t lcores[RTE_MAX_LCORE];
	int ret;

	snprintf(spec.name, sizeof(spec.name), "emunic_%u", nic->domain);
	ret = rte_service_component_register(&spec, &nic->service);
	if (ret != 0)
		return ret;
	nic->service_added = true;
	rte_service_component_runstate_set(nic->service, 1);
	// EAL maps what is registered when it starts; a NIC that is plugged in later maps itself.
	if (rte_service_lcore_list(lcores, RTE_DIM(lcores)) > 0) {
		rte_service_map_lcore_set(nic->service, lcores[0], 1);
		rte_service_runstate_set(nic->service, 1);
	}
	return 0;
}

int
emu_firmware_start(struct emu_nic *nic)
{
	int ret = 0;

	if (nic->args.firmware == EMU_FW_THREAD) {
		ret = thread_create(nic);
		nic->thread_runs = ret == 0;
	} else if (nic->args.firmware == EMU_FW_SERVICE) {
		ret = service_create(nic);
	}
	if (ret != 0)
		EMU_LOG(ERR, "%s: cannot start the firmware: %s", nic->name, strerror(abs(ret)));
	return ret;
}

void
emu_firmware_arm(struct emu_nic *nic)
{
	bool served = nic->thread_runs;

	if (nic->service_added)
		served = rte_service_runstate_get(nic->service) == 1;
	if (!served && nic->args.firmware == EMU_FW_SERVICE && !nic->run_inline)
		EMU_LOG(NOTICE, "%s: no service core runs the firmware, so it runs inline",
			nic->name);
	__atomic_store_n(&nic->run_inline, !served, __ATOMIC_RELAXED);
}

const char *
emu_firmware_runs(const struct emu_nic *nic)
{
	if (nic->thread_runs)
		return "a thread";
	if (__atomic_load_n(&nic->run_inline, __ATOMIC_RELAXED))
		return "bursts";
	return nic->service_added ? "a service core" : "nothing yet";
}

void
emu_firmware_stop(struct emu_nic *nic)
{
	if (nic->thread_runs) {
		__atomic_store_n(&nic->thread_stop, true, __ATOMIC_RELAXED);
		pthread_join(nic->thread, NULL);
		nic->thread_runs = false;
	}
	if (nic->service_added) {
		rte_service_component_runstate_set(nic->service, 0);
		while (rte_service_may_be_active(nic->service) == 1)
			rte_pause();
		rte_service_component_unregister(nic->service);
		nic->service_added = false;
	}
	emu_nic_cancel_removal(nic);
	emu_firmware_drop_events(nic);
}
