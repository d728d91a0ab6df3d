// SPDX-License-Identifier: BSD-3-Clause
#include "moods.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_flow.h>

#define FAIL(...) (snprintf(why, why_len, __VA_ARGS__), -EINVAL)

static const struct knob {
	const char *name;
	uint32_t min, max;
	size_t at;
} knobs[] = {
	{"capacity", 1, 1U << 20, offsetof(struct emu_moods, capacity)},
	{"masks", 0, 1U << 20, offsetof(struct emu_moods, masks)},
	{"insert_us", 0, 10000000, offsetof(struct emu_moods, insert_us)},
	{"insert_rate", 0, 1000000000, offsetof(struct emu_moods, insert_rate)},
	{"counter_lag", 0, 600000, offsetof(struct emu_moods, counter_lag)},
	{"stop_flush", 0, 1, offsetof(struct emu_moods, stop_flush)},
	{"proxy_flush", 0, 1, offsetof(struct emu_moods, proxy_flush)},
	{"fail_next", 0, 1000000000, offsetof(struct emu_moods, fail_next)},
	{"fail_errno", 1, 133, offsetof(struct emu_moods, fail_errno)},
	{"dead_next", 0, 1000000000, offsetof(struct emu_moods, dead_next)},
};

static const struct {
	const char *name;
	bool action;
	int type;
} refusable[] = {
	{"item.eth", false, RTE_FLOW_ITEM_TYPE_ETH},
	{"item.vlan", false, RTE_FLOW_ITEM_TYPE_VLAN},
	{"item.ipv4", false, RTE_FLOW_ITEM_TYPE_IPV4},
	{"item.ipv6", false, RTE_FLOW_ITEM_TYPE_IPV6},
	{"item.tcp", false, RTE_FLOW_ITEM_TYPE_TCP},
	{"item.udp", false, RTE_FLOW_ITEM_TYPE_UDP},
	{"item.represented_port", false, RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT},
	{"item.port_representor", false, RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR},
	{"item.port_id", false, RTE_FLOW_ITEM_TYPE_PORT_ID},
	{"action.queue", true, RTE_FLOW_ACTION_TYPE_QUEUE},
	{"action.mark", true, RTE_FLOW_ACTION_TYPE_MARK},
	{"action.count", true, RTE_FLOW_ACTION_TYPE_COUNT},
	{"action.drop", true, RTE_FLOW_ACTION_TYPE_DROP},
	{"action.represented_port", true, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT},
	{"action.port_representor", true, RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR},
	{"action.port_id", true, RTE_FLOW_ACTION_TYPE_PORT_ID},
};
static_assert(RTE_DIM(refusable) <= 64, "refuse has a bit for each");

void
emu_moods_init(struct emu_moods *m)
{
	memset(m, 0, sizeof(*m));
	m->capacity = 1024;
	m->fail_errno = EIO;
}

static int
set_number(struct emu_moods *m, const struct knob *k, const char *text, char *why, size_t why_len)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < k->min ||
		v > k->max)
		return FAIL(
			"%s=%s: expected a number from %u to %u", k->name, text, k->min, k->max);
	*(uint32_t *)((char *)m + k->at) = v;
	return 0;
}

// Takes the next entry of a list to out. Returns what is behind it, or NULL at the end.
static const char *
next_entry(const char *list, char *out, size_t len)
{
	size_t n = strcspn(list, "+");

	snprintf(out, len, "%.*s", (int)RTE_MIN(n, len), list);
	return list[n] == '+' ? &list[n + 1] : NULL;
}

static int
set_refuse(struct emu_moods *m, const char *list, char *why, size_t why_len)
{
	uint64_t bits = 0;
	char entry[40];

	for (const char *at = strcmp(list, "none") == 0 ? NULL : list; at != NULL;) {
		unsigned int i = 0;

		at = next_entry(at, entry, sizeof(entry));
		while (i < RTE_DIM(refusable) && strcmp(refusable[i].name, entry) != 0)
			i++;
		if (i == RTE_DIM(refusable))
			return FAIL("refuse: '%s' is neither an item nor an action of the NIC, as "
				    "in item.vlan+action.mark",
				entry);
		bits |= UINT64_C(1) << i;
	}
	m->refuse = bits;
	return 0;
}

int
emu_moods_set(struct emu_moods *m, const char *key, const char *value, char *why, size_t why_len)
{
	for (unsigned int i = 0; i < RTE_DIM(knobs); i++)
		if (strcmp(knobs[i].name, key) == 0)
			return set_number(m, &knobs[i], value, why, why_len);
	if (strcmp(key, "refuse") == 0)
		return set_refuse(m, value, why, why_len);
	return -ENOENT;
}

const char *
emu_moods_number(const struct emu_moods *m, unsigned int i, uint32_t *value)
{
	if (i >= RTE_DIM(knobs))
		return NULL;
	*value = *(const uint32_t *)((const char *)m + knobs[i].at);
	return knobs[i].name;
}

const char *
emu_moods_refusable(unsigned int i)
{
	return i < RTE_DIM(refusable) ? refusable[i].name : NULL;
}

const char *
emu_moods_refused(const struct emu_moods *m, bool action, int type)
{
	for (unsigned int i = 0; i < RTE_DIM(refusable); i++) {
		if ((m->refuse >> i & 1) && refusable[i].action == action &&
			refusable[i].type == type)
			return refusable[i].name;
	}
	return NULL;
}
