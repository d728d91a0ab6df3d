# SPDX-License-Identifier: BSD-3-Clause
"""The emulated NIC with 16 shapes of rules, at several numbers of rules.

mpps: packets a second of one core from the wire into the buffers of an application, the firmware
inline; traffic uniform over all rules, a tenth of it matches none (tests/bench/bench_emunic.c).
inserts, removals: of dpdk-test-flow-perf, with those rules resident beside its own
(tests/bench/emunic_resident.c). Of several runs the quickest counts.
source_cycles: of a packet, what the wire and the application alone take, with no NIC between them;
it is in the figures. paths: the other ways through the NIC."""
import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from hugepages import Hugepages  # noqa: E402
from sluice_harness.machine import RUN, build_dir, lcores  # noqa: E402
from sluice_harness.proc import die_with_parent  # noqa: E402

RULES = [100, 10000, 60000, 65536]
MEMORY_MB = 512
ADDED = 5000  # rules that test-flow-perf inserts and removes
RATE = r'\[Throughput \| %s\] All Cores :: Port 0 :: Total \w+(?: \w+)? rate -> ([\d.]+) K'


class BenchError(Exception):
    """A program did not do what it has to do here."""


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench emunic', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rules', metavar='N,..', default=','.join(map(str, RULES)),
                   help='numbers of rules (default %(default)s)')
    p.add_argument('--runs', type=int, default=5, metavar='N',
                   help='of dpdk-test-flow-perf (default %(default)s)')

    a = p.parse_args()
    try:
        a.rules = [int(n) for n in a.rules.split(',')]
    except ValueError:
        p.error('--rules takes numbers with commas between them')
    if not all(1 <= n <= 65536 for n in a.rules) or a.runs < 1:
        p.error('--rules: 1 to 65536 each; --runs: 1 or above')
    return a


def run(argv, **env):
    """The output of a program that has to end well, and dies with this one."""
    done = subprocess.run([str(w) for w in argv], capture_output=True, text=True, timeout=600,
                          env={**os.environ, **env}, preexec_fn=die_with_parent, check=False)
    if done.returncode:
        raise BenchError(f'{argv[0]} ended with {done.returncode}:\n'
                         + '\n'.join((done.stdout + done.stderr).splitlines()[-10:]))
    return done.stdout


def eal(memory, threads):
    return ['--lcores', lcores(threads), *memory, '--no-pci', '--no-telemetry',
            '--log-level=lib.eal:error', f'--file-prefix=sluice-bench-{RUN}-emunic']


def packet_rates(memory, what):
    out = run([build_dir() / 'tests' / 'bench' / 'bench_emunic', *eal(memory, 1), '--', *what])
    return json.loads(out)


def rule_rates(memory, resident, runs):
    """(insertions, removals) a second, the best of the runs."""
    nic = build_dir() / 'lib' / 'emunic'
    filler = build_dir() / 'tests' / 'bench'
    rates = []
    for _ in range(runs):
        out = run(['dpdk-test-flow-perf', *eal(memory, 2),
                   '-d', 'librte_net_emunic.so', '-d', 'librte_resident.so',
                   '--vdev', f'net_emunic0,capacity={resident + ADDED},wire=[sink]',
                   '--vdev', f'resident0,{resident}', '--', '--ingress', '--ether', '--ipv4',
                   '--udp', '--queue', f'--rules-count={ADDED}', f'--rules-batch={ADDED}',
                   '--deletion-rate'],
                  LD_LIBRARY_PATH=f'{nic}:{filler}')
        found = [re.search(RATE % what, out) for what in ('Insertion', 'Deletion')]
        if not all(found):
            raise BenchError(f'dpdk-test-flow-perf told no rates:\n{out}')
        rates.append([float(f.group(1)) * 1000 for f in found])
    return [round(max(column)) for column in zip(*rates)]


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Hugepages(MEMORY_MB) as pages:
            memory = ['--in-memory', '-m', '384']
            if not pages.enough:
                print('bench: too few hugepages can be had: running with --no-huge',
                      file=sys.stderr)
                memory = ['--no-huge', '--no-shconf', '-m', '384']
            result = packet_rates(memory, a.rules)
            result['paths'] = packet_rates(memory, ['--paths'])['rows']
            for row in result['rows']:
                row['inserts_per_s'], row['removals_per_s'] = rule_rates(
                    memory, row['rules'], a.runs)
    except (BenchError, OSError, subprocess.TimeoutExpired) as e:
        print(f'bench: {e}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(result))
    return 0


if __name__ == '__main__':
    sys.exit(main())
