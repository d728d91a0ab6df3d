// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONFIG_FIELDS_H
#define SLUICE_CONFIG_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

// The field table: each key of the file once, with its place in struct config, its range, its
// default and its explanation. The parser, the dump, the schema and the reference walk it; keys are
// taken in the order of the table, so that what is named stands above what names it.
// Thread safety: any thread (constants).

struct walk;
struct object_type;

enum field_kind {
	FIELD_TEXT,  // char[size]
	FIELD_NAME,  // char[CONFIG_NAME_MAX] with the syntax of names
	FIELD_BOOL,  // bool
	FIELD_UINT,  // of size bytes, min to max; scaled: text like "10M" too
	FIELD_ENUM,  // size 4: an enum whose values are the indices of words; size 1: a bool
	FIELD_TEXTS, // char[max][size], their number is a uint8_t at count
	FIELD_OBJECT,
	FIELD_LIST,
	FIELD_CODEC, // codec; offset is not used, it gets the object
};

// A list of objects is one array in struct config for the whole file. Where it stands in a switch,
// each element says in which.
struct list_type {
	size_t array; // offset in struct config, of the array (embedded) or of the pointer to it
	bool embedded;
	size_t count; // offset in struct config
	size_t count_size;
	size_t size; // of an element
	uint32_t max;
	const char *what; // plural, for messages
	bool in_switch;
	size_t sw;                   // offset of the uint16_t in an element (in_switch)
	void (*init)(void *element); // where zero is not nothing; NULL: it is
};

// What no general kind can say; the functions are in codecs.c.
enum codec_id {
	CODEC_NONE,
	CODEC_VM,
	CODEC_NIC,
	CODEC_VIDS,
	CODEC_MACS,
	CODEC_IPS,
	CODEC_TABLE,
	CODEC_MATCH,
	CODEC_ACTIONS,
	CODEC_FALLBACK,
	CODEC_ARGS,
};

struct codec {
	void (*parse)(struct walk *w, const json_t *value, void *base);
	json_t *(*print)(const struct config *cfg, const void *base); // NULL: leave it out
	const char *type;                                             // for people
	const char *schema;                                           // JSON schema as text
};

struct field {
	const char *key; // NULL ends the list
	enum field_kind kind;
	size_t offset; // in what holds it
	size_t size;
	size_t count;
	uint64_t min, max;
	bool required;
	bool scaled;
	uint32_t only;    // variants of the object that have it (bits), 0: all
	const char *dflt; // JSON text, NULL: none
	const char *help;
	const char *const *words; // FIELD_ENUM, NULL ends them
	const struct object_type *object;
	const struct list_type *list;
	enum codec_id codec;
};

struct object_type {
	const char *name;
	const char *help;
	const struct field *fields;
	bool optional;                         // absent: not even defaults
	bool (*is_absent)(const void *base);   // for an optional one
	uint32_t (*variant)(const void *base); // a bit, once its first field is known; NULL: none
	const char *const *variants;           // their names, NULL ends them
};

const struct object_type *config_fields(void); // the file as a whole
// Parts of it that have a file of their own (fields_switch.c).
extern const struct object_type config_switch_type;
extern const struct list_type config_switch_list;

const struct codec *config_codec(enum codec_id id);

// Unsigned number of 1, 2, 4 or 8 bytes.
uint64_t config_uint_get(const void *at, size_t size);
void config_uint_put(void *at, size_t size, uint64_t value);
// Element i of a list; the list's length.
void *config_list_at(const struct config *cfg, const struct list_type *list, uint32_t i);
uint32_t config_list_count(const struct config *cfg, const struct list_type *list);

#endif
