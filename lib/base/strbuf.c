// SPDX-License-Identifier: BSD-3-Clause
#include "base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

// Room for len more bytes and the NUL; false, and failed from then on, when there is none.
static bool
grow(struct sl_strbuf *sb, size_t len)
{
	size_t cap = sb->cap > 0 ? sb->cap : FIRST_CAP;
	size_t need;
	char *data;

	if (sb->failed)
		return false;
	if (len > SIZE_MAX / 4 - sb->len || (sb->limit > 0 && sb->len + len > sb->limit)) {
		sb->failed = true;
		return false;
	}
	need = sb->len + len + 1;
	if (need <= sb->cap)
		return true;
	while (cap < need)
		cap *= 2;
	data = realloc(sb->data, cap);
	if (data == NULL) {
		sb->failed = true;
		return false;
	}
	sb->data = data;
	sb->cap = cap;
	return true;
}

void
sl_strbuf_init(struct sl_strbuf *sb, size_t limit)
{
	*sb = (struct sl_strbuf){.limit = limit};
}

void
sl_strbuf_fini(struct sl_strbuf *sb)
{
	free(sb->data);
	sl_strbuf_init(sb, sb->limit);
}

void
sl_strbuf_reset(struct sl_strbuf *sb)
{
	sb->len = 0;
	sb->failed = false;
	if (sb->data != NULL)
		sb->data[0] = '\0';
}

void
sl_strbuf_add(struct sl_strbuf *sb, const char *text)
{
	sl_strbuf_addn(sb, text, strlen(text));
}

void
sl_strbuf_addn(struct sl_strbuf *sb, const void *data, size_t len)
{
	if (!grow(sb, len))
		return;
	if (len > 0)
		memcpy(sb->data + sb->len, data, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void
sl_strbuf_addf(struct sl_strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0) {
		sb->failed = true;
		return;
	}
	if (!grow(sb, (size_t)len))
		return;
	va_start(ap, fmt);
	vsnprintf(sb->data + sb->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	sb->len += (size_t)len;
}

void
sl_strbuf_consume(struct sl_strbuf *sb, size_t len)
{
	if (len >= sb->len)
		len = sb->len;
	if (len == 0)
		return;
	memmove(sb->data, sb->data + len, sb->len - len + 1);
	sb->len -= len;
}

const char *
sl_strbuf_str(const struct sl_strbuf *sb)
{
	return sb->data != NULL ? sb->data : "";
}

char *
sl_strbuf_take(struct sl_strbuf *sb)
{
	char *data = sb->data;

	if (sb->failed) {
		sl_strbuf_fini(sb);
		return NULL;
	}
	if (data == NULL)
		data = strdup("");
	sl_strbuf_init(sb, sb->limit);
	return data;
}
