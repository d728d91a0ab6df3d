# SPDX-License-Identifier: BSD-3-Clause
"""Two workers against one: 64-byte UDP of 10,000 flows in uniform random order from a source of its
own for each worker (the source is part of the receive call, so that no other core makes packets),
the policy of `bench forward`, one output each.

mpps is the sum over the workers of packets per second that the worker's thread was on its CPU, while
all of them run; the median of rounds in which one worker and two take turns. It takes a core for
each worker and one for the main thread and the system: with fewer, the second worker shares its
core, which is left out of the figure but not of the caches; the output says so (`enough_cores`),
and whether two CPUs are threads of one core (`smt`)."""
import argparse
import contextlib
import json
import pathlib
import shutil
import signal
import statistics
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from forward_policy import sluice_rules  # noqa: E402
from forward_rigs import RigError, Sluice  # noqa: E402
from hugepages import Hugepages  # noqa: E402
from sluice_harness import RpcError, short_dir  # noqa: E402
from sluice_harness.machine import cores  # noqa: E402

MEMORY_MB = 1536
FLOWS = 10000
MARK = 1.9


def say(*words):
    print('bench:', *words, file=sys.stderr, flush=True)


class Workers(Sluice):
    """sluiced with so many workers, each with a source and a sink."""

    def __init__(self, directory, memory, count):
        self.name = f'workers-{count}'
        super().__init__(directory, FLOWS, memory)
        self.count = count
        self.worker_cpus = (cores()[1:] + cores()[:1])[:count]  # the first is the main thread's

    def eal(self, megabytes):
        arguments = super().eal(megabytes)
        arguments[1] = ','.join([f'0@{cores()[0]}']
                                + [f'{i}@{cpu}' for i, cpu in enumerate(self.worker_cpus, 1)])
        return arguments

    def config(self):
        out = super().config()
        each = range(self.count)
        # Receive queues are dealt out in turn: a source to each worker. Each may send by each sink.
        ports = [{'name': f'in{i}', 'attach': {
            'kind': 'ethdev', 'dev': f'net_flowsource{i},flows={FLOWS},seed={i + 1}', 'queues': 1}}
            for i in each]
        ports += [{'name': f'out{i}', 'attach': {
            'kind': 'ethdev', 'dev': f'net_null{i},no-rx=1', 'queues': self.count}} for i in each]
        rules = [rule for i in each for rule in sluice_rules(f'in{i}', f'out{i}')]
        out['control']['socket'] = str(self.directory / f'{self.name}.sock')
        out['switches'][0].update(ports=ports, rules=rules)
        return out

    def start(self):
        path = self.directory / f'{self.name}.json'
        self.start_with(path, self.directory / f'{self.name}.sock')

    def settle(self):
        end = time.monotonic() + 60
        while any(w['cache_flows'] < 0.999 * FLOWS for w in self.workers()):
            if time.monotonic() > end:
                raise RigError(f'{self.name}: not every worker has its flows: {self.workers()}')
            time.sleep(0.1)

    def workers(self):
        return self.rpc.call('worker list')['items']

    def threads(self):
        found = []
        for task in pathlib.Path(f'/proc/{self.proc.pid}/task').iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
                if self.thread in (task / 'comm').read_text():
                    found.append(((task / 'comm').read_text(), task))
        return sorted(found)

    def look(self):
        """[(packets, ns on its CPU)] of the workers."""
        ran = [int((t / 'schedstat').read_text().split()[0]) for _, t in self.threads()]
        return list(zip([w['packets'] for w in self.workers()], ran))

    def rate(self, seconds):
        first = self.look()
        time.sleep(seconds)
        return sum((p1 - p0) / max(t1 - t0, 1) * 1e3
                   for (p0, t0), (p1, t1) in zip(first, self.look()))


def smt():
    """Whether two of the CPUs are threads of one core."""
    for cpu in cores():
        path = pathlib.Path(f'/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list')
        if path.exists() and path.read_text().strip() != str(cpu):
            return True
    return False


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench scale', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=7, metavar='N', help='default %(default)s')
    p.add_argument('--seconds', type=float, default=0.5, metavar='S',
                   help='length of a round (default %(default)s)')
    p.add_argument('--json', action='store_true', help='print one JSON object')
    a = p.parse_args()
    if a.rounds < 1 or not 0.1 <= a.seconds <= 60:
        p.error('--rounds is 1 or above, --seconds 0.1 to 60')
    return a


def measure(a, memory):
    with contextlib.ExitStack() as stack:
        directory = short_dir('bench')
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        rigs = []
        for count in (1, 2):
            rig = Workers(directory, memory, count)
            stack.callback(rig.stop)
            rig.start()
            rig.settle()
            rig.pause()
            rigs.append(rig)
        seen = [[], []]
        for _ in range(a.rounds):
            for rig, rates in zip(rigs, seen):
                rig.go_on()
                time.sleep(0.2)
                rates.append(rig.rate(a.seconds))
                rig.pause()
        return [statistics.median(rates) for rates in seen]


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(cores()) < 2:
        say('one CPU only: two workers cannot run at a time, nothing is measured')
        if a.json:
            print(json.dumps({'bench': 'scale', 'rows': [], 'skipped': 'one CPU'}))
        return 0
    enough, threads = len(cores()) >= 3, smt()
    try:
        with Hugepages(MEMORY_MB) as pages:
            memory = 'huge' if pages.enough else 'small'
            if not pages.enough:
                say(f'only {pages.free_mb} of {MEMORY_MB} MB of hugepages can be had: '
                    'all run with --no-huge, with more TLB misses')
            one, two = measure(a, memory)
    except (RigError, RpcError, AssertionError, OSError) as e:
        say(f'{type(e).__name__}: {e}')
        return 1
    except KeyboardInterrupt:
        return 130
    rows = [{'workers': n, 'mpps': round(v, 2), 'of_one': round(v / one, 3)}
            for n, v in ((1, one), (2, two))]
    if not enough:
        say(f'{len(cores())} CPUs: the second worker shares one with the main thread and the rest of '
            f'the system; the mark of {MARK} is for three and more')
    if threads:
        say(f'CPUs here are threads of one core: the mark of {MARK} is for two cores')
    if a.json:
        print(json.dumps({'bench': 'scale', 'rows': rows, 'cpus': len(cores()),
                          'enough_cores': enough, 'smt': threads, 'memory': memory}))
    else:
        print('workers    Mpps   of one')
        for r in rows:
            print(f'{r["workers"]:7}{r["mpps"]:8.2f}{r["of_one"]:9.3f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
