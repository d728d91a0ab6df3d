// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "assign/conf.h"
#include "rte_pmd_emunic.h"
#include "rte_flow/async.h"
#include "rte_flow/shared.h"
#include "mood/moods.h"
#include "rte_flow/support.h"
#include "eswitch/table.h"
#include "eswitch/walk.h"

// config/EMUNIC.md, from the tables that the driver goes by.

static void
put_domains(FILE *f, uint8_t domains)
{
	fprintf(f, "%s | %s | %s", domains & EMU_ON_INGRESS ? "yes" : "-",
		domains & EMU_ON_EGRESS ? "yes" : "-", domains & EMU_ON_TRANSFER ? "yes" : "-");
}

static void
put_name(FILE *f, const char *name)
{
	fputc('`', f);
	for (; *name != '\0'; name++)
		fputc(tolower(*name), f);
	fputc('`', f);
}

static void
put_items(FILE *f)
{
	const struct emu_item *item;

	fputs("## Items\n\nA field in *italics* also takes a range, from spec to last.\n\n"
	      "| item | ingress | egress | transfer | fields | |\n"
	      "| --- | --- | --- | --- | --- | --- |\n",
		f);
	for (unsigned int i = 0; (item = emu_support_fields(i)) != NULL; i++) {
		fputs("| ", f);
		put_name(f, item->row.name);
		fputs(" | ", f);
		put_domains(f, item->row.domains);
		fputs(" | ", f);
		for (const struct emu_item_field *d = item->fields; d != NULL && d->name != NULL;
			d++)
			fprintf(f, d->kind == EMU_MATCH_RANGE ? "%s*%s*" : "%s%s",
				d == item->fields ? "" : ", ", d->name);
		fprintf(f, " | %s |\n", item->row.note);
	}
}

static void
put_actions(FILE *f)
{
	const struct emu_support *s;

	fputs("\n## Actions\n\n| action | ingress | egress | transfer | |\n"
	      "| --- | --- | --- | --- | --- |\n",
		f);
	for (unsigned int i = 0; (s = emu_support_action(i)) != NULL; i++) {
		fputs("| ", f);
		put_name(f, s->name);
		fputs(" | ", f);
		put_domains(f, s->domains);
		fprintf(f, " | %s |\n", s->note);
	}
}

static void
put_limits(FILE *f)
{
	struct emu_moods m;

	emu_moods_init(&m);
	fputs("\n## Attributes\n\n"
	      "| attribute | |\n| --- | --- |\n"
	      "| `ingress`, `egress`, `transfer` | exactly one |\n"
	      "| `group` | any; a miss in a group above 0 is a miss in group 0 "
	      "(`jump_miss_drop=`) |\n"
	      "| `priority` | any; the lower number wins, then the more exact mask, then the "
	      "older rule |\n",
		f);
	fprintf(f,
		"\n## Limits\n\n| what | how many |\n| --- | --- |\n"
		"| rules of a NIC | `capacity=`, %u unless told |\n"
		"| rules of a group | `group_capacity=`, no limit unless told |\n"
		"| distinct masks | `masks=`, no limit unless told |\n"
		"| jumps of a packet | %u |\n"
		"| rules of a group that let a packet pass | %u |\n"
		"| ranges in a rule | %u |\n"
		"| rules that differ in their ranges only | %u |\n"
		"| tags | %u |\n"
		"| queue groups of a port, flows that one knows | %u, `flows=` to %u |\n"
		"| shared actions of a port | %u |\n"
		"| queues of a port, operations in each | %u, %u |\n"
		"| items or actions of a template | %u |\n",
		m.capacity, EMU_MAX_JUMPS, EMU_MAX_PASSES, EMU_MAX_RANGES, EMU_MAX_SAME, EMU_TAGS,
		RTE_PMD_EMUNIC_GROUPS, EMU_ASSIGN_MAX_FLOWS, EMU_MAX_HANDLES, EMU_ASYNC_QUEUES,
		EMU_ASYNC_SIZE, EMU_TEMPLATE_ITEMS);
}

char *
emu_support_page(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	fputs("# What rte_flow on the emulated NIC takes\n\n"
	      "Written by `ninja update-docs` from the tables that the driver goes by "
	      "(lib/emunic/rte_flow/support.h).\n"
	      "What is not here is refused, with the error's type, its cause and a message.\n\n",
		f);
	put_items(f);
	put_actions(f);
	put_limits(f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
