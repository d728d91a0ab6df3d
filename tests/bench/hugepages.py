# SPDX-License-Identifier: BSD-3-Clause
"""Hugepages for the length of a benchmark."""
import pathlib

NR = pathlib.Path('/proc/sys/vm/nr_hugepages')


def read_meminfo(name):
    for line in open('/proc/meminfo', encoding='ascii'):
        if line.startswith(name + ':'):
            return int(line.split()[1])
    return 0


class Hugepages:
    """Sees to so many free megabytes of 2 MB pages and gives back what it had to take."""

    def __init__(self, megabytes):
        self.megabytes = megabytes
        self.taken = 0

    @property
    def free_mb(self):
        return read_meminfo('HugePages_Free') * read_meminfo('Hugepagesize') // 1024

    @property
    def enough(self):
        mounted = any(line.split()[2] == 'hugetlbfs'
                      for line in open('/proc/mounts', encoding='utf-8'))
        return mounted and self.free_mb >= self.megabytes

    def __enter__(self):
        lacking = self.megabytes - self.free_mb
        page_mb = read_meminfo('Hugepagesize') // 1024 or 2
        if lacking > 0:
            try:
                before = int(NR.read_text())
                NR.write_text(str(before + -(-lacking // page_mb)))
                self.taken = int(NR.read_text()) - before
            except OSError:
                pass  # not root, or no hugepages here: `enough` says so
        return self

    def __exit__(self, *_):
        if self.taken > 0:
            NR.write_text(str(max(0, int(NR.read_text()) - self.taken)))
