// SPDX-License-Identifier: BSD-3-Clause
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Length of the UTF-8 character at s, 0 when there is none (RFC 3629).
static unsigned
utf8_len(const unsigned char *s)
{
	unsigned len, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

// Errors quote what a client or a file sent, and may be cut in the middle of a character: keep them
// one line of valid UTF-8, for terminals and for JSON.
static void
flatten(char *text)
{
	unsigned char *p = (unsigned char *)text;
	unsigned len;

	for (; *p != '\0'; p += len) {
		len = utf8_len(p);
		if (len == 0 || *p < ' ' || *p == 0x7f) {
			*p = *p == '\n' || *p == '\t' ? ' ' : '?';
			len = 1;
		}
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
