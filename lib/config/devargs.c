// SPDX-License-Identifier: BSD-3-Clause
#include "devargs.h"

#include <stdlib.h>
#include <string.h>

size_t
devargs_name_len(const char *dev)
{
	return strcspn(dev, ",");
}

// Length up to the comma that ends this argument; commas in brackets do not.
static size_t
argument_len(const char *text)
{
	unsigned depth = 0;
	size_t len = 0;

	for (; text[len] != '\0' && (depth > 0 || text[len] != ','); len++) {
		if (text[len] == '[')
			depth++;
		else if (text[len] == ']' && depth > 0)
			depth--;
	}
	return len;
}

bool
devargs_value(const char *dev, const char *key, char *out, size_t size)
{
	const char *p = dev + devargs_name_len(dev);
	size_t key_len = strlen(key);

	while (*p == ',') {
		size_t len = argument_len(++p);

		if (len > key_len && strncmp(p, key, key_len) == 0 && p[key_len] == '=') {
			if (len - key_len - 1 >= size)
				return false;
			memcpy(out, p + key_len + 1, len - key_len - 1);
			out[len - key_len - 1] = '\0';
			return true;
		}
		p += len;
	}
	return false;
}

int
devargs_representors(const char *value, unsigned *top)
{
	bool list;
	int n = 0;
	char *end;

	*top = 0;
	if (strncmp(value, "vf", 2) == 0)
		value += 2;
	list = *value == '[';
	value += list;
	for (;; value = end + 1) {
		unsigned long lo, hi;

		if (*value < '0' || *value > '9')
			return -1;
		lo = hi = strtoul(value, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			hi = strtoul(end + 1, &end, 10);
		if (hi > 65535 || lo > hi)
			return -1;
		n += (int)(hi - lo) + 1;
		if (hi + 1 > *top)
			*top = (unsigned)hi + 1;
		if (*end != ',' || !list)
			break;
	}
	if (list && *end++ != ']')
		return -1;
	return *end == '\0' ? n : -1;
}
