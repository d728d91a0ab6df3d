// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_ARGS_H
#define EMUNIC_BACKEND_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads the `key=value,key=value` text of a backend into variables, by one table per kind.
//
// A comma inside brackets belongs to the value; everything after the first `=` is the value. An
// unknown, repeated, missing or ill-formed key is refused with one sentence that names the kind,
// the key, what was got and what is allowed; nothing is defaulted in silence.
// Thread safety: any thread (works on its arguments only).

#define EMU_ARG_TEXT_MAX 512 // bytes of one value, with its end

enum emu_arg_type {
	EMU_ARG_TEXT,    // char[size]
	EMU_ARG_UINT,    // uint64_t, decimal or 0x, from lo to hi
	EMU_ARG_REAL,    // double, from lo to hi
	EMU_ARG_BOOL,    // bool, written 0 or 1
	EMU_ARG_MAC,     // uint8_t[6], 02:00:00:00:00:01
	EMU_ARG_PREFIX4, // struct emu_prefix, 10.1.0.0/16
	EMU_ARG_PREFIX6, // struct emu_prefix, fd00:1::/64
};

struct emu_prefix {
	uint8_t addr[16]; // network order; IPv4 in the first four bytes; host bits are zero
	uint8_t len;
};

struct emu_arg {
	const char *key;
	enum emu_arg_type type;
	void *out;
	size_t size;   // of a text
	double lo, hi; // of a number
	bool required;
	bool seen; // set when the text has this key
};

// Returns 0 or -EINVAL with a sentence in why. Variables of keys that the text does not have keep
// the value that they had.
int emu_args_parse(const char *kind, const char *text, struct emu_arg *args, size_t n, char *why,
	size_t why_len);

#endif
