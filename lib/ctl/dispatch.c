// SPDX-License-Identifier: BSD-3-Clause
#include "dispatch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"

#define EXACT_MAX (INT64_C(1) << 53) // above, JSON numbers are not exact in other languages
#define QUOTE_MAX 60                 // bytes of the client's text that an error quotes

static const struct ctl_arg *
find_arg(const struct ctl_command *command, const char *name)
{
	for (unsigned i = 0; i < CTL_ARGS_MAX && command->args[i].name != NULL; i++) {
		if (strcmp(command->args[i].name, name) == 0)
			return &command->args[i];
	}
	return NULL;
}

// Is word one of "a|b|c"?
static bool
is_choice(const char *choices, const char *word)
{
	size_t len = strlen(word);

	if (strchr(word, '|') != NULL)
		return false;
	while (len > 0 && choices != NULL) {
		if (strncmp(choices, word, len) == 0 &&
			(choices[len] == '|' || choices[len] == '\0'))
			return true;
		choices = strchr(choices, '|');
		if (choices != NULL)
			choices++;
	}
	return false;
}

static int
check_arg(const struct ctl_arg *arg, const json_t *value, struct sl_err *err)
{
	int64_t max = arg->max > 0 ? arg->max : EXACT_MAX;

	switch (arg->type) {
	case CTL_STR:
		if (!json_is_string(value))
			return sl_err_set(err, CTL_RPC_PARAMS, arg->name, "must be text");
		if (arg->complete != NULL && strchr(arg->complete, '|') != NULL &&
			!is_choice(arg->complete, json_string_value(value)))
			return sl_err_set(err, CTL_RPC_PARAMS, arg->name, "\"%.*s\" is none of %s",
				QUOTE_MAX, json_string_value(value), arg->complete);
		return 0;
	case CTL_INT:
		if (!json_is_integer(value))
			return sl_err_set(err, CTL_RPC_PARAMS, arg->name, "must be a whole number");
		if (json_integer_value(value) < 0 || json_integer_value(value) > max)
			return sl_err_set(err, CTL_RPC_PARAMS, arg->name,
				"%" JSON_INTEGER_FORMAT " is not in 0 to %" PRId64,
				json_integer_value(value), max);
		return 0;
	case CTL_BOOL:
		if (!json_is_boolean(value))
			return sl_err_set(err, CTL_RPC_PARAMS, arg->name, "must be true or false");
		return 0;
	}
	return sl_err_set(err, CTL_RPC_INTERNAL, arg->name, "unknown type in the command table");
}

static int
check_args(const struct ctl_command *command, json_t *args, struct sl_err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(args, name, value)
	{
		const struct ctl_arg *arg = find_arg(command, name);

		if (arg == NULL)
			return sl_err_set(err, CTL_RPC_PARAMS, NULL, "%s has no argument \"%.*s\"",
				command->name, QUOTE_MAX, name);
		if (check_arg(arg, value, err) != 0)
			return err->code;
	}
	for (unsigned i = 0; i < CTL_ARGS_MAX && command->args[i].name != NULL; i++) {
		if (command->args[i].required &&
			json_object_get(args, command->args[i].name) == NULL)
			return sl_err_set(err, CTL_RPC_PARAMS, command->args[i].name,
				"%s needs it (%s)", command->name, command->args[i].help);
	}
	return 0;
}

// "jsonrpc", "id" and "method". Leaves out->id as the answer has to name it.
static int
check_envelope(const json_t *msg, struct ctl_request *out, const char **method, struct sl_err *err)
{
	const json_t *version = json_object_get(msg, "jsonrpc");
	json_t *id = json_object_get(msg, "id");

	if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return sl_err_set(
			err, CTL_RPC_REQUEST, NULL, "\"id\" must be text, a number or null");
	if (id != NULL) {
		json_decref(out->id);
		out->id = json_incref(id);
	}
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0)
		return sl_err_set(err, CTL_RPC_REQUEST, NULL, "\"jsonrpc\" must be \"2.0\"");
	*method = json_string_value(json_object_get(msg, "method"));
	if (*method == NULL)
		return sl_err_set(err, CTL_RPC_REQUEST, NULL, "\"method\" must be text");
	if (id == NULL) { // a valid notification: no answer from here on
		json_decref(out->id);
		out->id = NULL;
	}
	return 0;
}

static int
check_params(const json_t *msg, struct ctl_request *out, struct sl_err *err)
{
	json_t *params = json_object_get(msg, "params");

	if (json_is_array(params))
		return sl_err_set(err, CTL_RPC_PARAMS, NULL,
			"arguments go by name: \"params\" must be an object");
	if (params != NULL && !json_is_object(params))
		return sl_err_set(err, CTL_RPC_REQUEST, NULL, "\"params\" must be an object");
	out->args = params != NULL ? json_incref(params) : json_object();
	if (out->args == NULL)
		return sl_err_set(err, CTL_RPC_INTERNAL, NULL, "out of memory");
	return check_args(out->command, out->args, err);
}

static int
check_message(const struct ctl_command *table, bool read_only, const json_t *msg,
	struct ctl_request *out, struct sl_err *err)
{
	const char *method;

	if (json_is_array(msg))
		return sl_err_set(err, CTL_RPC_REQUEST, NULL,
			"batches are not supported: one request a line");
	if (!json_is_object(msg))
		return sl_err_set(err, CTL_RPC_REQUEST, NULL, "a request must be an object");
	if (check_envelope(msg, out, &method, err) != 0)
		return err->code;
	out->command = ctl_command_find(table, method);
	if (out->command == NULL)
		return sl_err_set(err, CTL_RPC_METHOD, NULL,
			"there is no command \"%.*s\" (see help)", QUOTE_MAX, method);
	if (check_params(msg, out, err) != 0)
		return err->code;
	if (read_only && out->command->writes)
		return sl_err_set(err, EROFS, NULL,
			"%s changes things, and this socket is read-only", out->command->name);
	return 0;
}

int
ctl_request_parse(const struct ctl_command *table, bool read_only, const char *line, size_t len,
	struct ctl_request *out, struct sl_err *err)
{
	json_error_t why;
	json_t *msg;
	int ret;

	*out = (struct ctl_request){.id = json_null()};
	msg = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (msg == NULL)
		return sl_err_set(
			err, CTL_RPC_PARSE, NULL, "not JSON: column %d: %s", why.column, why.text);
	ret = check_message(table, read_only, msg, out, err);
	json_decref(msg);
	return ret;
}

void
ctl_request_fini(struct ctl_request *req)
{
	json_decref(req->id);
	json_decref(req->args);
	*req = (struct ctl_request){0};
}

static char *
answer(const json_t *id, const char *member, json_t *value)
{
	json_t *msg = json_object();
	char *text = NULL;

	// jansson steals value even when it fails, and dumping a NULL gives NULL
	if (json_object_set_new(msg, "jsonrpc", json_string("2.0")) == 0 &&
		json_object_set_new(msg, "id", json_deep_copy(id)) == 0 &&
		json_object_set(msg, member, value) == 0)
		text = json_dumps(msg, JSON_COMPACT);
	json_decref(value);
	json_decref(msg);
	return text;
}

char *
ctl_answer_result(const json_t *id, json_t *result)
{
	return answer(id, "result", result != NULL ? result : json_object());
}

// As JSON text; an error that quotes the client may have been cut inside a character: then only its
// ASCII is kept.
static json_t *
safe_string(const char *text)
{
	char ascii[SL_ERR_TEXT_MAX];
	json_t *str = json_string(text);
	size_t i;

	if (str != NULL)
		return str;
	for (i = 0; i + 1 < sizeof(ascii) && text[i] != '\0'; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

char *
ctl_answer_error(const json_t *id, const struct sl_err *err)
{
	int code = err->code != 0 ? err->code : CTL_RPC_INTERNAL;
	json_t *error = json_object();

	json_object_set_new(error, "code", json_integer(code));
	json_object_set_new(
		error, "message", safe_string(err->text[0] != '\0' ? err->text : strerror(-code)));
	if (err->path[0] != '\0') {
		json_t *data = json_object();

		json_object_set_new(data, "path", safe_string(err->path));
		json_object_set_new(error, "data", data);
	}
	return answer(id, "error", error);
}
