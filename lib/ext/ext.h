// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_EXT_EXT_H
#define SLUICE_EXT_EXT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ext/loader.h"

// A bound extension. Thread safety: written by control before it is published and after it is not
// any more; ext_worker: its worker writes, any thread reads; again and faults: any thread.

struct ext_worker {
	alignas(64) _Atomic uint64_t packets;
	_Atomic uint64_t dropped;
};

struct ext {
	const struct sluice_extension *ops;
	void *self;
	void *handle; // of dlopen
	enum sluice_ext_point at;
	char name[EXT_NAME_MAX];
	char *path;
	struct sluice_ext_host host;
	struct sluice_ext_arg *args;
	unsigned n_args;
	struct ext_worker *counts; // [host.workers]
	void **memory;             // [host.workers], each on cache lines of its own
	atomic_bool again;
	_Atomic uint64_t faults;
};

#endif
