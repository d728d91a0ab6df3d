// SPDX-License-Identifier: BSD-3-Clause
#include "backend/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "backend/kinds.h"

const struct emu_backend_ops *
emu_backend_kind(size_t i)
{
	static const struct emu_backend_ops *(*const kinds[])(void) = {
		emu_backend_ethdev,
		emu_backend_generator,
		emu_backend_replay,
		emu_backend_sink,
		emu_backend_vhost,
	};

	return i < RTE_DIM(kinds) ? kinds[i]() : NULL;
}

static const struct emu_backend_ops *
find_kind(const char *name, size_t len)
{
	const struct emu_backend_ops *ops;

	for (size_t i = 0; (ops = emu_backend_kind(i)) != NULL; i++)
		if (strlen(ops->kind) == len && memcmp(ops->kind, name, len) == 0)
			return ops;
	return NULL;
}

static int
unknown_kind(const char *text, char *why, size_t why_len)
{
	int used = snprintf(why, why_len,
		"\"%.*s\" is no kind of backend, known are:", (int)strcspn(text, ","), text);
	const struct emu_backend_ops *ops;

	for (size_t i = 0; (ops = emu_backend_kind(i)) != NULL; i++)
		if (used >= 0 && (size_t)used < why_len)
			used += snprintf(why + used, why_len - used, " %s", ops->kind);
	return -EINVAL;
}

// Checks that brackets close, in order, and takes the outer pair off.
static char *
strip_brackets(const char *text, char *why, size_t why_len)
{
	size_t len = strlen(text);
	int depth = 0;

	for (size_t i = 0; i < len && depth >= 0; i++) {
		depth += (text[i] == '[') - (text[i] == ']');
		if (text[0] == '[' && depth == 0 && i + 1 < len)
			depth = -1;
	}
	if (depth != 0) {
		snprintf(why, why_len, "the brackets of \"%s\" do not match", text);
		return NULL;
	}
	return len > 1 && text[0] == '[' ? strndup(text + 1, len - 2) : strdup(text);
}

int
emu_backend_open(const struct emu_backend_env *env, const char *text, struct emu_backend **out,
	char *why, size_t why_len)
{
	const struct emu_backend_ops *ops;
	char *plain;
	size_t kind_len;
	int rc;

	*out = NULL;
	if (why_len > 0)
		why[0] = '\0';
	plain = strip_brackets(text, why, why_len);
	if (plain == NULL)
		return -EINVAL;
	kind_len = strcspn(plain, ",");
	ops = find_kind(plain, kind_len);
	if (ops == NULL)
		rc = unknown_kind(plain, why, why_len);
	else
		rc = ops->open(
			env, plain[kind_len] == ',' ? plain + kind_len + 1 : "", out, why, why_len);
	free(plain);
	return rc;
}
