# SPDX-License-Identifier: BSD-3-Clause
"""VM to VM over vhost-user, 64-byte UDP of 256 flows in each direction. Both guests are one testpmd
with two virtio-user ports on a core of its own: what it receives by one it sends by the other (io
forwarding, 960 packets on their way in each direction), so that its own work is small and no packet
waits for a source. The switch has the other core; two rules say that what comes from one guest goes
to the other.

Beside sluice: testpmd's io forwarding between the same two vhost-user ports (the floor) and, where it
is installed, OVS-DPDK. Once with the options of virtio-user that take the quickest way through it
(mrg_rxbuf=0,in_order=1), once with its defaults, the same for all.

mpps counts both directions, per second that the switch's thread was on its CPU; all run side by side,
one at a time; of the windows (20 ms) of a round the best counts, of the rounds the median."""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from forward_rigs import Floor, Ovs, Rig, RigError, Sluice, ovs_installed, source_driver  # noqa: E402
from hugepages import Hugepages  # noqa: E402
from sluice_harness import Proc, RpcError, short_dir, wait_for  # noqa: E402

MEMORY_MB = 3072
START_S = 30
WINDOW_S = 0.02
GUEST_OPTIONS = {'in-order': ',mrg_rxbuf=0,in_order=1', 'default': ''}


def say(*words):
    print('bench:', *words, file=sys.stderr, flush=True)


class Guests(Rig):
    """Both guests of one switch."""

    def __init__(self, switch, options):
        self.name = f'guests-{switch.name}'
        super().__init__(switch.directory, 1, switch.memory)
        self.sockets, self.options, self.stdin = switch.sockets(), options, None

    def eal(self, megabytes):
        memory = (['--in-memory', '-m', str(megabytes)] if self.memory == 'huge' else
                  ['--no-huge', '-m', str(megabytes)])
        return ['--lcores', f'0@{self.cpus[0]},1@{self.cpus[0]}', *memory,
                '--single-file-segments', '--no-pci', f'--file-prefix={self.prefix}',
                '-d', str(source_driver())]

    def start(self):
        read, self.stdin = os.pipe()
        vdevs = [f'net_virtio_user{i},path={path},queue_size=1024{self.options}'
                 for i, path in enumerate(self.sockets)]
        self.proc = Proc(['dpdk-testpmd', *self.eal(192),
                          *(w for v in vdevs for w in ('--vdev', v)), '--', '-i', '--no-flush-rx',
                          '--forward-mode=io', '--txonly-multi-flow', '--txd=1024', '--rxd=1024',
                          '--total-num-mbufs=16384'], self.directory / f'{self.name}.log',
                         stdin=read)
        os.close(read)
        self.proc.wait_text('testpmd>', START_S)
        wait_for(self.telemetry.open, START_S, f'{self.name}: telemetry')
        for _ in range(5):
            self.say('start tx_first 30')
            if self.moves():
                return
            self.say('stop')  # the switch was not there yet: what was sent is gone
        raise RigError(f'{self.name}: no packets come back:\n{self.proc.tail()}')

    def say(self, line):
        os.write(self.stdin, line.encode() + b'\n')

    def received(self):
        return sum(self.telemetry.ask(f'/ethdev/stats,{p}')['ipackets']
                   for p in self.telemetry.ask('/ethdev/list'))

    def moves(self):
        """Whether packets still go round after half a second."""
        time.sleep(0.5)
        first = self.received()
        time.sleep(0.2)
        return self.received() - first > 10000

    def stop(self):
        super().stop()
        if self.stdin is not None:
            os.close(self.stdin)


class Between:
    """A switch between two vhost-user ports."""

    def sockets(self):
        return [self.directory / f'{self.name}{i}.sock' for i in range(2)]

    def ready(self):
        def serves():
            if not self.proc.running:
                raise RigError(f'{self.name} ended with {self.proc.returncode}:\n'
                               f'{self.proc.tail()}')
            return all(s.exists() for s in self.sockets())
        wait_for(serves, START_S, f'{self.name} serves its sockets')

    def check(self):
        pass


class FloorVhost(Between, Floor):
    def vdevs(self):
        return [f'net_vhost{i},iface={path}' for i, path in enumerate(self.sockets())]


class SluiceVhost(Between, Sluice):
    def config(self):
        out = super().config()
        out['datapath']['sleep_after'] = 0  # the others do not sleep either
        out['switches'][0]['ports'] = [
            {'name': n, 'attach': {'kind': 'vhost-user', 'path': str(path)}}
            for n, path in zip('ab', self.sockets())]
        out['switches'][0]['rules'] = [{'match': 'port=a', 'actions': 'output=b'},
                                       {'match': 'port=b', 'actions': 'output=a'}]
        return out


class OvsVhost(Between, Ovs):
    def sockets(self):
        return [self.run_dir / f'guest{i}' for i in range(2)]

    def vdevs(self):
        return []

    def add_ports(self):
        for number, path in enumerate(self.sockets(), 1):
            self.vsctl('add-port', 'br0', path.name, '--', 'set', 'interface', path.name,
                       'type=dpdkvhostuser', f'ofport_request={number}')

    def rules(self):
        return ('table=0,in_port=1,actions=output:2\n'
                'table=0,in_port=2,actions=output:1\n')


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench vhost', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=5, metavar='N', help='default %(default)s')
    p.add_argument('--seconds', type=float, default=1, metavar='S',
                   help='length of a round (default %(default)s)')
    p.add_argument('--no-ovs', action='store_true', help='leave OVS out')
    p.add_argument('--json', action='store_true', help='print one JSON object')
    a = p.parse_args()
    if a.rounds < 1 or not 0.2 <= a.seconds <= 60:
        p.error('--rounds is 1 or above, --seconds 0.2 to 60')
    return a


def measure(switch, guests, seconds):
    """Packets per second on the CPU, in millions, of the best window: the one in which the guests
    were not kept from theirs."""
    task, rates = switch.worker(), []
    for _ in range(int(seconds / WINDOW_S)):
        ran, first = int((task / 'schedstat').read_text().split()[0]), guests.received()
        time.sleep(WINDOW_S)
        ran = int((task / 'schedstat').read_text().split()[0]) - ran
        rates.append((guests.received() - first) / max(ran, 1) * 1e3)
    if max(rates) < 0.01:
        raise RigError(f'{switch.name}: no packets go round')
    return max(rates)


def row(a, name, memory):
    with contextlib.ExitStack() as stack:
        directory = short_dir('bench')
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        kinds = [FloorVhost] + ([OvsVhost] if ovs_installed() and not a.no_ovs else [])
        rigs = []
        for kind in kinds + [SluiceVhost]:
            switch = kind(directory, 1, memory)
            stack.callback(switch.stop)
            switch.start()
            switch.tune(switch.tunings[0])
            guests = Guests(switch, GUEST_OPTIONS[name])
            stack.callback(guests.stop)
            guests.start()
            rigs.append((switch, guests))
            guests.pause()
            switch.pause()
        hz = None
        seen = {switch.name: [] for switch, _ in rigs}
        for _ in range(a.rounds):
            for switch, guests in rigs:
                switch.go_on()
                guests.go_on()
                time.sleep(0.2)
                seen[switch.name].append(measure(switch, guests, a.seconds))
                hz = guests.telemetry.ask('/flowsource/clock')['tsc_hz']
                guests.pause()
                switch.pause()
    mpps = {n: statistics.median(v) for n, v in seen.items()}
    out = {'options': name, **{f'{n}_mpps': mpps.get(n) for n in ('floor', 'ovs', 'sluice')}}
    out['of_ovs'] = mpps['sluice'] / mpps['ovs'] if 'ovs' in mpps else None
    out['of_floor'] = mpps['sluice'] / mpps['floor']
    out.update({f'{n}_cycles': hz / 1e6 / v for n, v in mpps.items()})
    out['spread'] = {n: [round(min(v), 2), round(max(v), 2)] for n, v in seen.items()}
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in out.items()}


def table(rows):
    print(f'{"guests":10}' + ''.join(f'{h:>14}' for h in (
        'floor Mpps', 'OVS Mpps', 'sluice Mpps', 'sluice / OVS', 'of the floor')))
    for r in rows:
        cells = [r['floor_mpps'], r['ovs_mpps'], r['sluice_mpps'], r['of_ovs'], r['of_floor']]
        print(f'{r["options"]:10}'
              + ''.join(f'{"-" if c is None else format(c, ".2f"):>14}' for c in cells))


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not ovs_installed() and not a.no_ovs:
        say('OVS-DPDK is not installed (openvswitch-switch-dpdk): its column stays empty')
    rows = []
    try:
        with Hugepages(MEMORY_MB) as pages:
            memory = 'huge' if pages.enough else 'small'
            if not pages.enough:
                say(f'only {pages.free_mb} of {MEMORY_MB} MB of hugepages can be had: '
                    'all run with --no-huge, with more TLB misses')
            for name in GUEST_OPTIONS:
                say(f'guests with {name} options')
                rows.append(row(a, name, memory))
    except (RigError, RpcError, AssertionError, OSError) as e:
        say(f'{type(e).__name__}: {e}')
        return 1
    except KeyboardInterrupt:
        return 130
    if a.json:
        print(json.dumps({'bench': 'vhost', 'rows': rows, 'memory': memory, 'frame': 64,
                          'rounds': a.rounds}))
    else:
        table(rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
