// SPDX-License-Identifier: BSD-3-Clause
#include "assign/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "rte_pmd_emunic.h"

#define FAIL(...) (snprintf(why, why_len, __VA_ARGS__), -EINVAL)
#define KBPS_MAX 400000000U

static const struct {
	const char *name;
	uint32_t min, max;
	size_t at;
} numbers[] = {
	{"heavy", 1, KBPS_MAX, offsetof(struct emu_assign_conf, heavy)},
	{"light", 0, KBPS_MAX, offsetof(struct emu_assign_conf, light)},
	{"shared_load", 0, KBPS_MAX, offsetof(struct emu_assign_conf, shared_load)},
	{"window", 1, 10000, offsetof(struct emu_assign_conf, window)},
	{"hold", 0, 600000, offsetof(struct emu_assign_conf, hold)},
	{"idle", 1, 3600000, offsetof(struct emu_assign_conf, idle)},
	{"exclusive_max", 0, EMU_MAX_QUEUES, offsetof(struct emu_assign_conf, exclusive_max)},
	{"shared_max", 0, EMU_MAX_QUEUES, offsetof(struct emu_assign_conf, shared_max)},
	{"flows", 1, EMU_ASSIGN_MAX_FLOWS, offsetof(struct emu_assign_conf, flows)},
};

static const struct {
	const char *name;
	uint32_t flag;
} traits[] = {
	{"source", RTE_PMD_EMUNIC_ALIKE_SOURCE},
	{"vlan", RTE_PMD_EMUNIC_ALIKE_VLAN},
	{"pcp", RTE_PMD_EMUNIC_ALIKE_PCP},
	{"dscp", RTE_PMD_EMUNIC_ALIKE_DSCP},
	{"destination", RTE_PMD_EMUNIC_ALIKE_DESTINATION},
	{"mark", RTE_PMD_EMUNIC_ALIKE_MARK},
	{"rate", RTE_PMD_EMUNIC_ALIKE_RATE},
};

void
emu_assign_defaults(struct emu_assign_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->heavy = 100000;
	conf->shared_load = 1000000;
	conf->window = 10;
	conf->hold = 20;
	conf->idle = 2000;
	conf->flows = 4096;
	conf->overflow = EMU_MIX;
}

static bool
read_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < min || v > max)
		return false;
	*out = v;
	return true;
}

// "1-3+7", each queue once.
static bool
read_queues(struct emu_assign_conf *conf, char *text)
{
	bool seen[EMU_MAX_QUEUES] = {false};
	char *rest;

	conf->n_queues = 0;
	for (char *part = strtok_r(text, "+", &rest); part != NULL;
		part = strtok_r(NULL, "+", &rest)) {
		char *dash = strchr(part, '-');
		uint32_t first, last;

		if (dash != NULL)
			*dash = '\0';
		if (!read_number(part, 0, EMU_MAX_QUEUES - 1, &first) ||
			!read_number(
				dash != NULL ? dash + 1 : part, first, EMU_MAX_QUEUES - 1, &last))
			return false;
		for (uint32_t q = first; q <= last; q++) {
			if (seen[q])
				return false;
			seen[q] = true;
			conf->queues[conf->n_queues++] = q;
		}
	}
	return conf->n_queues > 0;
}

static bool
read_alike(struct emu_assign_conf *conf, char *text)
{
	char *rest;

	conf->alike = 0;
	if (strcmp(text, "none") == 0)
		return true;
	for (char *part = strtok_r(text, "+", &rest); part != NULL;
		part = strtok_r(NULL, "+", &rest)) {
		uint32_t flag = 0;

		for (unsigned int i = 0; i < RTE_DIM(traits); i++)
			if (strcmp(traits[i].name, part) == 0)
				flag = traits[i].flag;
		if (flag == 0)
			return false;
		conf->alike |= flag;
	}
	return conf->alike != 0;
}

static bool
read_overflow(struct emu_assign_conf *conf, const char *text)
{
	uint32_t queue;

	if (strcmp(text, "mix") == 0) {
		conf->overflow = EMU_MIX;
		return true;
	}
	if (!read_number(text, 0, EMU_MAX_QUEUES - 1, &queue))
		return false;
	conf->overflow = queue;
	return true;
}

static int
set_one(struct emu_assign_conf *conf, const char *key, char *value, char *why, size_t why_len)
{
	char given[64];

	snprintf(given, sizeof(given), "%s", value); // the readers cut the value up
	if (strcmp(key, "queues") == 0)
		return read_queues(conf, value)
			       ? 0
			       : FAIL("queues=%s: expected queues of 0 to %d, each once, as in "
				      "1-3+7",
					 given, EMU_MAX_QUEUES - 1);
	if (strcmp(key, "alike") == 0)
		return read_alike(conf, value)
			       ? 0
			       : FAIL("alike=%s: expected none, or some of source, vlan, pcp, "
				      "dscp, destination, mark, rate, as in source+dscp",
					 given);
	if (strcmp(key, "overflow") == 0)
		return read_overflow(conf, value)
			       ? 0
			       : FAIL("overflow=%s: expected mix, or a queue of 0 to %d", given,
					 EMU_MAX_QUEUES - 1);
	for (unsigned int i = 0; i < RTE_DIM(numbers); i++) {
		if (strcmp(numbers[i].name, key) != 0)
			continue;
		if (!read_number(value, numbers[i].min, numbers[i].max,
			    (uint32_t *)((char *)conf + numbers[i].at)))
			return FAIL("%s=%s: expected a number from %u to %u", key, given,
				numbers[i].min, numbers[i].max);
		return 0;
	}
	return FAIL("there is no '%s'; a group has queues, alike, overflow, heavy, light, "
		    "shared_load, window, hold, idle, exclusive_max, shared_max, flows",
		key);
}

static int
check(const struct emu_assign_conf *conf, char *why, size_t why_len)
{
	if (conf->n_queues == 0)
		return FAIL("a group needs queues, as in queues=1-3+7");
	if (conf->light > conf->heavy)
		return FAIL("light=%u is above heavy=%u, so a flow would be both", conf->light,
			conf->heavy);
	for (uint16_t i = 0; i < conf->n_queues; i++)
		if (conf->queues[i] == conf->overflow)
			return FAIL("overflow=%u is one of the group's own queues", conf->overflow);
	return 0;
}

int
emu_assign_parse(struct emu_assign_conf *conf, const char *text, char *why, size_t why_len)
{
	struct emu_assign_conf fresh = *conf;
	char *copy = strdup(text != NULL ? text : ""), *rest;
	int ret = copy == NULL ? -ENOMEM : 0;

	if (ret != 0)
		snprintf(why, why_len, "no memory");
	for (char *part = ret == 0 ? strtok_r(copy, ",", &rest) : NULL; ret == 0 && part != NULL;
		part = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(part, '=');

		if (equals != NULL)
			*equals = '\0';
		ret = equals == NULL ? FAIL("'%s': expected key=value", part)
				     : set_one(&fresh, part, equals + 1, why, why_len);
	}
	free(copy);
	if (ret == 0)
		ret = check(&fresh, why, why_len);
	if (ret == 0)
		*conf = fresh;
	return ret;
}

static size_t __rte_format_printf(4, 5) put(char *out, size_t at, size_t len, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (at >= len)
		return at;
	va_start(ap, fmt);
	n = vsnprintf(out + at, len - at, fmt, ap);
	va_end(ap);
	return at + (n > 0 ? n : 0);
}

void
emu_assign_alike_text(uint32_t alike, char *out, size_t len)
{
	size_t at = put(out, 0, len, "%s", alike == 0 ? "none" : "");

	for (unsigned int i = 0; i < RTE_DIM(traits); i++)
		if (alike & traits[i].flag)
			at = put(out, at, len, "%s%s", at > 0 ? "+" : "", traits[i].name);
}

void
emu_assign_text(const struct emu_assign_conf *conf, char *out, size_t len)
{
	char alike[64];
	size_t at = put(out, 0, len, "queues=");

	for (uint16_t i = 0; i < conf->n_queues; i++)
		at = put(out, at, len, "%s%u", i > 0 ? "+" : "", conf->queues[i]);
	emu_assign_alike_text(conf->alike, alike, sizeof(alike));
	at = put(out, at, len, ",alike=%s,overflow=", alike);
	at = conf->overflow == EMU_MIX ? put(out, at, len, "mix")
				       : put(out, at, len, "%u", conf->overflow);
	for (unsigned int i = 0; i < RTE_DIM(numbers); i++)
		at = put(out, at, len, ",%s=%u", numbers[i].name,
			*(const uint32_t *)((const char *)conf + numbers[i].at));
}
