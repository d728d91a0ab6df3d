// SPDX-License-Identifier: BSD-3-Clause
// What the field table's offsets lead to.
#include <string.h>

#include "fields.h"

uint64_t
config_uint_get(const void *at, size_t size)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (size) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		memcpy(&v16, at, size);
		return v16;
	case 4:
		memcpy(&v32, at, size);
		return v32;
	default:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	}
}

void
config_uint_put(void *at, size_t size, uint64_t value)
{
	uint8_t v8 = (uint8_t)value;
	uint16_t v16 = (uint16_t)value;
	uint32_t v32 = (uint32_t)value;
	const void *from = size == 1   ? (void *)&v8
			   : size == 2 ? (void *)&v16
			   : size == 4 ? (void *)&v32
				       : (void *)&value;

	memcpy(at, from, size);
}

uint32_t
config_list_count(const struct config *cfg, const struct list_type *list)
{
	return (uint32_t)config_uint_get((const char *)cfg + list->count, list->count_size);
}

void *
config_list_at(const struct config *cfg, const struct list_type *list, uint32_t i)
{
	const char *array = (const char *)cfg + list->array;
	char *first;

	if (list->embedded)
		return (char *)(uintptr_t)array + i * list->size;
	memcpy(&first, array, sizeof(first));
	return first + i * list->size;
}
