# SPDX-License-Identifier: BSD-3-Clause
"""Removes what a run of the tests has left behind: processes, namespaces, interfaces, directories.

usage: python3 -m sluice_harness.sweep RUN|stale
Only what carries the mark of that run is touched: SLUICE_RUN=RUN in a process' environment,
slRUN- at the start of a namespace's or an interface's name, /tmp/sluice-RUN- and EAL's directories
of such prefixes. A run is named by its
process id; `stale` means every run whose process is gone.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time


def marked(run):
    """Processes that carry the mark, without this one and its ancestors."""
    mine = set()
    pid = os.getpid()
    while pid > 1:
        mine.add(pid)
        try:
            with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
                pid = int(f.read().rsplit(')', 1)[1].split()[1])
        except OSError:
            break
    mark = f'SLUICE_RUN={run}'.encode()
    for name in os.listdir('/proc'):
        if not name.isdigit() or int(name) in mine:
            continue
        try:
            with open(f'/proc/{name}/environ', 'rb') as f:
                if mark in f.read().split(b'\0'):
                    yield int(name)
        except OSError:
            pass


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def kill_all(run):
    for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
        pids = list(marked(run))
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        end = time.monotonic() + patience
        while any(alive(p) for p in pids) and time.monotonic() < end:
            time.sleep(0.02)


def namespaces():
    try:
        return os.listdir('/run/netns')
    except OSError:
        return []


def hugepage_mounts():
    with open('/proc/mounts', encoding='utf-8') as f:
        return [line.split()[1] for line in f if line.split()[2] == 'hugetlbfs']


def sweep_files(prefix):
    """Removes directories of that beginning, and EAL's of processes with such a --file-prefix."""
    for path in glob.glob(f'/tmp/{prefix}*') + glob.glob(f'/run/dpdk/{prefix}*'):
        shutil.rmtree(path, ignore_errors=True)
    for mount in hugepage_mounts():
        for path in glob.glob(f'{mount}/{prefix}*'):  # pages that EAL left mapped
            try:
                os.unlink(path)
            except OSError:
                pass


def sweep(run):
    kill_all(run)
    for name in namespaces():
        if name.startswith(f'sl{run}-'):
            subprocess.run(['ip', 'netns', 'del', name], capture_output=True, check=False)
    for path in glob.glob(f'/sys/class/net/sl{run}-*'):
        subprocess.run(['ip', 'link', 'del', os.path.basename(path)], capture_output=True,
                       check=False)
    sweep_files(f'sluice-{run}-')


def sweep_stale():
    names = namespaces() + [os.path.basename(p) for p in
                            glob.glob('/sys/class/net/sl*') + glob.glob('/tmp/sluice-*') +
                            glob.glob('/run/dpdk/sluice-*')]
    runs = {m.group(1) for m in (re.match(r'(?:sl|sluice-)(\d+)-', n) for n in names) if m}
    for run in runs:
        if not alive(run):
            sweep(run)


if __name__ == '__main__':
    if len(sys.argv) == 2 and sys.argv[1] == 'stale':
        sweep_stale()
    elif len(sys.argv) == 2 and sys.argv[1].isdigit():
        sweep(sys.argv[1])
    else:
        sys.exit(__doc__)
