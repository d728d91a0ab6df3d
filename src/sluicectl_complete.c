// SPDX-License-Identifier: BSD-3-Clause
// Completion: the script asks `sluicectl __complete WORDS`, which answers from the table of
// commands, and names of things from the server where one runs.
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "sluicectl.h"

#define ASK_MS 300

bool
complete_script(FILE *out, const char *shell)
{
	const bool zsh = strcmp(shell, "zsh") == 0;

	if (!zsh && strcmp(shell, "bash") != 0)
		return false;
	fprintf(out, "# %s completion of sluicectl: source <(sluicectl completion %s)\n%s", shell,
		shell,
		zsh ? "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n" : "");
	fprintf(out, "_sluicectl()\n"
		     "{\n"
		     "\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" IFS=$'\\n'\n"
		     "\tlocal offers=($(sluicectl __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
		     "2>/dev/null))\n"
		     "\t[ \"$cur\" = \"=\" ] && cur=\n"
		     "\tif [ \"${offers[0]}\" = :file ]; then\n"
		     "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
		     "\telse\n"
		     "\t\tCOMPREPLY=($(compgen -W \"${offers[*]}\" -- \"$cur\"))\n"
		     "\tfi\n"
		     "}\n"
		     "complete -F _sluicectl sluicectl\n");
	return true;
}

// Where the names of a kind of thing come from: the method, the way to the list, the member.
struct source {
	const char *kind;
	const char *method;
	const char *list[2]; // "switches", then "tables" in each
	const char *member;
};

static const struct source sources[] = {
	{"port", "port list", {"items"}, "name"},
	{"vm", "vm list", {"items"}, "name"},
	{"rule", "rule list", {"items"}, "name"},
	{"extension", "extension list", {"items"}, "name"},
	{"class", "config show", {"classes"}, "name"},
	{"nic", "config show", {"nics"}, "name"},
	{"switch", "config show", {"switches"}, "name"},
	{"table", "config show", {"switches", "tables"}, "name"},
};

static void
print_names(FILE *out, const json_t *object, const struct source *s, unsigned depth)
{
	const json_t *list = json_object_get(object, s->list[depth]);
	const char *name;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (depth == 0 && s->list[1] != NULL) {
			print_names(out, item, s, 1);
			continue;
		}
		name = json_string_value(json_object_get(item, s->member));
		if (name != NULL && name[0] != '\0' && strpbrk(name, "\n`$\\\"'") == NULL)
			fprintf(out, "%s\n", name);
	}
}

static void
ask_names(FILE *out, const char *socket, const char *kind)
{
	struct ctl_client *client;
	json_t *result;

	for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (strcmp(sources[i].kind, kind) != 0)
			continue;
		if (ctl_client_open(socket, &client, NULL) != 0)
			return;
		if (ctl_client_call(client, sources[i].method, NULL, ASK_MS, &result, NULL) == 0)
			print_names(out, result, &sources[i], 0);
		json_decref(result);
		ctl_client_close(client);
	}
}

static void
offer_value(FILE *out, const char *socket, const char *kind)
{
	if (kind == NULL)
		return;
	if (strcmp(kind, "file") == 0) {
		fprintf(out, ":file\n");
	} else if (strchr(kind, '|') != NULL) {
		for (; *kind != '\0'; kind++)
			fputc(*kind == '|' ? '\n' : *kind, out);
		fputc('\n', out);
	} else {
		ask_names(out, socket, kind);
	}
}

// The nouns, or the verbs of a noun; each once (the table has them side by side).
static void
offer_commands(FILE *out, const char *noun)
{
	const char *last = "";
	size_t last_len = 0;
	size_t skip = noun != NULL ? strlen(noun) + 1 : 0;

	for (const struct ctl_command *c = ctl_commands(); c->name != NULL; c++) {
		const char *word = c->name + skip;
		size_t len;

		if (noun != NULL &&
			(strncmp(c->name, noun, skip - 1) != 0 || c->name[skip - 1] != ' '))
			continue;
		len = strcspn(word, " ");
		if (len != last_len || strncmp(word, last, len) != 0)
			fprintf(out, "%.*s\n", (int)len, word);
		last = word;
		last_len = len;
	}
	if (noun == NULL)
		fprintf(out, "completion\n");
	else if (strcmp(noun, "completion") == 0)
		fprintf(out, "bash\nzsh\n");
}

static void
offer_options(FILE *out, const struct ctl_command *c)
{
	for (unsigned i = 0; c != NULL && i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		if (!c->args[i].positional)
			fprintf(out, "--%s\n", c->args[i].name);
	}
	fprintf(out, "--socket\n--json\n--wide\n--timeout\n--watch\n--help\n");
}

struct line {
	const char *words[3]; // the first that are no options
	unsigned n;           // how many there are in all
	const char *option;   // that waits for its value
	const char *socket;
	const struct ctl_command *command;
};

static const struct ctl_arg *
find_option(const struct ctl_command *c, const char *name)
{
	for (unsigned i = 0; c != NULL && i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		if (strcmp(c->args[i].name, name) == 0)
			return &c->args[i];
	}
	return NULL;
}

static bool
takes_value(const struct ctl_command *c, const char *name)
{
	const struct ctl_arg *arg = find_option(c, name);

	return strcmp(name, "socket") == 0 || strcmp(name, "timeout") == 0 ||
	       strcmp(name, "watch") == 0 || (arg != NULL && arg->type != CTL_BOOL);
}

static void
take_word(struct line *l, const char *word)
{
	char name[64];

	if (l->option != NULL) {
		if (strcmp(word, "=") == 0)
			return; // bash cuts --option=value in three
		if (strcmp(l->option, "socket") == 0)
			l->socket = word;
		l->option = NULL;
		return;
	}
	if (strncmp(word, "--", 2) == 0) {
		if (takes_value(l->command, word + 2))
			l->option = word + 2;
		return;
	}
	if (l->n < 3)
		l->words[l->n] = word;
	l->n++;
	if (l->n == 2 && l->command == NULL) {
		snprintf(name, sizeof(name), "%s %s", l->words[0], word);
		l->command = ctl_command_find(ctl_commands(), name);
	} else if (l->n == 1) {
		l->command = ctl_command_find(ctl_commands(), word);
	}
}

// The positional argument that comes next.
static const struct ctl_arg *
next_place(const struct line *l)
{
	const struct ctl_command *c = l->command;
	unsigned place = l->n - (strchr(c->name, ' ') != NULL ? 2 : 1);

	for (unsigned i = 0; i < CTL_ARGS_MAX && c->args[i].name != NULL; i++) {
		if (c->args[i].positional && place-- == 0)
			return &c->args[i];
	}
	return NULL;
}

void
complete_words(FILE *out, int n, char **words)
{
	const char *env = getenv("SLUICE_SOCKET");
	struct line l = {.socket = env != NULL && env[0] != '\0' ? env : SLUICECTL_SOCKET};
	const char *current = n > 0 ? words[n - 1] : "";
	const struct ctl_arg *arg;

	for (int i = 0; i + 1 < n; i++)
		take_word(&l, words[i]);
	if (l.option != NULL) {
		arg = find_option(l.command, l.option);
		offer_value(out, l.socket,
			strcmp(l.option, "socket") == 0 ? "file"
			: arg != NULL                   ? arg->complete
							: NULL);
	} else if (strncmp(current, "--", 2) == 0) {
		offer_options(out, l.command);
	} else if (l.n == 0) {
		offer_commands(out, NULL);
	} else if (strcmp(l.words[0], "help") == 0) {
		if (l.n <= 2)
			offer_commands(out, l.n == 2 ? l.words[1] : NULL);
	} else if (l.command == NULL) {
		if (l.n == 1)
			offer_commands(out, l.words[0]);
	} else {
		arg = next_place(&l);
		if (arg != NULL)
			offer_value(out, l.socket, arg->complete);
		else
			offer_options(out, l.command);
	}
}
