// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>

#include "cmd/answer.h"
#include "apply/reload.h"
#include "cmd/commands.h"

static int
text_answer(char *text, json_t **result, struct sl_err *err)
{
	*result = text == NULL ? NULL : json_loads(text, 0, NULL);
	free(text);
	return *result != NULL ? 0 : sl_err_set(err, ENOMEM, NULL, "out of memory");
}

COMMAND(cmd_config_show)
{
	struct control *c = app;

	return text_answer(config_dump(c->cfg), result, err);
}

COMMAND(cmd_config_schema)
{
	return text_answer(config_schema(), result, err);
}

COMMAND(cmd_config_reload)
{
	struct control *c = app;
	const char *file = arg_str(args, "file");
	bool check = arg_bool(args, "check");
	json_t *changes = json_array();
	int rc;

	if (file == NULL)
		file = c->config_path;
	rc = reload_file(c, file, check, changes, err);
	if (rc != 0) {
		json_decref(changes);
		return rc;
	}
	*result = json_pack("{ss so sb}", "file", file, "changed", changes, "applied", !check);
	return 0;
}
