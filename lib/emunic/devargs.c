// SPDX-License-Identifier: BSD-3-Clause
#include "devargs.h"

#include "mood/profile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ethdev_driver.h>
#include <rte_ether.h>
#include <rte_version.h>

struct parse {
	struct emu_devargs *out;
	char *why;
	size_t why_len;
	char seen[1024]; // keys so far, each between commas
	bool has_vfs, has_ports;
	unsigned int vfs_named;   // by representor= and vfN=
	unsigned int ports_named; // by wireK=
};

#define FAIL(p, ...) (snprintf((p)->why, (p)->why_len, __VA_ARGS__), -EINVAL)

static int
number(struct parse *p, const char *key, const char *text, uint32_t min, uint32_t max,
	uint32_t *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < min || v > max)
		return FAIL(p, "%s=%s: expected a number from %u to %u", key, text, min, max);
	*out = v;
	return 0;
}

static int
representors(struct parse *p, const char *value)
{
	struct rte_eth_devargs eda;
	char text[256];
	int ret;

	if (snprintf(text, sizeof(text), "representor=%s", value) >= (int)sizeof(text))
		return FAIL(p, "representor=%s: too long", value);
	memset(&eda, 0, sizeof(eda));
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
	ret = rte_eth_devargs_parse(text, &eda, 1);
#else
	ret = rte_eth_devargs_parse(text, &eda);
#endif
	if (ret < 0 || eda.type != RTE_ETH_REPRESENTOR_VF || eda.nb_mh_controllers > 0)
		return FAIL(p, "representor=%s: expected VFs, as in vf[0-3] or pf0vf[0-3]", value);
	for (uint16_t i = 0; i < eda.nb_ports; i++)
		if (eda.ports[i] != 0)
			return FAIL(p, "representor=%s: pf%u has no VFs, all are of pf0", value,
				eda.ports[i]);
	for (uint16_t i = 0; i < eda.nb_representor_ports; i++) {
		uint16_t vf = eda.representor_ports[i];

		if (vf >= EMU_MAX_VFS || p->out->n_reps == EMU_MAX_VFS)
			return FAIL(
				p, "representor=%s: a NIC has at most %d VFs", value, EMU_MAX_VFS);
		p->out->reps[p->out->n_reps++] = vf;
		p->vfs_named = RTE_MAX(p->vfs_named, vf + 1U);
	}
	return 0;
}

static int
backend(struct parse *p, const char *key, const char *value)
{
	size_t len = strlen(value);
	unsigned int slot, n;

	if (!emu_side_slot(key, &slot))
		return key[0] == 'v' ? FAIL(p, "%s: VFs are vf0 to vf%d", key, EMU_MAX_VFS - 1)
				     : FAIL(p, "%s: wires are wire and wire1 to wire%d", key,
					       EMU_MAX_WIRES - 1);
	n = emu_slot_number(slot);
	if (emu_slot_is_wire(slot))
		p->ports_named = RTE_MAX(p->ports_named, n + 1);
	else
		p->vfs_named = RTE_MAX(p->vfs_named, n + 1);
	if (value[0] == '[' && value[len - 1] == ']') {
		value++;
		len -= 2;
	}
	if (len == 0)
		return FAIL(p, "%s: expected a backend, as in %s=[sink]", key, key);
	p->out->backends[slot] = strndup(value, len);
	return p->out->backends[slot] != NULL ? 0 : -ENOMEM;
}

static int
firmware(struct parse *p, const char *value)
{
	static const char *const names[] = {
		[EMU_FW_THREAD] = "thread",
		[EMU_FW_SERVICE] = "service",
		[EMU_FW_INLINE] = "inline",
	};

	for (unsigned int i = 0; i < RTE_DIM(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			p->out->firmware = i;
			return 0;
		}
	}
	return FAIL(p, "firmware=%s: expected thread, service or inline", value);
}

static int
mac(struct parse *p, const char *value)
{
	struct rte_ether_addr addr;

	if (rte_ether_unformat_addr(value, &addr) != 0 || !rte_is_valid_assigned_ether_addr(&addr))
		return FAIL(
			p, "mac=%s: expected a unicast address, as in 02:00:00:00:00:01", value);
	memcpy(p->out->mac, addr.addr_bytes, 6);
	return 0;
}

static int
one(struct parse *p, const char *key, const char *value)
{
	struct emu_devargs *a = p->out;
	uint32_t n = 0;
	int ret;

	if (strcmp(key, "representor") == 0)
		return representors(p, value);
	if (strncmp(key, "wire", 4) == 0 ||
		(strncmp(key, "vf", 2) == 0 && key[2] >= '0' && key[2] <= '9'))
		return backend(p, key, value);
	if (strcmp(key, "firmware") == 0)
		return firmware(p, value);
	if (strcmp(key, "profile") == 0) {
		snprintf(a->profile, sizeof(a->profile), "%s", value);
		return emu_profile_apply(value, &a->moods, p->why, p->why_len);
	}
	if (strcmp(key, "mac") == 0)
		return mac(p, value);
	if (strcmp(key, "mbufs") == 0)
		return number(p, key, value, 256, 1U << 20, &a->mbufs);
	if (strcmp(key, "queues") == 0) {
		ret = number(p, key, value, 1, EMU_MAX_QUEUES, &n);
		a->queues = n;
	} else if (strcmp(key, "rep_queues") == 0) {
		ret = number(p, key, value, 1, EMU_MAX_QUEUES, &n);
		a->rep_queues = n;
	} else if (strcmp(key, "vfs") == 0) {
		ret = number(p, key, value, 0, EMU_MAX_VFS, &n);
		a->vfs = n;
		p->has_vfs = true;
	} else if (strcmp(key, "ports") == 0) {
		ret = number(p, key, value, 1, EMU_MAX_WIRES, &n);
		a->ports = n;
		p->has_ports = true;
	} else {
		ret = emu_moods_set(&a->moods, key, value, p->why, p->why_len);
		if (ret != -ENOENT)
			return ret;
		ret = FAIL(p, "unknown argument '%s' (expected: %s)", key, EMU_PARAM_STRING);
	}
	return ret;
}

static int
pair(struct parse *p, char *text)
{
	char *value = strchr(text, '=');
	size_t used = strlen(p->seen);
	char quoted[64];

	if (value == NULL || value == text)
		return FAIL(p, "'%s': expected KEY=VALUE", text);
	*value++ = '\0';
	if (*value == '\0')
		return FAIL(p, "%s=: the value is empty", text);
	if (snprintf(quoted, sizeof(quoted), ",%s,", text) >= (int)sizeof(quoted))
		return FAIL(p, "unknown argument '%s'", text);
	if (strstr(p->seen, quoted) != NULL)
		return FAIL(p, "%s is given twice", text);
	snprintf(p->seen + used, sizeof(p->seen) - used, "%s", quoted);
	return one(p, text, value);
}

// Cuts text at its commas outside brackets.
static int
pairs(struct parse *p, char *text)
{
	while (text != NULL) {
		char *end = text;
		int depth = 0, ret;

		for (; *end != '\0' && (*end != ',' || depth > 0); end++) {
			depth += *end == '[' ? 1 : *end == ']' ? -1 : 0;
			if (depth < 0)
				break;
		}
		if (depth != 0)
			return FAIL(p, "'%s': brackets do not match", text);
		if (*end == ',')
			*end++ = '\0';
		else
			end = NULL;
		ret = pair(p, text);
		if (ret != 0)
			return ret;
		text = end;
	}
	return 0;
}

// A locally administered address that two NICs of different names do not share, with room below
// for the representors'.
static void
default_mac(const char *name, uint8_t *addr)
{
	uint32_t h = 2166136261U;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	addr[0] = 0x02;
	addr[1] = 0xe0;
	memcpy(&addr[2], &h, 3);
	addr[5] = 0;
}

struct emu_extent
emu_devargs_extent(const struct emu_devargs *a)
{
	return (struct emu_extent){
		.vfs = a->vfs, .wires = a->ports, .queues = a->queues, .rep_queues = a->rep_queues};
}

static int
check(struct parse *p)
{
	struct emu_devargs *a = p->out;
	struct emu_extent is;

	if (p->has_vfs && p->vfs_named > a->vfs)
		return FAIL(p, "vf%u is named, but vfs=%u", p->vfs_named - 1, a->vfs);
	if (!p->has_vfs)
		a->vfs = p->vfs_named;
	if (p->has_ports && p->ports_named > a->ports)
		return FAIL(p, "wire%u is named, but ports=%u", p->ports_named - 1, a->ports);
	if (!p->has_ports)
		a->ports = RTE_MAX(p->ports_named, 1U);
	for (uint16_t i = 0; i < a->n_reps; i++)
		for (uint16_t j = 0; j < i; j++)
			if (a->reps[i] == a->reps[j])
				return FAIL(p, "representor: vf%u is named twice", a->reps[i]);
	if (a->mbufs == 0)
		a->mbufs = 2048 + 1024 * (a->vfs + a->ports);
	is = emu_devargs_extent(a);
	return emu_moods_check(&a->moods, &is, p->why, p->why_len);
}

int
emu_devargs_parse(
	const char *name, const char *text, struct emu_devargs *out, char *why, size_t why_len)
{
	struct parse p = {.out = out, .why = why, .why_len = why_len};
	char *copy;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	out->queues = 4;
	out->rep_queues = 1;
	emu_moods_init(&out->moods);
	default_mac(name, out->mac);
	snprintf(why, why_len, "no memory");
	if (text != NULL && text[0] != '\0') {
		copy = strdup(text);
		if (copy == NULL)
			return -ENOMEM;
		ret = pairs(&p, copy);
		free(copy);
	}
	if (ret == 0)
		ret = check(&p);
	if (ret != 0)
		emu_devargs_free(out);
	return ret;
}

void
emu_devargs_free(struct emu_devargs *a)
{
	for (unsigned int i = 0; i < RTE_DIM(a->backends); i++) {
		free(a->backends[i]);
		a->backends[i] = NULL;
	}
}
