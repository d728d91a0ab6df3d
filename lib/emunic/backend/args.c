// SPDX-License-Identifier: BSD-3-Clause
#include "backend/args.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

struct place {
	const char *kind;
	char *why;
	size_t why_len;
};

static int
refuse(const struct place *at, const char *key, const char *value, const char *expected)
{
	snprintf(at->why, at->why_len, "%s: %s=%s is not %s", at->kind, key, value, expected);
	return -EINVAL;
}

static int
read_uint(const struct place *at, const struct emu_arg *a, const char *value)
{
	char expected[96];
	char *end;
	unsigned long long v;

	snprintf(expected, sizeof(expected), "a whole number from %.0f to %.0f", a->lo, a->hi);
	errno = 0;
	v = strtoull(value, &end, 0);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || (double)v < a->lo ||
		(double)v > a->hi)
		return refuse(at, a->key, value, expected);
	*(uint64_t *)a->out = v;
	return 0;
}

static int
read_real(const struct place *at, const struct emu_arg *a, const char *value)
{
	char expected[96];
	char *end;
	double v;

	snprintf(expected, sizeof(expected), "a number from %g to %g", a->lo, a->hi);
	v = strtod(value, &end);
	if (end == value || *end != '\0' || !isfinite(v) || v < a->lo || v > a->hi)
		return refuse(at, a->key, value, expected);
	*(double *)a->out = v;
	return 0;
}

static int
read_bool(const struct place *at, const struct emu_arg *a, const char *value)
{
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return refuse(at, a->key, value, "0 or 1");
	*(bool *)a->out = value[0] == '1';
	return 0;
}

static int
read_text(const struct place *at, const struct emu_arg *a, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len >= a->size) {
		snprintf(at->why, at->why_len, "%s: %s takes 1 to %zu characters, got %zu",
			at->kind, a->key, a->size - 1, len);
		return -EINVAL;
	}
	memcpy(a->out, value, len + 1);
	return 0;
}

static int
read_mac(const struct place *at, const struct emu_arg *a, const char *value)
{
	struct rte_ether_addr mac;

	if (rte_ether_unformat_addr(value, &mac) != 0)
		return refuse(at, a->key, value, "a MAC address like 02:00:00:00:00:01");
	memcpy(a->out, mac.addr_bytes, sizeof(mac.addr_bytes));
	return 0;
}

static int
read_prefix(const struct place *at, const struct emu_arg *a, const char *value)
{
	int family = a->type == EMU_ARG_PREFIX4 ? AF_INET : AF_INET6;
	unsigned int bits = family == AF_INET ? 32 : 128;
	const char *expected = family == AF_INET ? "an IPv4 prefix like 10.1.0.0/16"
						 : "an IPv6 prefix like fd00:1::/64";
	struct emu_prefix p = {0};
	const char *slash = strchr(value, '/');
	char addr[INET6_ADDRSTRLEN];
	unsigned long len;
	char *end;

	if (slash == NULL || (size_t)(slash - value) >= sizeof(addr) || slash[1] < '0' ||
		slash[1] > '9')
		return refuse(at, a->key, value, expected);
	memcpy(addr, value, slash - value);
	addr[slash - value] = '\0';
	len = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || len > bits || inet_pton(family, addr, p.addr) != 1)
		return refuse(at, a->key, value, expected);
	for (unsigned int bit = len; bit < bits; bit++)
		p.addr[bit / 8] &= ~(0x80 >> bit % 8);
	p.len = len;
	*(struct emu_prefix *)a->out = p;
	return 0;
}

static int
read_value(const struct place *at, const struct emu_arg *a, const char *value)
{
	switch (a->type) {
	case EMU_ARG_TEXT:
		return read_text(at, a, value);
	case EMU_ARG_UINT:
		return read_uint(at, a, value);
	case EMU_ARG_REAL:
		return read_real(at, a, value);
	case EMU_ARG_BOOL:
		return read_bool(at, a, value);
	case EMU_ARG_MAC:
		return read_mac(at, a, value);
	case EMU_ARG_PREFIX4:
	case EMU_ARG_PREFIX6:
		return read_prefix(at, a, value);
	}
	return -EINVAL;
}

static int
unknown_key(const struct place *at, const struct emu_arg *args, size_t n, const char *key)
{
	int used = snprintf(at->why, at->why_len, "%s: unknown key \"%s\"%s", at->kind, key,
		n == 0 ? " (this kind takes none)" : ", known are:");

	for (size_t i = 0; i < n && used >= 0 && (size_t)used < at->why_len; i++)
		used += snprintf(at->why + used, at->why_len - used, " %s", args[i].key);
	return -EINVAL;
}

static int
read_pair(const struct place *at, struct emu_arg *args, size_t n, char *pair)
{
	char *equals = strchr(pair, '=');
	struct emu_arg *a = NULL;

	if (equals == NULL || equals == pair) {
		snprintf(at->why, at->why_len, "%s: \"%s\" is not key=value", at->kind, pair);
		return -EINVAL;
	}
	*equals = '\0';
	for (size_t i = 0; i < n && a == NULL; i++)
		a = strcmp(args[i].key, pair) == 0 ? &args[i] : NULL;
	if (a == NULL)
		return unknown_key(at, args, n, pair);
	if (a->seen) {
		snprintf(at->why, at->why_len, "%s: %s is given twice", at->kind, a->key);
		return -EINVAL;
	}
	a->seen = true;
	return read_value(at, a, equals + 1);
}

// Length of the text up to the next comma that is outside brackets.
static size_t
pair_length(const char *text)
{
	size_t len = 0;
	int depth = 0;

	for (; text[len] != '\0' && (text[len] != ',' || depth > 0); len++)
		depth += (text[len] == '[') - (text[len] == ']');
	return len;
}

int
emu_args_parse(const char *kind, const char *text, struct emu_arg *args, size_t n, char *why,
	size_t why_len)
{
	struct place at = {.kind = kind, .why = why, .why_len = why_len};
	char pair[EMU_ARG_TEXT_MAX];
	int rc;

	while (*text != '\0') {
		size_t len = pair_length(text);

		if (len >= sizeof(pair)) {
			snprintf(why, why_len, "%s: an argument of %zu characters is above %zu",
				kind, len, sizeof(pair) - 1);
			return -EINVAL;
		}
		memcpy(pair, text, len);
		pair[len] = '\0';
		rc = read_pair(&at, args, n, pair);
		if (rc != 0)
			return rc;
		text += len;
		if (*text == ',' && *++text == '\0') {
			snprintf(why, why_len, "%s: the arguments end in a comma", kind);
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (args[i].required && !args[i].seen) {
			snprintf(why, why_len, "%s: %s= is missing", kind, args[i].key);
			return -EINVAL;
		}
	}
	return 0;
}
