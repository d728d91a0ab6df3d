// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/age.h"

#include <time.h>

#include <rte_malloc.h>

#include "emunic.h"

#define SLICE 2048

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

struct emu_age *
emu_age_new(struct emu_port *port, uint32_t timeout, void *context)
{
	struct emu_ages *ages = &port->nic->ages;
	struct emu_age *age = rte_zmalloc("emunic age", sizeof(*age), 0);

	if (age == NULL)
		return NULL;
	age->port = port;
	age->timeout = timeout;
	age->context = context;
	age->last_ms = now_ms();
	TAILQ_INSERT_TAIL(&ages->list, age, all);
	ages->n++;
	return age;
}

static void
unlist(struct emu_age *age)
{
	if (age->listed)
		TAILQ_REMOVE(&age->port->aged, age, aged);
	age->listed = false;
}

void
emu_age_free(struct emu_age *age)
{
	struct emu_ages *ages = &age->port->nic->ages;

	if (ages->next == age)
		ages->next = TAILQ_NEXT(age, all);
	unlist(age);
	TAILQ_REMOVE(&ages->list, age, all);
	ages->n--;
	rte_free(age);
}

uint32_t
emu_age_idle(const struct emu_age *age)
{
	return age->hit ? 0 : (now_ms() - age->last_ms) / 1000;
}

static void
look(struct emu_age *age, uint64_t now)
{
	if (age->hit) {
		age->hit = false;
		age->is_aged = false;
		age->last_ms = now;
		unlist(age);
		return;
	}
	if (age->is_aged || age->users == 0 || now - age->last_ms < age->timeout * 1000ULL)
		return;
	age->is_aged = true;
	age->listed = true;
	TAILQ_INSERT_TAIL(&age->port->aged, age, aged);
}

bool
emu_age_sweep(struct emu_nic *nic, bool all)
{
	struct emu_ages *ages = &nic->ages;
	uint32_t left = all ? ages->n : RTE_MIN(ages->n, (uint32_t)SLICE);
	uint64_t now = left > 0 ? now_ms() : 0;
	bool raise = false;

	for (; left > 0; left--) {
		struct emu_age *age = ages->next != NULL ? ages->next : TAILQ_FIRST(&ages->list);

		look(age, now);
		ages->next = TAILQ_NEXT(age, all);
		if (age->listed && !age->port->aged_told) {
			age->port->aged_told = true;
			age->port->aged_event = true;
			raise = true;
		}
	}
	return raise;
}
