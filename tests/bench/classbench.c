// SPDX-License-Identifier: BSD-3-Clause
#include "classbench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define LINE 256

// Reads one line into the element at at; false when it has another form.
typedef bool (*line_fn)(const char *line, void *at, uint32_t number);

static int
read_lines(const char *path, size_t size, line_fn fn, void **out)
{
	gzFile f = gzopen(path, "rb");
	uint32_t n = 0, cap = 0;
	char line[LINE], *all = NULL;
	int rc = 0;

	if (f == NULL)
		return -ENOENT;
	while (rc == 0 && gzgets(f, line, sizeof(line)) != NULL) {
		if (line[0] == '\n' || line[0] == '#')
			continue;
		if (n == cap) {
			char *more = realloc(all, (cap = cap * 2 + 1024) * size);

			if (more == NULL) {
				rc = -ENOMEM;
				break;
			}
			all = more;
		}
		rc = fn(line, all + n * size, n) ? 0 : -EBADMSG;
		n++;
	}
	gzclose(f);
	if (rc < 0) {
		free(all);
		return rc;
	}
	*out = all;
	return (int)n;
}

static void
set_prefix(uint8_t *key, uint8_t *mask, const unsigned *octet, unsigned len)
{
	uint32_t bits = htonl(len == 0 ? 0 : UINT32_MAX << (32 - len));

	for (unsigned i = 0; i < 4; i++)
		key[i] = (uint8_t)octet[i];
	memcpy(mask, &bits, sizeof(bits));
}

static bool
rule_line(const char *line, void *at, uint32_t number)
{
	unsigned s[5], d[5], sport[2], dport[2], proto, proto_mask;
	struct rules_entry *e = at;

	if (sscanf(line, "@%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u %x/%x", &s[0], &s[1],
		    &s[2], &s[3], &s[4], &d[0], &d[1], &d[2], &d[3], &d[4], &sport[0], &sport[1],
		    &dport[0], &dport[1], &proto, &proto_mask) != 16 ||
		s[4] > 32 || d[4] > 32 || number > RULES_PRIORITY_MAX)
		return false;
	memset(e, 0, sizeof(*e));
	e->id = number;
	e->priority = (uint16_t)(RULES_PRIORITY_MAX - number);
	flow_match_init(&e->match);
	e->match.key.l3 = FLOW_L3_IPV4;
	e->match.mask.l3 = UINT8_MAX;
	set_prefix(e->match.key.src, e->match.mask.src, s, s[4]);
	set_prefix(e->match.key.dst, e->match.mask.dst, d, d[4]);
	e->match.key.proto = (uint8_t)proto;
	e->match.mask.proto = (uint8_t)proto_mask;
	e->match.sport = (struct flow_range){(uint16_t)sport[0], (uint16_t)sport[1]};
	e->match.dport = (struct flow_range){(uint16_t)dport[0], (uint16_t)dport[1]};
	flow_match_normalise(&e->match);
	e->actions.n = 1;
	e->actions.list[0] =
		(struct flow_action){.type = FLOW_ACT_CLASS, .index = (uint16_t)number};
	return true;
}

static bool
header_line(const char *line, void *at, uint32_t number)
{
	unsigned src, dst, sport, dport, proto, rule = 0;
	struct classbench_header *h = at;
	uint32_t be;

	(void)number;
	if (sscanf(line, "%u %u %u %u %u %u", &src, &dst, &sport, &dport, &proto, &rule) < 5)
		return false;
	flow_key_init(&h->key, 0, 0);
	h->key.l3 = FLOW_L3_IPV4;
	be = htonl(src);
	memcpy(h->key.src, &be, sizeof(be));
	be = htonl(dst);
	memcpy(h->key.dst, &be, sizeof(be));
	h->key.l4_src = htons((uint16_t)sport);
	h->key.l4_dst = htons((uint16_t)dport);
	h->key.proto = (uint8_t)proto;
	h->rule = rule;
	return true;
}

int
classbench_rules(const char *path, struct rules_entry **out)
{
	return read_lines(path, sizeof(**out), rule_line, (void **)out);
}

int
classbench_headers(const char *path, struct classbench_header **out)
{
	return read_lines(path, sizeof(**out), header_line, (void **)out);
}
