// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_CAPTURE_H
#define EMUNIC_BACKEND_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

// A capture file (pcap or pcapng, plain or gzip) read whole into memory, with the time at which
// each record is to be played.
//
// Times: the first record is due at 0; gaps above 1 s are cut to 1 s, a step back in time is no
// gap; a record without a timestamp (zero) comes 100 us after the one before it, and so do all
// records of a file in which no two timestamps differ. Lengths: a record that was cut at capture
// keeps its original length (the missing bytes are zeros when played), up to frame_max. A file that
// goes wrong on its way, mostly by a cut last record, gives the whole records before that. Thread
// safety: init only; then owner thread only.

#define EMU_CAPTURE_GAP_MAX_NS 1000000000u
#define EMU_CAPTURE_GAP_NONE_NS 100000u // 10,000 packets a second

struct emu_record {
	uint64_t due_ns;
	uint64_t offset; // of its bytes in data
	uint32_t held;   // bytes in data
	uint32_t length; // of the frame
};

struct emu_capture {
	struct emu_record *records;
	size_t n;
	uint8_t *data;
	uint64_t data_len;
	uint64_t damaged; // records at the end that were not whole
	// Sizes of what is allocated.
	size_t records_max;
	uint64_t data_max;
};

struct emu_capture_limits {
	uint64_t memory;    // bytes that records and data may take together
	uint32_t frame_max; // longer frames are cut to this
};

// Returns 0 with why empty or a remark, or -errno with a sentence: not a capture, not Ethernet,
// above the limit. The result is the caller's; emu_capture_free gives it back.
int emu_capture_load(const char *file, const struct emu_capture_limits *limits,
	struct emu_capture *out, char *why, size_t why_len);
void emu_capture_free(struct emu_capture *c);

#endif
