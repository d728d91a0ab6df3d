// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "mood/profile.h"
#include "rte_flow/support.h"

// Prints config/EMUNIC-PROFILES.md: what each profile of the emulated NIC models, and where each
// figure is from.

static const char *const limits[] = {"capacity", "group_capacity", "masks", "insert_us",
	"insert_rate", "counter_lag", "stop_flush", "proxy_flush", "mark_max"};

static const struct emu_profile_figure *
figure(const struct emu_profile *p, const char *key)
{
	for (unsigned int i = 0; i < RTE_DIM(p->figures) && p->figures[i].key != NULL; i++)
		if (strcmp(p->figures[i].key, key) == 0)
			return &p->figures[i];
	return NULL;
}

static uint32_t
standard(const char *key)
{
	struct emu_moods m;
	uint32_t value;
	const char *name;

	emu_moods_init(&m);
	for (unsigned int i = 0; (name = emu_moods_number(&m, i, &value)) != NULL; i++)
		if (strcmp(name, key) == 0)
			return value;
	return 0;
}

static void
print(const struct emu_profile *p)
{
	printf("## `profile=%s`\n\n%s.\n\n", p->name, p->models);
	printf("| | accepts, of what the emulated NIC knows | from |\n| --- | --- | --- |\n");
	for (int action = 0; action < 2; action++) {
		const struct emu_support *s;
		struct emu_moods m;
		char why[256];

		emu_moods_init(&m);
		emu_profile_apply(p->name, &m, why, sizeof(why));
		printf("| %s |", action ? "actions" : "items");
		for (unsigned int i = 0;
			(s = action ? emu_support_action(i) : emu_support_item(i)) != NULL; i++)
			if (!emu_moods_refused(&m, action, i, why, sizeof(why)))
				printf(" %s", s->name);
		printf(" | %s |\n", p->source);
	}
	printf("\n| limit | value | from |\n| --- | --- | --- |\n");
	for (unsigned int i = 0; i < RTE_DIM(limits); i++) {
		const struct emu_profile_figure *f = figure(p, limits[i]);

		if (f != NULL)
			printf("| `%s` | %s | %s |\n", f->key, f->value, f->source);
		else
			printf("| `%s` | %u | assumed: the default |\n", limits[i],
				standard(limits[i]));
	}
}

int
main(void)
{
	printf("# Profiles of the emulated NIC\n\n"
	       "Made from the table in `lib/emunic/mood/profile.c` by `ninja update-docs`. A "
	       "profile is "
	       "a set of limits and moods; arguments behind it override them.\n");
	for (unsigned int i = 0; emu_profile(i) != NULL; i++) {
		printf("\n");
		print(emu_profile(i));
	}
	return 0;
}
