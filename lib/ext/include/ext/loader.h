// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_EXT_LOADER_H
#define SLUICE_EXT_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ext/abi.h"

// Extensions from their files: opened, checked, given their arguments and the workers' memory;
// closed again after their last packet, which the caller knows of. Every way in which a file can
// be wrong is refused with a sentence that names it. Thread safety: owner thread only (control).

#define EXT_NAME_MAX 32
#define EXT_PATH_MAX 256
#define EXT_ARGS_MAX 32
#define EXT_WORKER_BYTES_MAX (1u << 20)

struct ext; // one bound extension

struct ext_spec {
	const char *name; // what people call it
	const char *path; // with a slash, or the bare name of a file beside the program
	enum sluice_ext_point at;
	const struct sluice_ext_arg *args; // copied
	unsigned n_args;
	unsigned workers;
};

// err->path: "path", "at" or "args". -ENOENT, -EINVAL (no extension, another ABI, not for that
// point), -ENOMEM, or what its init said.
int ext_open(const struct ext_spec *spec, struct ext **out, struct sl_err *err);
// No worker is in it any more, nor will be.
void ext_close(struct ext *e);

struct ext_info {
	const char *name;    // the spec's
	const char *path;    // likewise
	const char *kind;    // what the extension calls itself
	const char *version; // likewise
	enum sluice_ext_point at;
	const struct sluice_ext_arg *args;
	unsigned n_args;
	uint64_t packets; // that burst was given
	uint64_t dropped; // packets dropped on the host for it
	uint64_t faults;  // answers that are none
};
void ext_info_get(const struct ext *e, struct ext_info *out);
// As ext/abi.h: up to max, returns how many. Names are whole and printable, whatever it wrote.
unsigned ext_counters(const struct ext *e, struct sluice_ext_counter *out, unsigned max);
// It asked for all flows to be judged again since the last call.
bool ext_wants_again(struct ext *e);

const char *ext_point_name(enum sluice_ext_point at); // "ingress", "egress", "monitor", "match"
int ext_point_of(const char *name);                   // -EINVAL

#endif
