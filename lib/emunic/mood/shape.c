// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mood/moods.h"
#include "rte_flow/support.h"

// Shapes that the NIC refuses: lists of items.

// The row of the item with this name, of n bytes; -1: there is none. VOID says nothing.
static int
find_item(const char *name, size_t n)
{
	const struct emu_support *s;

	for (unsigned int i = 0; (s = emu_support_item(i)) != NULL; i++)
		if (strlen(s->name) == n && strncasecmp(s->name, name, n) == 0)
			return strcmp(s->name, "VOID") != 0 ? (int)i : -1;
	return -1;
}

bool
emu_moods_add_shape(struct emu_moods *m, const char *text)
{
	struct emu_item_list list = {0};

	for (const char *at = text; at != NULL;) {
		size_t n = strcspn(at, "/");
		int row = find_item(at, n);

		if (row < 0 || list.n == EMU_SHAPE_ITEMS)
			return false;
		list.row[list.n++] = row;
		at = at[n] == '/' ? at + n + 1 : NULL;
	}
	if (m->n_shapes == EMU_MAX_SHAPES)
		return false;
	m->shape[m->n_shapes++] = list;
	return true;
}

void
emu_moods_shape(const struct emu_moods *m, unsigned int i, char *out, size_t len)
{
	const struct emu_item_list *list = &m->shape[i];
	size_t at = snprintf(out, len, "shape.");

	for (unsigned int k = 0; k < list->n && at < len; k++) {
		const char *name = emu_support_item(list->row[k])->name;

		at += snprintf(out + at, len - at, "%s%s", k > 0 ? "/" : "", name);
	}
	for (; *out != '\0'; out++)
		if (*out >= 'A' && *out <= 'Z')
			*out += 'a' - 'A';
}

bool
emu_moods_shape_refused(
	const struct emu_moods *m, const struct emu_item_list *items, char *name, size_t len)
{
	for (unsigned int i = 0; i < m->n_shapes; i++) {
		if (m->shape[i].n != items->n || memcmp(m->shape[i].row, items->row, items->n) != 0)
			continue;
		emu_moods_shape(m, i, name, len);
		return true;
	}
	return false;
}
