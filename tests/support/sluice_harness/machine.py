# SPDX-License-Identifier: BSD-3-Clause
"""What this machine has, and where things are."""
import os
import pathlib
import shutil
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[3]
# The mark of this run: in the environment of every process and the name of every namespace.
RUN = os.environ.setdefault('SLUICE_RUN', str(os.getpid()))
IN_CI = os.environ.get('CI') == 'true'


def build_dir():
    """The build that is under test."""
    return pathlib.Path(os.environ.get('SLUICE_BUILD', TOP / 'build'))


def foreign_build_dir():
    """The build whose shared objects foreign programs can load: never one with sanitizers."""
    return pathlib.Path(os.environ.get('SLUICE_PLAIN_BUILD', build_dir()))


def data_dir(name=''):
    """A folder of captures and rule sets beside the tree; the test is skipped where there is none.
    """
    path = TOP.parent / 'shared' / 'data' / name
    if not path.is_dir():
        import pytest
        pytest.skip(f'../shared/data/{name} is not here')
    return path


def need(*programs):
    """Skips the test when a program is missing; in CI that is a failure."""
    for program in programs:
        if shutil.which(program) or os.access(program, os.X_OK):
            continue
        import pytest
        if IN_CI:
            pytest.fail(f'{program} is missing, and in CI it may not be')
        pytest.skip(f'{program} is missing (scripts/setup installs it)')


def cores():
    """The CPUs that may be used, lowest first."""
    return sorted(os.sched_getaffinity(0))


def lcores(n=2):
    """EAL's --lcores for n lcores, the first (main) on the first CPU, spread over what there is."""
    cpus = cores()
    return ','.join(f'{i}@{cpus[i % len(cpus)]}' for i in range(n))


def free_hugepages():
    for line in open('/proc/meminfo', encoding='ascii'):
        if line.startswith('HugePages_Free'):
            return int(line.split()[1])
    return 0


def hugetlbfs_mounted():
    return any(line.split()[2] == 'hugetlbfs' for line in open('/proc/mounts', encoding='utf-8'))


def eal_memory(megabytes=256):
    """EAL arguments for that much memory: hugepages, or none where too few are free."""
    if hugetlbfs_mounted() and free_hugepages() * 2 >= megabytes + 64:
        return ['-m', str(megabytes), '--in-memory', '--single-file-segments']
    return ['-m', str(megabytes), '--no-huge', '--no-shconf']


def short_dir(name='t'):
    """A new directory with a path short enough for Unix sockets; sweep.py removes it."""
    return pathlib.Path(tempfile.mkdtemp(prefix=f'sluice-{RUN}-{name}-', dir='/tmp'))


def guest_kernel():
    """The directory with the kernel for guests, fetched on first use."""
    run = subprocess.run([TOP / 'scripts' / 'fetch-guest-kernel'], capture_output=True, text=True,
                         timeout=300, check=False)
    if run.returncode:
        import pytest
        reason = 'no guest kernel: ' + run.stderr.strip()
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return pathlib.Path(run.stdout.strip())
