# SPDX-License-Identifier: BSD-3-Clause
"""The programs that `bench forward` compares: each forwards from net_flowsource to net_null on one
core, tells its packets by DPDK's telemetry, and stands still (SIGSTOP) while another is measured.

Cycles are those in which the forwarding thread was on its CPU (schedstat), so that a neighbour on
the machine takes nothing from a figure but what it does to the caches.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from forward_policy import RULES, openflow_rules, sluice_rules
from sluice_harness import Proc, RpcClient, wait_for
from sluice_harness.machine import RUN, build_dir, cores

SOURCE, SINK = 'net_flowsource0', 'net_null0'
OVS = pathlib.Path('/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk')
OVS_SCHEMA = pathlib.Path('/usr/share/openvswitch/vswitch.ovsschema')
START_S = 60


class RigError(Exception):
    """A program did not do what it has to do here."""


class Telemetry:
    """DPDK's telemetry socket of a process (DPDK guide, "Telemetry User Guide")."""

    def __init__(self, prefix):
        base = '/var/run' if os.geteuid() == 0 else os.environ.get('XDG_RUNTIME_DIR', '/tmp')
        self.path = f'{base}/dpdk/{prefix}/dpdk_telemetry.v2'
        self.socket = None

    def open(self):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.settimeout(20)
        try:
            link.connect(self.path)
        except OSError:
            link.close()
            return False
        self.socket = link
        self.socket.recv(4096)  # its greeting
        return True

    def ask(self, command):
        self.socket.send(command.encode())
        return json.loads(self.socket.recv(65536))[command.split(',')[0]]

    def port(self, name):
        """The number of a port, None: there is no such port yet."""
        for number in self.ask('/ethdev/list'):
            if self.ask(f'/ethdev/info,{number}')['name'] == name:
                return number
        return None

    def close(self):
        if self.socket:
            self.socket.close()


class Rig:
    """One of the programs. `tunings`: what it is measured with."""

    name = ''
    tunings = ('',)
    thread = 'worker'  # rte-worker-1, lcore-worker-1, dpdk-worker1: releases differ

    def __init__(self, directory, flows, memory, traffic=''):
        """`traffic`: further arguments of the source (forward_source.c), `,key=value` each."""
        self.directory = pathlib.Path(directory)
        self.flows = flows
        self.traffic = traffic
        self.memory = memory
        self.prefix = f'sluice-bench-{RUN}-{self.name}'
        self.telemetry = Telemetry(self.prefix)
        self.proc = None
        self.cpus = [cores()[0], cores()[min(1, len(cores()) - 1)]]

    def eal(self, megabytes):
        memory = ['--in-memory'] if self.memory == 'huge' else ['--no-huge', '-m', str(megabytes)]
        return ['--lcores', f'0@{self.cpus[0]},1@{self.cpus[1]}', *memory, '--no-pci',
                f'--file-prefix={self.prefix}', '-d', str(source_driver())]

    def vdevs(self):
        return [f'{SOURCE},flows={self.flows}{self.traffic}', f'{SINK},no-rx=1']

    def ready(self):
        """Waits until packets reach the sink."""
        def forwards():
            if not self.proc.running:
                raise RigError(f'{self.name} ended with {self.proc.returncode}:\n'
                               f'{self.proc.tail()}')
            if not self.telemetry.socket and not self.telemetry.open():
                return False
            sink = self.telemetry.port(SINK)
            return sink is not None and self.telemetry.ask(f'/ethdev/stats,{sink}')['opackets']
        wait_for(forwards, START_S, f'{self.name} forwards')

    def tune(self, tuning):
        """Makes it work with one of its tunings."""

    @property
    def captured(self):
        """It is sent a capture, of which all passes that is well formed."""
        return 'pcap=' in self.traffic and 'rate=' not in self.traffic

    @property
    def reads_field(self):
        """A rule above the others reads a per-packet field: DSCP, which the packets have."""
        return 'dscp=' in self.traffic

    def counts(self):
        """What came to the source."""
        return self.telemetry.ask(f'/flowsource/counts,{self.telemetry.port(SOURCE)}')

    def set_rates(self, **rates):
        """Packets a second of a paced source (forward_source.c)."""
        words = ''.join(f',{k}={int(v)}' for k, v in rates.items())
        if self.telemetry.ask(f'/flowsource/set,{self.telemetry.port(SOURCE)}{words}') is None:
            raise RigError(f'{self.name}: the source did not take {rates}')

    def settle(self):
        """Waits until it knows all flows."""
        frames, port = self.counts()['frames'], self.telemetry.port(SOURCE)
        first = self.telemetry.ask(f'/ethdev/stats,{port}')['ipackets']

        def played():
            return self.telemetry.ask(f'/ethdev/stats,{port}')['ipackets'] - first >= 2 * frames
        wait_for(played, START_S, 'the capture was played twice')

    def check(self):
        """RigError when what it did is not what was asked for."""

    def worker(self):
        """Its forwarding thread: the one with that name that has run most."""
        found = []
        for task in pathlib.Path(f'/proc/{self.proc.pid}/task').iterdir():
            if self.thread in (task / 'comm').read_text():
                found.append((int((task / 'schedstat').read_text().split()[0]), task))
        if not found:
            raise RigError(f'{self.name} has no thread {self.thread}')
        return max(found)[1]

    def look(self, task, ports):
        """Time that the thread was on its CPU and time that passed, in ns; packets of each port."""
        ran = int((task / 'schedstat').read_text().split()[0])
        now = time.monotonic_ns()
        stats = [self.telemetry.ask(f'/ethdev/stats,{port}') for port in ports]
        return ran, now, stats[0]['ipackets'], stats[1]['opackets']

    def measure(self, seconds):
        """Cycles for each packet, and the part of the time that the thread was on its CPU."""
        ports, task = [self.telemetry.port(name) for name in (SOURCE, SINK)], self.worker()
        hz = self.telemetry.ask('/flowsource/clock')['tsc_hz']
        first = self.look(task, ports)
        end = time.monotonic() + 10 * seconds
        ran = received = sent = 0
        least = 0.5 if self.captured else 0.98
        # The two counters are not read at the same time: the longer, the less that matters.
        while (ran < seconds * 1e9 or sent < least * received) and time.monotonic() < end:
            time.sleep(seconds / 4)
            ran, passed, received, sent = (
                b - a for a, b in zip(first, self.look(task, ports)))
        if sent == 0 or sent < least * received:
            raise RigError(f'{self.name}: of {received} packets {sent} were sent')
        return ran * hz / 1e9 / received, ran / passed

    def pause(self):
        self.proc.signal(signal.SIGSTOP)

    def go_on(self):
        self.proc.signal(signal.SIGCONT)

    def stop(self):
        self.telemetry.close()
        if self.proc:
            self.go_on()
            self.proc.stop()
        shutil.rmtree(os.path.dirname(self.telemetry.path), ignore_errors=True)


class Floor(Rig):
    """testpmd's io forwarding: source and sink, and nothing between."""

    name = 'floor'
    stdin = None

    def start(self):
        read, self.stdin = os.pipe()  # it ends with its input
        self.proc = Proc(['dpdk-testpmd', *self.eal(256),
                          *(w for v in self.vdevs() for w in ('--vdev', v)), '--',
                          '--forward-mode=io', '--auto-start', '--no-flush-rx',
                          '--total-num-mbufs=16384'], self.directory / 'floor.log', stdin=read)
        os.close(read)
        self.ready()

    def stop(self):
        super().stop()
        if self.stdin is not None:
            os.close(self.stdin)


class Sluice(Rig):
    """sluiced as it is shipped, but for the size of its flow cache."""

    name = 'sluice'
    cache_min = 131072  # the default
    rpc = None

    def config(self):
        return {
            'control': {'socket': str(self.directory / 'sluice.sock')},
            'drivers': [str(source_driver())],
            'datapath': {'flows': max(self.cache_min, self.entries() + self.entries() // 20)},
            'switches': [{
                'name': 'sw0',
                'ports': [{'name': n, 'attach': {'kind': 'ethdev', 'dev': dev, 'queues': 1}}
                          for n, dev in zip(('in', 'out'), self.vdevs())],
                'rules': sluice_rules('in', 'out', self.captured, self.reads_field)}]}

    def entries(self):
        """Of the cache. A flow whose key grows by a field has two (classify/fields.h)."""
        return self.flows * (2 if self.reads_field else 1)

    def start(self):
        self.start_with(self.directory / 'sluice.json', self.directory / 'sluice.sock')

    def start_with(self, path, sock):
        path.write_text(json.dumps(self.config()))
        megabytes = 512 + self.config()['datapath']['flows'] // 4000
        self.proc = Proc([build_dir() / 'src' / 'sluiced', *self.eal(megabytes), '--', '--config',
                          path], self.directory / 'sluice.log')
        self.ready()
        wait_for(sock.exists, START_S, 'sluice serves its control socket')
        self.rpc = RpcClient(sock)

    def eal(self, megabytes):
        arguments = super().eal(megabytes)
        return arguments[:arguments.index('-d')]  # the driver is in its configuration

    def settle(self):
        if self.captured:
            super().settle()
            return
        known = self.counts()['distinct'] * 0.999 * self.entries() / self.flows
        wait_for(lambda: self.cached() >= known, START_S, 'all flows are cached')

    def cached(self):
        return self.rpc.call('worker list')['items'][0]['cache_flows']

    def heap_mb(self):
        return sum(self.telemetry.ask(f'/eal/heap_info,{h}')['Alloc_size']
                   for h in self.telemetry.ask('/eal/heap_list')) / 2**20

    def check(self):
        if self.captured:
            return
        lost = self.rpc.call('stats')['software']['dropped']
        if any(lost.values()):
            raise RigError(f'sluice dropped packets: {lost}')
        looked_at = min(self.flows, RULES, 10)
        rules = self.rpc.call('rule list', limit=looked_at + self.reads_field)['items']
        rules = [rule for rule in rules if rule['actions'] != 'drop'][:looked_at]
        if not all(rule['packets'] for rule in rules):
            raise RigError(f'a rule was not met: {rules}')

    def stop(self):
        if self.rpc:
            self.rpc.close()
        super().stop()


class Ovs(Rig):
    """OVS-DPDK with a database of its own; no service of the system is touched."""

    name = 'ovs'
    tunings = ('emc', 'smc')
    thread = 'pmd-c'
    settings = {'emc': {'emc-insert-inv-prob': '100', 'smc-enable': 'false'},
                'smc': {'emc-insert-inv-prob': '0', 'smc-enable': 'true'}}

    def __init__(self, *args):
        super().__init__(*args)
        self.database = None
        self.run_dir = self.directory / 'ovs'
        self.env = {'OVS_RUNDIR': str(self.run_dir), 'OVS_LOGDIR': str(self.run_dir),
                    'OVS_DBDIR': str(self.run_dir)}

    def tool(self, *argv):
        try:
            run = subprocess.run([str(a) for a in argv], env={**os.environ, **self.env}, text=True,
                                 capture_output=True, timeout=START_S, check=False)
        except subprocess.TimeoutExpired:
            raise RigError(f'{argv[0]} had no answer: {self.proc.tail(3)}') from None
        if run.returncode:
            raise RigError(f'{" ".join(map(str, argv))}: {run.stderr.strip()}')
        return run.stdout

    def vsctl(self, *argv):
        return self.tool('ovs-vsctl', f'--db=unix:{self.run_dir}/db.sock', *argv)

    def settings_words(self, values):
        return [f'other_config:{k}={json.dumps(v)}' for k, v in values.items()]

    def start(self):
        self.run_dir.mkdir()
        self.tool('ovsdb-tool', 'create', self.run_dir / 'conf.db', OVS_SCHEMA)
        self.database = Proc(['ovsdb-server', self.run_dir / 'conf.db',
                              f'--remote=punix:{self.run_dir}/db.sock',
                              f'--unixctl={self.run_dir}/ovsdb.ctl'],
                             self.directory / 'ovsdb.log', env=self.env)
        wait_for((self.run_dir / 'db.sock').exists, START_S, 'ovsdb-server serves')
        # OVS adds --in-memory, which excludes --no-huge, unless it sees --legacy-mem.
        legacy = [] if self.memory == 'huge' else ['--legacy-mem']
        extra = ' '.join([*self.eal(2048)[2:], *legacy, *(f'--vdev {v}' for v in self.vdevs())])
        self.vsctl('--no-wait', 'init')
        self.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', *self.settings_words({
            'dpdk-init': 'true', 'dpdk-extra': extra,
            'dpdk-lcore-mask': hex(1 << self.cpus[0]), 'pmd-cpu-mask': hex(1 << self.cpus[1])}))
        self.proc = Proc([OVS, f'unix:{self.run_dir}/db.sock',
                          f'--unixctl={self.run_dir}/vswitchd.ctl'],
                         self.directory / 'ovs.log', env=self.env)
        self.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev',
                   'fail-mode=secure')
        self.add_ports()
        rules = self.directory / 'openflow.txt'
        rules.write_text(self.rules())
        self.tool('ovs-ofctl', 'add-flows', f'unix:{self.run_dir}/br0.mgmt', rules)
        self.ready()

    def add_ports(self):
        for number, dev in enumerate((SOURCE, SINK), 1):
            self.vsctl('add-port', 'br0', dev, '--', 'set', 'interface', dev, 'type=dpdk',
                       f'options:dpdk-devargs={dev}', f'ofport_request={number}')

    def rules(self):
        return openflow_rules(1, 2, self.captured, self.reads_field)

    def tune(self, tuning):
        self.vsctl('set', 'Open_vSwitch', '.', *self.settings_words(self.settings[tuning]))

    def settle(self):
        super().settle()
        time.sleep(1)  # nothing tells when its caches know all flows

    def stop(self):
        super().stop()
        if self.database:
            self.database.stop()


def source_driver():
    return build_dir() / 'tests' / 'bench' / 'librte_net_flowsource.so'


def ovs_installed():
    return OVS.exists() and OVS_SCHEMA.exists() and shutil.which('ovsdb-server') is not None
