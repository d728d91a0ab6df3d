// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONFIG_FIELD_TABLE_H
#define SLUICE_CONFIG_FIELD_TABLE_H

#include <stddef.h>

#include "fields.h"

// What the files of the field table (fields.c, fields_switch.c) write it with: where a member is,
// and the list types. Thread safety: any thread (constants).

#define TOP(member) .offset = offsetof(struct config, member)
#define AT(type, member)                                                                           \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
// A list of struct config, its number of elements beside it.
#define LIST(member, type, limit, plural)                                                          \
	.array = offsetof(struct config, member), .count = offsetof(struct config, n_##member),    \
	.count_size = sizeof(((struct config *)0)->n_##member), .size = sizeof(struct type),       \
	.max = (limit), .what = (plural)

#endif
