// SPDX-License-Identifier: BSD-3-Clause
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Errors quote what a client or a file sent: keep them one printable line.
static void
flatten(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = *text == '\n' || *text == '\t' ? ' ' : '?';
	}
}

void
sl_err_init(struct sl_err *err)
{
	err->code = 0;
	err->path[0] = '\0';
	err->text[0] = '\0';
}

int
sl_err_set(struct sl_err *err, int code, const char *path, const char *fmt, ...)
{
	int ret = -abs(code);
	va_list ap;

	if (err == NULL || err->code != 0)
		return ret;
	err->code = ret;
	snprintf(err->path, sizeof(err->path), "%s", path != NULL ? path : "");
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	flatten(err->path);
	flatten(err->text);
	return ret;
}

void
sl_err_prefix(struct sl_err *err, const char *prefix)
{
	char old[SL_ERR_PATH_MAX];

	if (err == NULL || err->code == 0)
		return;
	memcpy(old, err->path, sizeof(old));
	if (snprintf(err->path, sizeof(err->path), "%s%s", prefix, old) >= SL_ERR_PATH_MAX)
		memcpy(err->path + SL_ERR_PATH_MAX - 4, "...", 4); // say that it was cut
	flatten(err->path);
}

const char *
sl_err_str(const struct sl_err *err, char *buf, unsigned long len)
{
	if (len == 0)
		return "";
	if (err->path[0] != '\0')
		snprintf(buf, len, "%s: %s", err->path, err->text);
	else
		snprintf(buf, len, "%s", err->text);
	return buf;
}
