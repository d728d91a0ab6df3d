# SPDX-License-Identifier: BSD-3-Clause
"""VM to VM over vhost-user, 64-byte UDP of 256 flows in each direction. Both guests are one testpmd
with two virtio-user ports on a core of its own: what it receives by one it sends by the other (io
forwarding, 960 packets on their way in each direction), so that its own work is small and no packet
waits for a source. The switch has the other core; two rules say that what comes from one guest goes
to the other.

Beside sluice: testpmd's io forwarding between the same two vhost-user ports (the floor) and, where it
is installed, OVS-DPDK. Once with the options of virtio-user that take the quickest way through it
(mrg_rxbuf=0,in_order=1), once with its defaults, the same for all.

A switch polls also when nothing is there, and guests that share a core with nobody are still about as
fast as it is. So each is asked for the cycles of those of its loops that had packets, by its own
counters: testpmd's record-core-cycles, OVS's pmd-stats-show (processing cycles), sluice's worker show.
Guests publish what they send 32 at a time, so that the loops of all three are about as full. All run
side by side, one at a time, in an order that turns round with each round; the median of the rounds
counts. mpps is what went round in that time, both directions: where it is the same for two switches,
the guests were the slower end."""
import argparse
import contextlib
import json
import os
import pathlib
import re
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

    def start(self):
        read, self.stdin = os.pipe()  # it ends with its input
        self.proc = Proc(['stdbuf', '-oL', 'dpdk-testpmd', *self.eal(256),  # its figures at once
                          *(w for v in self.vdevs() for w in ('--vdev', v)), '--', '-i',
                          '--no-flush-rx', '--forward-mode=io', '--total-num-mbufs=16384'],
                         self.directory / 'floor.log', stdin=read)
        os.close(read)
        self.proc.wait_text('testpmd>', START_S)
        self.say('set record-core-cycles on')
        self.say('start')
        self.ready()

    def say(self, line):
        os.write(self.stdin, line.encode() + b'\n')

    def clear(self):
        self.say('clear fwd stats all')

    def cycles(self):
        found = len(self.told())
        self.say('show fwd stats all')
        wait_for(lambda: len(self.told()) > found, START_S, 'testpmd tells its cycles')
        return float(self.told()[-1])

    def told(self):
        return re.findall(r'CPU cycles/packet=([0-9.]+)', self.proc.text())


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

    def clear(self):
        """Its figures are those of the last whole second."""

    def cycles(self):
        return self.rpc.call('worker show')['cycles_per_packet']


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

    def ask(self, command):
        return self.tool('ovs-appctl', '-t', self.run_dir / 'vswitchd.ctl', command)

    def clear(self):
        self.ask('dpif-netdev/pmd-stats-clear')

    def cycles(self):
        told = re.findall(r'avg processing cycles per packet: ([0-9.]+)',
                          self.ask('dpif-netdev/pmd-stats-show'))
        if len(told) != 1:
            raise RigError(f'OVS tells the cycles of {len(told)} threads')
        return float(told[0])


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench vhost', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=5, metavar='N', help='default %(default)s')
    p.add_argument('--seconds', type=float, default=2.5, metavar='S',
                   help='length of a round (default %(default)s)')
    p.add_argument('--no-ovs', action='store_true', help='leave OVS out')
    p.add_argument('--json', action='store_true', help='print one JSON object')
    a = p.parse_args()
    if a.rounds < 1 or not 2.1 <= a.seconds <= 60:  # a whole second lies in it in any case
        p.error('--rounds is 1 or above, --seconds 2.1 to 60')
    return a


def measure(switch, guests, seconds):
    """Cycles of a packet, and millions of packets a second."""
    switch.go_on()
    guests.go_on()
    time.sleep(0.5)
    switch.clear()
    first, began = guests.received(), time.monotonic()
    time.sleep(seconds)
    cycles = switch.cycles()
    rate = (guests.received() - first) / (time.monotonic() - began) / 1e6
    guests.pause()
    switch.pause()
    if rate < 0.01:
        raise RigError(f'{switch.name}: no packets go round')
    return cycles, rate


def started(stack, a, name, memory):
    """[(switch, its guests)], all of them standing still."""
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
    return rigs


def row(a, name, memory):
    with contextlib.ExitStack() as stack:
        rigs = started(stack, a, name, memory)
        seen = {switch.name: [] for switch, _ in rigs}
        for turn in range(a.rounds):
            for switch, guests in rigs[::-1 if turn % 2 else 1]:
                seen[switch.name].append(measure(switch, guests, a.seconds))
    cycles = {n: statistics.median(c for c, _ in v) for n, v in seen.items()}
    out = {'options': name, **{n: cycles.get(n) for n in ('floor', 'ovs', 'sluice')}}
    out['of_ovs'] = cycles['ovs'] / cycles['sluice'] if 'ovs' in cycles else None
    out['of_floor'] = cycles['floor'] / cycles['sluice']
    out.update({f'{n}_mpps': statistics.median(r for _, r in v) for n, v in seen.items()})
    out['spread'] = {n: [round(min(v)[0], 1), round(max(v)[0], 1)] for n, v in seen.items()}
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in out.items()}


def table(rows):
    print(f'{"cycles":10}' + ''.join(f'{h:>15}' for h in (
        'floor', 'OVS', 'sluice', 'OVS / sluice', 'floor / sluice', 'sluice Mpps')))
    for r in rows:
        cells = [r['floor'], r['ovs'], r['sluice'], r['of_ovs'], r['of_floor'], r['sluice_mpps']]
        print(f'{r["options"]:10}'
              + ''.join(f'{"-" if c is None else format(c, ".2f"):>15}' for c in cells))


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
