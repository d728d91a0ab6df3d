// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_cycles.h>

#include "port/vf.h"
#include "wire.h"

void
emu_nic_read_counters(struct emu_nic *nic)
{
	uint64_t period = rte_get_tsc_hz() / 1000 * nic->moods.counter_lag;

	if (period > 0)
		nic->reading = rte_get_tsc_cycles() / period;
}

// Whether the key is one of those that were read up to here.
static bool
was_read(const char *text, const char *here, const char *key)
{
	const char *at = text;

	while (at < here) {
		if (strcmp(at, key) == 0)
			return true;
		at += strlen(at) + 1; // its value
		at += strlen(at) + 1;
	}
	return false;
}

// Reads "key=value,..." into m; text is written to: its entries become strings of their own, and
// so do key and value of those that were read.
static int
read_moods(struct emu_moods *m, char *text, char *why, size_t why_len)
{
	char *at = text, *key;

	while ((key = strsep(&at, ",")) != NULL) {
		char *value = strchr(key, '=');
		int ret;

		if (value == NULL || value == key) {
			snprintf(why, why_len, "'%s': expected KEY=VALUE", key);
			return -EINVAL;
		}
		*value++ = '\0';
		if (was_read(text, key, key)) {
			snprintf(why, why_len, "%s is given twice", key);
			return -EINVAL;
		}
		ret = emu_moods_set(m, key, value, why, why_len);
		if (ret == -ENOENT)
			snprintf(why, why_len, "unknown mood '%s' (expected: %s)", key,
				EMU_MOODS_STRING);
		if (ret != 0)
			return -EINVAL;
	}
	return 0;
}

// Under the gate: m becomes what holds.
static int
apply(struct emu_nic *nic, const struct emu_moods *m, char *why, size_t why_len)
{
	const struct emu_extent is = emu_devargs_extent(&nic->args);

	if (m->capacity > nic->rules.capacity) {
		snprintf(why, why_len,
			"capacity=%u: expected at most %u, which the NIC was made with",
			m->capacity, nic->rules.capacity);
		return -EINVAL;
	}
	if (emu_moods_check(m, &is, why, why_len) != 0)
		return -EINVAL;
	emu_nic_apply_moods(nic, m);
	return 0;
}

void
emu_nic_apply_moods(struct emu_nic *nic, const struct emu_moods *m)
{
	nic->moods = *m;
	nic->rules.max_masks = m->masks;
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		struct emu_side *side = &nic->sides[i];

		side->pulled = nic->gone || m->link_down[side->slot];
		emu_rate_set(&side->rate, m->rate[side->slot]);
		emu_vf_set_stalls(nic, side);
	}
	emu_wire_seed(nic);
}

// The device is pulled out of its slot. The event comes from EAL's interrupt thread, as a bus's
// would.
static void
removal_alarm(void *arg)
{
	struct emu_nic *nic = arg;
	struct rte_eth_dev *tell[EMU_MAX_PORTS];
	unsigned int n = 0;

	emu_gate_enter(&nic->gate);
	nic->gone = true;
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		nic->sides[i].pulled = true;
		if (nic->ports[i] != NULL)
			tell[n++] = nic->ports[i]->dev;
	}
	emu_gate_leave(&nic->gate);
	emu_firmware_links(nic);
	for (unsigned int i = 0; i < n; i++)
		rte_eth_dev_callback_process(tell[i], RTE_ETH_EVENT_INTR_RMV, NULL);
}

void
emu_nic_cancel_removal(struct emu_nic *nic)
{
	rte_eal_alarm_cancel(removal_alarm, nic);
}

void
emu_nic_plan_removal(struct emu_nic *nic)
{
	uint32_t ms = nic->moods.remove_ms;

	emu_nic_cancel_removal(nic);
	if (ms > 0 && !nic->gone && rte_eal_alarm_set(ms * 1000ULL, removal_alarm, nic) != 0)
		EMU_LOG(WARNING, "%s: remove_ms=%u: there is no alarm for it", nic->name, ms);
}

int
emu_nic_set_moods(struct emu_nic *nic, const char *text, char *why, size_t why_len)
{
	char *copy = strdup(text);
	struct emu_moods m;
	uint32_t remove_ms;
	int ret;

	if (copy == NULL) {
		snprintf(why, why_len, "no memory");
		return -ENOMEM;
	}
	emu_gate_enter(&nic->gate);
	m = nic->moods;
	remove_ms = m.remove_ms;
	ret = read_moods(&m, copy, why, why_len);
	if (ret == 0)
		ret = apply(nic, &m, why, why_len);
	emu_gate_leave(&nic->gate);
	if (ret == 0)
		emu_firmware_links(nic);
	if (ret == 0 && m.remove_ms != remove_ms)
		emu_nic_plan_removal(nic);
	free(copy);
	return ret;
}
