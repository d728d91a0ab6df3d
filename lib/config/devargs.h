// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONFIG_DEVARGS_H
#define SLUICE_CONFIG_DEVARGS_H

#include <stdbool.h>
#include <stddef.h>

// A look into DPDK device arguments ("net_x0,key=value,key=[a,b]"), for checks without EAL; source:
// DPDK guide, "Device Arguments" and "Poll Mode Driver: representor". What is not understood is
// left to the driver. Thread safety: any thread (no state).

// The value of key in out; false when it is not there (or longer than out).
bool devargs_value(const char *dev, const char *key, char *out, size_t size);
// Length of the device's name.
size_t devargs_name_len(const char *dev);
// How many VFs a representor value names ("vf[0-3]", "[0,2]", "vf1", "3"): the highest number plus
// one goes to *top, -1 when it is of another form.
int devargs_representors(const char *value, unsigned *top);

#endif
