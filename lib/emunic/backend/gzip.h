// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_GZIP_H
#define EMUNIC_BACKEND_GZIP_H

#include <stdbool.h>
#include <stdio.h>

// A file as a stdio stream for reading: a gzip file (RFC 1952) unpacked, any other as it is.
//
// zlib's own gzread cannot be used for that: since 1.3.2 neither gzread nor gzclose says of a file
// that it ends within its gzip stream, so a cut capture would pass for a whole one.
//
// A gzip file may have several members, one after the other. What follows the last and is none
// (padding, mostly) is left out, as gzip(1) does. Data that are none of a gzip stream's, or fail
// its checksum, are a read error (EIO) after all that could be unpacked.
//
// Takes fd over, which has to be a regular file at its beginning: fclose closes it, and a failure
// has. Returns NULL and errno when there is no memory or the file cannot be read. *cut is set by a
// read, to true, when the file ends before its gzip stream does; it has to live as long as the
// stream. Thread safety: owner thread only.
FILE *emu_gzip_open(int fd, bool *cut);

#endif
