// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs.h"
#include "flow/key.h"

#define VID_MIN 1
#define VID_MAX 4094

bool
codec_is_text(struct walk *w, const json_t *value)
{
	if (!json_is_string(value))
		walk_fault(w, NULL, "must be text, not %s", walk_kind(value));
	return json_is_string(value);
}

// ---- VLANs

static bool
parse_vid_range(const char *text, unsigned *lo, unsigned *hi)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	*lo = *hi = (unsigned)strtoul(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		*hi = (unsigned)strtoul(end + 1, &end, 10);
	return *end == '\0' && strlen(text) <= 9;
}

void
codec_parse_vids(struct walk *w, const json_t *value, void *base)
{
	struct config_port *port = base;
	json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		walk_fault(w, NULL, "must be a list like [\"1-10\", 20], not %s", walk_kind(value));
		return;
	}
	json_array_foreach(value, i, item)
	{
		size_t mark = walk_down_index(w, i);
		json_int_t n = json_integer_value(item);
		unsigned lo = n >= 0 && n <= VID_MAX ? (unsigned)n : 0;
		unsigned hi = lo;

		if (!json_is_integer(item) && !json_is_string(item))
			walk_fault(w, NULL, "must be a VID or text like \"1-10\", not %s",
				walk_kind(item));
		else if (json_is_string(item) &&
			 !parse_vid_range(json_string_value(item), &lo, &hi))
			walk_fault(w, NULL, "\"%.20s\" is no VID and no range like \"1-10\"",
				json_string_value(item));
		else if (lo < VID_MIN || hi > VID_MAX || lo > hi)
			walk_fault(w, NULL, "VIDs are %d to %d, the lower one first", VID_MIN,
				VID_MAX);
		else
			for (unsigned v = lo; v <= hi; v++)
				port->trunk[v / 64] |= UINT64_C(1) << (v % 64);
		walk_up(w, mark);
	}
}

static bool
has_vid(const struct config_port *port, unsigned v)
{
	return (port->trunk[v / 64] >> (v % 64) & 1) != 0;
}

void
codec_finish_vlan(struct config_port *port)
{
	bool all = true;

	for (unsigned v = VID_MIN; v <= VID_MAX && all; v++)
		all = has_vid(port, v);
	if (all)
		memset(port->trunk, 0xff, sizeof(port->trunk));
	if (port->vlan_mode != CONFIG_VLAN_TRUNK)
		port->trunk[port->vlan / 64] |= UINT64_C(1) << (port->vlan % 64);
}

json_t *
codec_print_vids(const struct config *cfg, const void *base)
{
	const struct config_port *port = base;
	json_t *list = json_array();

	(void)cfg;
	for (unsigned v = VID_MIN, end; v <= VID_MAX; v = end + 1) {
		end = v;
		if (!has_vid(port, v))
			continue;
		while (end < VID_MAX && has_vid(port, end + 1))
			end++;
		json_array_append_new(
			list, end == v ? json_integer(v) : json_sprintf("%u-%u", v, end));
	}
	return list;
}

// ---- addresses

static bool
parse_mac(const char *text, uint8_t *mac)
{
	unsigned v[6];
	int n = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		    &n) != 6 ||
		text[n] != '\0' || strlen(text) != 17)
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)v[i];
	return true;
}

// A list of at most max texts?
static bool
is_list(struct walk *w, const json_t *value, size_t max)
{
	if (!json_is_array(value))
		walk_fault(w, NULL, "must be a list of text, not %s", walk_kind(value));
	else if (json_array_size(value) > max)
		walk_fault(w, NULL, "%zu are above %zu", json_array_size(value), max);
	return json_is_array(value) && json_array_size(value) <= max;
}

void
codec_parse_macs(struct walk *w, const json_t *value, void *base)
{
	struct config_port *port = base;
	json_t *item;
	size_t i;

	if (!is_list(w, value, sizeof(port->macs) / 6))
		return;
	json_array_foreach(value, i, item)
	{
		size_t mark = walk_down_index(w, i);
		uint8_t *mac = port->macs[port->n_macs];

		if (codec_is_text(w, item)) {
			if (!parse_mac(json_string_value(item), mac))
				walk_fault(w, NULL,
					"\"%.40s\" is no address like 02:00:00:00:00:01",
					json_string_value(item));
			else if (mac[0] & 1)
				walk_fault(w, NULL, "%s is a group address, no sender has it",
					json_string_value(item));
			else
				port->n_macs++;
		}
		walk_up(w, mark);
	}
}

json_t *
codec_print_macs(const struct config *cfg, const void *base)
{
	const struct config_port *port = base;
	json_t *list = json_array();

	(void)cfg;
	for (unsigned i = 0; i < port->n_macs; i++) {
		const uint8_t *m = port->macs[i];

		json_array_append_new(list, json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0],
						    m[1], m[2], m[3], m[4], m[5]));
	}
	return list;
}

static bool
has_host_bits(const uint8_t *addr, unsigned len, unsigned prefix)
{
	for (unsigned i = 0; i < len; i++) {
		unsigned fixed = prefix > i * 8 ? prefix - i * 8 : 0;

		if (fixed < 8 && (addr[i] & (0xff >> fixed)) != 0)
			return true;
	}
	return false;
}

// The reason that text is no prefix, or NULL.
static const char *
parse_ip(const char *text, uint8_t *addr, uint8_t *l3, uint8_t *prefix)
{
	char host[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned long bits;
	char *end;

	if (len >= sizeof(host))
		return "no IPv4 or IPv6 address";
	memcpy(host, text, len);
	host[len] = '\0';
	memset(addr, 0, 16);
	if (inet_pton(AF_INET, host, addr) == 1)
		*l3 = FLOW_L3_IPV4;
	else if (inet_pton(AF_INET6, host, addr) == 1)
		*l3 = FLOW_L3_IPV6;
	else
		return "no IPv4 or IPv6 address";
	bits = *l3 == FLOW_L3_IPV4 ? 32 : 128;
	*prefix = (uint8_t)bits;
	if (text[len] == '\0')
		return NULL;
	if (text[len + 1] < '0' || text[len + 1] > '9')
		return "no prefix length after the /";
	if (strtoul(text + len + 1, &end, 10) > bits || *end != '\0')
		return *l3 == FLOW_L3_IPV4 ? "a prefix length is 0 to 32"
					   : "a prefix length is 0 to 128";
	*prefix = (uint8_t)strtoul(text + len + 1, NULL, 10);
	return has_host_bits(addr, (unsigned)bits / 8, *prefix) ? "there are bits below the prefix"
								: NULL;
}

void
codec_parse_ips(struct walk *w, const json_t *value, void *base)
{
	struct config_port *port = base;
	json_t *item;
	size_t i;

	if (!is_list(w, value, sizeof(port->ips) / sizeof(port->ips[0])))
		return;
	json_array_foreach(value, i, item)
	{
		size_t mark = walk_down_index(w, i);
		uint8_t n = port->n_ips;
		const char *why;

		if (codec_is_text(w, item)) {
			why = parse_ip(json_string_value(item), port->ips[n].addr, &port->ips[n].l3,
				&port->ips[n].prefix);
			if (why != NULL)
				walk_fault(w, NULL, "\"%.60s\": %s", json_string_value(item), why);
			else
				port->n_ips++;
		}
		walk_up(w, mark);
	}
}

json_t *
codec_print_ips(const struct config *cfg, const void *base)
{
	const struct config_port *port = base;
	json_t *list = json_array();

	(void)cfg;
	for (unsigned i = 0; i < port->n_ips; i++) {
		bool v4 = port->ips[i].l3 == FLOW_L3_IPV4;
		char host[INET6_ADDRSTRLEN];

		inet_ntop(v4 ? AF_INET : AF_INET6, port->ips[i].addr, host, sizeof(host));
		json_array_append_new(
			list, port->ips[i].prefix == (v4 ? 32 : 128)
				      ? json_string(host)
				      : json_sprintf("%s/%u", host, port->ips[i].prefix));
	}
	return list;
}
