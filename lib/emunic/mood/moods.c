// SPDX-License-Identifier: BSD-3-Clause
#include "mood/moods.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "rte_flow/support.h"

#define FAIL(...) (snprintf(why, why_len, __VA_ARGS__), -EINVAL)

static const struct knob {
	const char *name;
	uint32_t min, max;
	size_t at;
} knobs[] = {
	{"capacity", 1, 1U << 20, offsetof(struct emu_moods, capacity)},
	{"group_capacity", 0, 1U << 20, offsetof(struct emu_moods, group_capacity)},
	{"jump_miss_drop", 0, 1, offsetof(struct emu_moods, jump_miss_drop)},
	{"pf_proxy", 0, 1, offsetof(struct emu_moods, pf_proxy)},
	{"masks", 0, 1U << 20, offsetof(struct emu_moods, masks)},
	{"insert_us", 0, 10000000, offsetof(struct emu_moods, insert_us)},
	{"insert_rate", 0, 1000000000, offsetof(struct emu_moods, insert_rate)},
	{"counter_lag", 0, 600000, offsetof(struct emu_moods, counter_lag)},
	{"stop_flush", 0, 1, offsetof(struct emu_moods, stop_flush)},
	{"proxy_flush", 0, 1, offsetof(struct emu_moods, proxy_flush)},
	{"fail_next", 0, 1000000000, offsetof(struct emu_moods, fail_next)},
	{"fail_errno", 1, 133, offsetof(struct emu_moods, fail_errno)},
	{"dead_next", 0, 1000000000, offsetof(struct emu_moods, dead_next)},
	{"fail_start", 0, 1000000000, offsetof(struct emu_moods, fail_start)},
	{"loss", 0, 1000000, offsetof(struct emu_moods, loss)},
	{"late", 0, 1000000, offsetof(struct emu_moods, late)},
	{"seed", 0, INT32_MAX, offsetof(struct emu_moods, seed)},
	{"mark_max", 0, UINT32_MAX, offsetof(struct emu_moods, mark_max)},
	{"mbox_rate", 0, 1000000, offsetof(struct emu_moods, mbox_rate)},
	{"remove_ms", 0, 86400000, offsetof(struct emu_moods, remove_ms)},
};

// The i-th name of refuse=, items first; false after the last. VOID and END cannot be refused.
static bool
refusable(unsigned int i, bool *action, unsigned int *row, char *name, size_t len)
{
	const struct emu_support *s;
	unsigned int n_items = 0;
	size_t at;

	while (emu_support_item(n_items) != NULL)
		n_items++;
	*action = i >= n_items;
	*row = *action ? i - n_items : i;
	s = *action ? emu_support_action(*row) : emu_support_item(*row);
	if (s == NULL)
		return false;
	at = snprintf(name, len, "%s.", *action ? "action" : "item");
	for (const char *c = s->name; *c != '\0' && at + 1 < len; c++)
		name[at++] = tolower(*c);
	name[at] = '\0';
	return true;
}

void
emu_moods_init(struct emu_moods *m)
{
	memset(m, 0, sizeof(*m));
	m->capacity = 1024;
	m->fail_errno = EIO;
	m->mark_max = UINT32_MAX;
	m->mbox_rate = 100;
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

	// One that is longer than any that there is: never the beginning of it.
	snprintf(out, len, "%.*s", n < len ? (int)n : 0, list);
	return list[n] == '+' ? &list[n + 1] : NULL;
}

static bool
add_link_down(struct emu_moods *m, const char *entry)
{
	unsigned int slot;

	if (!emu_side_slot(entry, &slot))
		return false;
	m->link_down[slot] = true;
	return true;
}

// pf.rxN, repN.txN, vfN.rxN
static bool
add_stall(struct emu_moods *m, const char *entry)
{
	const char *dot = strchr(entry, '.');
	unsigned int slot, queue;
	uint64_t *set;
	char name[16];
	bool vf;

	if (dot == NULL || dot - entry >= (int)sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(dot - entry), entry);
	vf = name[0] == 'v';
	if (!(vf ? emu_side_slot(name, &slot) : emu_host_slot(name, &slot)))
		return false;
	if ((strncmp(dot, ".rx", 3) != 0 && strncmp(dot, ".tx", 3) != 0) ||
		!emu_name_number(dot + 3, vf ? EMU_MAX_VF_QUEUES : EMU_MAX_QUEUES, &queue))
		return false;
	if (vf)
		set = (dot[1] == 'r' ? m->stall_vf_rx : m->stall_vf_tx)[emu_slot_number(slot)];
	else
		set = (dot[1] == 'r' ? m->stall_rx : m->stall_tx)[slot];
	set[queue / 64] |= UINT64_C(1) << queue % 64;
	return true;
}

// wire:MBPS, vfN:MBPS
static bool
add_rate(struct emu_moods *m, const char *entry)
{
	const char *colon = strchr(entry, ':');
	unsigned int slot;
	unsigned long rate;
	char name[16];
	size_t n;

	if (colon == NULL || colon - entry >= (int)sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - entry), entry);
	n = strspn(colon + 1, "0123456789");
	if (!emu_side_slot(name, &slot) || n == 0 || n > 6 || colon[1 + n] != '\0')
		return false;
	rate = strtoul(colon + 1, NULL, 10);
	m->rate[slot] = rate;
	return rate <= EMU_MAX_RATE;
}

static bool
add_refuse(struct emu_moods *m, const char *entry)
{
	unsigned int row;
	char name[40];
	bool action;

	if (strncmp(entry, "shape.", 6) == 0)
		return emu_moods_add_shape(m, entry + 6);
	for (unsigned int i = 0; refusable(i, &action, &row, name, sizeof(name)); i++) {
		if (strcmp(name, entry) == 0) {
			m->refuse[action] |= UINT64_C(1) << row;
			return true;
		}
	}
	return false;
}

static const struct {
	const char *name;
	const char *expected;
	bool (*add)(struct emu_moods *m, const char *entry);
} lists[EMU_MOOD_LISTS] = {
	[EMU_MOOD_REFUSE] = {"refuse",
		"is neither an item nor an action of the NIC, nor a shape of up to 12 of its items "
		"(8 shapes at most), as in item.vlan+action.mark+shape.eth/ipv4/sctp",
		add_refuse},
	[EMU_MOOD_LINK_DOWN] = {"link_down", "is not a side, as in wire+vf0", add_link_down},
	[EMU_MOOD_STALL] = {"stall", "is not a queue, as in pf.rx0+rep1.tx0+vf0.rx1", add_stall},
	[EMU_MOOD_RATE] = {"rate",
		"is not a side and its rate of 0 to 400000 Mbit/s, as in vf0:100+wire:40000",
		add_rate},
};

static int
set_list(struct emu_moods *m, unsigned int list, const char *text, char *why, size_t why_len)
{
	struct emu_moods fresh = *m;
	char entry[EMU_MOOD_TEXT];

	if (list == EMU_MOOD_REFUSE) {
		memset(fresh.refuse, 0, sizeof(fresh.refuse));
		fresh.n_shapes = 0;
	}
	if (list == EMU_MOOD_LINK_DOWN)
		memset(fresh.link_down, 0, sizeof(fresh.link_down));
	if (list == EMU_MOOD_STALL) {
		memset(fresh.stall_rx, 0, sizeof(fresh.stall_rx));
		memset(fresh.stall_tx, 0, sizeof(fresh.stall_tx));
		memset(fresh.stall_vf_rx, 0, sizeof(fresh.stall_vf_rx));
		memset(fresh.stall_vf_tx, 0, sizeof(fresh.stall_vf_tx));
	}
	if (list == EMU_MOOD_RATE)
		memset(fresh.rate, 0, sizeof(fresh.rate));
	for (const char *at = strcmp(text, "none") == 0 ? NULL : text; at != NULL;) {
		at = next_entry(at, entry, sizeof(entry));
		if (!lists[list].add(&fresh, entry))
			return FAIL("%s: '%s' %s", lists[list].name, entry, lists[list].expected);
	}
	*m = fresh;
	return 0;
}

static bool
any_queue(const uint64_t *set, unsigned int words)
{
	for (unsigned int w = 0; w < words; w++)
		if (set[w] != 0)
			return true;
	return false;
}

static int
check_slot(const struct emu_moods *m, unsigned int slot, const char *has, char *why, size_t why_len)
{
	char side[16], host[16];

	emu_side_name(slot, side, sizeof(side));
	emu_host_name(slot, host, sizeof(host));
	if (m->link_down[slot])
		return FAIL("link_down: the NIC has %s, so no %s", has, side);
	if (any_queue(m->stall_rx[slot], EMU_QUEUE_WORDS) ||
		any_queue(m->stall_tx[slot], EMU_QUEUE_WORDS))
		return FAIL("stall: the NIC has %s, so no %s", has, host);
	if (m->rate[slot] != 0)
		return FAIL("rate: the NIC has %s, so no %s", has, side);
	return 0;
}

// The queues of a host port that is there: it has n.
static int
check_queues(
	const struct emu_moods *m, unsigned int slot, unsigned int n, char *why, size_t why_len)
{
	char host[16];

	emu_host_name(slot, host, sizeof(host));
	for (unsigned int q = n; q < EMU_MAX_QUEUES; q++) {
		bool rx = emu_has_queue(m->stall_rx[slot], q);

		if (rx || emu_has_queue(m->stall_tx[slot], q))
			return FAIL("stall: %s has %u %s, so no %s.%s%u", host, n,
				n == 1 ? "queue" : "queues", host, rx ? "rx" : "tx", q);
	}
	return 0;
}

int
emu_moods_check(const struct emu_moods *m, const struct emu_extent *is, char *why, size_t why_len)
{
	for (unsigned int slot = 0; slot < EMU_SLOTS; slot++) {
		unsigned int n = emu_slot_number(slot);
		bool wire = emu_slot_is_wire(slot);
		unsigned int sides = wire ? is->wires : is->vfs;
		char has[16];
		int ret;

		if (n < sides) {
			ret = check_queues(
				m, slot, wire ? is->queues : is->rep_queues, why, why_len);
			if (ret != 0)
				return ret;
			continue;
		}
		snprintf(has, sizeof(has), "%u %s", sides,
			!wire        ? "VFs"
			: sides == 1 ? "port"
				     : "ports");
		ret = check_slot(m, slot, has, why, why_len);
		if (ret != 0)
			return ret;
		if (!wire && (any_queue(m->stall_vf_rx[n], EMU_VF_QUEUE_WORDS) ||
				     any_queue(m->stall_vf_tx[n], EMU_VF_QUEUE_WORDS)))
			return FAIL("stall: the NIC has %s, so no vf%u", has, n);
	}
	return 0;
}

int
emu_moods_set(struct emu_moods *m, const char *key, const char *value, char *why, size_t why_len)
{
	for (unsigned int i = 0; i < RTE_DIM(knobs); i++)
		if (strcmp(knobs[i].name, key) == 0)
			return set_number(m, &knobs[i], value, why, why_len);
	for (unsigned int i = 0; i < EMU_MOOD_LISTS; i++)
		if (strcmp(lists[i].name, key) == 0)
			return set_list(m, i, value, why, why_len);
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
emu_moods_list_name(enum emu_mood_list list)
{
	return lists[list].name;
}

static int
link_entry(const struct emu_moods *m, unsigned int i, char *out, size_t len)
{
	if (i >= EMU_SLOTS)
		return -1;
	emu_side_name(i, out, len);
	return m->link_down[i];
}

// All queues of host ports, then those of VFs.
static int
stall_entry(const struct emu_moods *m, unsigned int i, char *out, size_t len)
{
	const unsigned int hosts = EMU_SLOTS * 2 * EMU_MAX_QUEUES;
	bool vf = i >= hosts;
	unsigned int at = vf ? i - hosts : i, n = vf ? EMU_MAX_VF_QUEUES : EMU_MAX_QUEUES;
	unsigned int queue = at % n, slot = at / n / 2 + vf;
	bool tx = at / n % 2;
	char name[16];

	if (vf && slot > EMU_MAX_VFS)
		return -1;
	if (vf)
		emu_side_name(slot, name, sizeof(name));
	else
		emu_host_name(slot, name, sizeof(name));
	snprintf(out, len, "%s.%s%u", name, tx ? "tx" : "rx", queue);
	if (vf)
		return emu_has_queue((tx ? m->stall_vf_tx : m->stall_vf_rx)[slot - 1], queue);
	return emu_has_queue((tx ? m->stall_tx : m->stall_rx)[slot], queue);
}

static int
rate_entry(const struct emu_moods *m, unsigned int i, char *out, size_t len)
{
	char name[16];

	if (i >= EMU_SLOTS)
		return -1;
	emu_side_name(i, name, sizeof(name));
	snprintf(out, len, "%s:%u", name, m->rate[i]);
	return m->rate[i] != 0;
}

// Behind all items and actions come the shapes.
static int
shape_entry(const struct emu_moods *m, unsigned int i, char *out, size_t len)
{
	unsigned int n = 0;

	while (emu_support_item(n) != NULL)
		n++;
	for (i -= n, n = 0; emu_support_action(n) != NULL;)
		n++;
	if (i - n >= m->n_shapes)
		return -1;
	emu_moods_shape(m, i - n, out, len);
	return 1;
}

int
emu_moods_entry(
	const struct emu_moods *m, enum emu_mood_list list, unsigned int i, char *out, size_t len)
{
	unsigned int row;
	bool action;

	if (list == EMU_MOOD_LINK_DOWN)
		return link_entry(m, i, out, len);
	if (list == EMU_MOOD_STALL)
		return stall_entry(m, i, out, len);
	if (list == EMU_MOOD_RATE)
		return rate_entry(m, i, out, len);
	if (!refusable(i, &action, &row, out, len))
		return shape_entry(m, i, out, len);
	return m->refuse[action] >> row & 1;
}

bool
emu_moods_refused(const struct emu_moods *m, bool action, unsigned int row, char *name, size_t len)
{
	bool other;
	unsigned int at;

	if (!(m->refuse[action] >> row & 1))
		return false;
	for (unsigned int i = 0; refusable(i, &other, &at, name, len); i++)
		if (other == action && at == row)
			break;
	return true;
}
