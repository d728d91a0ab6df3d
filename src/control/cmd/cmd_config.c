// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>

#include "cmd/answer.h"
#include "apply/apply.h"
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
	struct config *next = NULL;
	char text[SL_ERR_PATH_MAX + SL_ERR_TEXT_MAX + 4];
	json_t *changes = json_array();
	int rc;

	if (file == NULL)
		file = c->config_path;
	rc = config_load(file, c->cfg, &next, err);
	if (rc == 0)
		rc = apply_reload(c, next, check, changes, err);
	if (rc != 0 || check)
		config_free(next);
	if (rc != 0) {
		json_decref(changes);
		sl_log(c->log, SL_LOG_WARN, "reload of %s refused: %s", file,
			sl_err_str(err, text, sizeof(text)));
		return rc;
	}
	if (!check)
		sl_log(c->log, SL_LOG_INFO, "%s reloaded, %zu changes", file,
			json_array_size(changes));
	*result = json_pack("{ss so sb}", "file", file, "changed", changes, "applied", !check);
	return 0;
}
