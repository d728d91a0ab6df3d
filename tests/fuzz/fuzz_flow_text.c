// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "flow/text.h"

// Any text, as a match and as an action list: no crash, an error has a text, and what is accepted
// has one canonical form that is read back as the same.

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
id_of(void *ctx, const char *name)
{
	return name[0] == 'v' && name[1] >= '0' && name[1] <= '9' && name[2] == '\0' ? name[1] - '0'
										     : -2;
}

static const char *
name_of(void *ctx, uint16_t id)
{
	static const char *const names[] = {"v0", "v1", "v2", "v3", "v4"};

	return id < 5 ? names[id] : NULL;
}

static void
check_match(const char *text, const struct flow_names *names)
{
	struct flow_match m, back;
	struct sl_strbuf out;
	struct sl_err err;

	sl_err_init(&err);
	if (flow_match_parse(text, names, &m, &err) != 0) {
		if (err.code == 0 || err.text[0] == '\0')
			abort();
		return;
	}
	sl_strbuf_init(&out, 0);
	flow_match_format(&m, names, &out);
	if (flow_match_parse(sl_strbuf_str(&out), names, &back, NULL) != 0 ||
		!flow_match_equal(&m, &back))
		abort();
	sl_strbuf_fini(&out);
}

static void
check_actions(const char *text, const struct flow_names *names)
{
	struct flow_actions a, back;
	struct sl_strbuf out;
	struct sl_err err;

	sl_err_init(&err);
	if (flow_actions_parse(text, names, &a, &err) != 0) {
		if (err.code == 0 || err.text[0] == '\0')
			abort();
		return;
	}
	sl_strbuf_init(&out, 0);
	flow_actions_format(&a, names, &out);
	if (flow_actions_parse(sl_strbuf_str(&out), names, &back, NULL) != 0 ||
		memcmp(&a, &back, sizeof(a)) != 0)
		abort();
	sl_strbuf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct flow_names names = {NULL, id_of, name_of, id_of, name_of, id_of, name_of};
	char *text = malloc(size + 1);

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_match(text, NULL);
	check_match(text, &names);
	check_actions(text, NULL);
	check_actions(text, &names);
	free(text);
	return 0;
}
