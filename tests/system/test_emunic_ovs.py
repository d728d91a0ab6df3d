# SPDX-License-Identifier: BSD-3-Clause
"""OVS-DPDK, as Debian ships it, with hw-offload=true on top of the emulated NIC: a real client of
its transfer rules, with a database, sockets and a run directory of its own.

     OVS bridge     PF (port 1)          rep vf0 (port 2)
                      |                     |
     net_emunic0    [ embedded switch .......... ]
                      |                     |
                    wire (generator)      vf0 (generator)

Each generator sends to the other; OVS sees the first packets of a flow and puts the rest into the
NIC.
"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from sluice_harness import Proc, foreign_build_dir, need, wait_for
from sluice_harness.machine import RUN, cores

pytestmark = [pytest.mark.plain_only, pytest.mark.slow]
NIC = 'librte_net_emunic.so'
OVS = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk'
SCHEMA = pathlib.Path('/usr/share/openvswitch/vswitch.ovsschema')
PF, REP = 'net_emunic0', 'net_emunic0,representor=vf0'
WIRE = 'generator,flows=6,pps=4000,seed=1,v6=0,size=128,src=10.1.0.0/16,dst=10.2.0.0/16'
VF = 'generator,flows=6,pps=4000,seed=2,v6=0,size=128,src=10.2.0.0/16,dst=10.1.0.0/16'
SLOW = 90  # seconds that OVS may take for anything on a loaded machine


class Ovs:
    def __init__(self, directory):
        self.directory = directory
        self.prefix = f'sluice-{RUN}-ovs'
        self.env = {name: str(directory) for name in ('OVS_RUNDIR', 'OVS_LOGDIR', 'OVS_DBDIR')}
        self.procs = []

    def tool(self, *argv):
        run = subprocess.run([str(a) for a in argv], env={**os.environ, **self.env}, text=True,
                             capture_output=True, timeout=SLOW, check=False)
        assert run.returncode == 0, f'{argv}: {run.stderr}'
        return run.stdout

    def vsctl(self, *argv):
        return self.tool('ovs-vsctl', f'--db=unix:{self.directory}/db.sock', *argv)

    def appctl(self, *argv):
        return self.tool('ovs-appctl', '-t', self.directory / 'vswitchd.ctl', *argv)

    def start(self, vdev):
        lib = foreign_build_dir() / 'lib' / 'emunic'
        assert (lib / NIC).exists(), f'{lib / NIC} is not built'
        self.tool('ovsdb-tool', 'create', self.directory / 'conf.db', SCHEMA)
        self.procs.append(Proc(
            ['ovsdb-server', self.directory / 'conf.db',
             f'--remote=punix:{self.directory}/db.sock', f'--unixctl={self.directory}/ovsdb.ctl'],
            self.directory / 'ovsdb.log', env=self.env))
        wait_for((self.directory / 'db.sock').exists, SLOW, 'ovsdb-server serves')
        self.vsctl('--no-wait', 'init')
        # OVS adds --in-memory, which excludes --no-huge, unless it sees --legacy-mem.
        extra = (f'--no-huge --legacy-mem -m 1024 --no-pci --file-prefix={self.prefix} -d {NIC} '
                 f'--vdev {vdev}')
        cpu = cores()[-1]
        settings = {'dpdk-init': 'true', 'hw-offload': 'true', 'pmd-maxsleep': '300',
                    'per-port-memory': 'true',
                    'pmd-cpu-mask': hex(1 << cpu), 'dpdk-extra': extra}
        self.vsctl('--no-wait', 'set', 'Open_vSwitch', '.',
                   *(f'other_config:{k}={json.dumps(v)}' for k, v in settings.items()))
        path = f"{lib}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(':')
        self.procs.append(Proc(
            [OVS, f'unix:{self.directory}/db.sock', f'--unixctl={self.directory}/vswitchd.ctl'],
            self.directory / 'ovs.log', env={**self.env, 'LD_LIBRARY_PATH': path}))
        wait_for((self.directory / 'vswitchd.ctl').exists, SLOW, 'OVS answers')
        self.vsctl('--timeout', SLOW, 'add-br', 'br0', '--', 'set', 'bridge', 'br0',
                   'datapath_type=netdev', 'fail-mode=secure')
        for number, dev in enumerate((PF, REP), 1):
            self.vsctl('--timeout', SLOW, 'add-port', 'br0', f'p{number}', '--', 'set', 'interface',
                       f'p{number}', 'type=dpdk', f'options:dpdk-devargs="{dev}"',
                       f'ofport_request={number}')

    def rules(self, *rules):
        self.tool('ovs-ofctl', 'del-flows', f'unix:{self.directory}/br0.mgmt')
        for rule in rules:
            self.tool('ovs-ofctl', 'add-flow', f'unix:{self.directory}/br0.mgmt', rule)

    def flows(self):
        """The datapath's flows that came from the bridge's ports: [{'offloaded', 'packets', ..}]"""
        out = []
        for line in self.appctl('dpctl/dump-flows', '-m', 'netdev@ovs-netdev').splitlines():
            if 'in_port(p' not in line:
                continue
            out.append({'line': line, 'in': re.search(r'in_port\((\w+)\)', line).group(1),
                        'packets': int(re.search(r'packets:(\d+)', line).group(1)),
                        'offloaded': re.search(r'offloaded:(\w+)', line + 'offloaded:no').group(1)})
        return out

    def telemetry(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(SLOW)
            s.connect(f'/run/dpdk/{self.prefix}/dpdk_telemetry.v2')
            s.recv(65536)
            s.send(command.encode())
            return json.loads(s.recv(262144))[command.split(',')[0]]

    def xstats(self):
        return self.telemetry('/ethdev/xstats,0')

    def stop(self):
        for proc in reversed(self.procs):
            proc.stop()
        shutil.rmtree(f'/run/dpdk/{self.prefix}', ignore_errors=True)


@pytest.fixture
def ovs(work):
    need(OVS, 'ovsdb-server', 'ovs-vsctl', 'ovs-appctl', 'ovs-ofctl')
    switch = Ovs(work)
    yield switch
    switch.stop()


def offloaded(ovs):
    """The flows once both directions are in the NIC, wholly."""
    def look():
        flows = [f for f in ovs.flows() if f['offloaded'] == 'yes']
        return flows if {f['in'] for f in flows} == {'p1', 'p2'} else None
    return wait_for(look, SLOW, 'flows of both directions are offloaded')


def grown(ovs, names, by, what):
    """Waits until all these xstats have grown by so much from now on."""
    first = ovs.xstats()

    def look():
        now = ovs.xstats()
        return all(now[n] >= first[n] + by for n in names)
    wait_for(look, SLOW, what)


def test_offload(ovs):
    """Traffic between wire and VF is forwarded by the NIC, under rules that OVS put there."""
    ovs.start(f'net_emunic0,queues=1,representor=vf0,wire=[{WIRE}],vf0=[{VF}]')
    ovs.rules('in_port=1,actions=output:2', 'in_port=2,actions=output:1')
    # Forwarded at all: each side gets packets.
    grown(ovs, ['nic_sent_wire', 'nic_sent_vf'], 1000, 'packets come through')
    flows = offloaded(ovs)
    assert all('dp:dpdk' in f['line'] for f in flows), flows
    assert ovs.xstats()['nic_rules'] >= 2
    # What is forwarded now passes the NIC's own switch, and OVS counts it by asking the NIC.
    grown(ovs, ['nic_eswitch_packets'], 4000, "the NIC's switch carries them")
    before = {f['in']: f['packets'] for f in ovs.flows()}

    def counted():
        now = {f['in']: f['packets'] for f in ovs.flows()}
        return all(now.get(port, 0) >= before.get(port, 0) + 1000 for port in ('p1', 'p2'))
    wait_for(counted, SLOW, "OVS tells the NIC's hits")
    # By then nearly all of it is the NIC's.
    first = ovs.xstats()
    grown(ovs, ['nic_received_wire', 'nic_received_vf'], 2000, 'more packets come')
    last = ovs.xstats()
    came = sum(last[n] - first[n] for n in ('nic_received_wire', 'nic_received_vf'))
    carried = last['nic_eswitch_packets'] - first['nic_eswitch_packets']
    assert carried >= 0.95 * came, (carried, came)
    # With the flows go their rules: what came last was denied.
    ovs.rules('actions=drop')
    wait_for(lambda: not any('actions:p' in f['line'] for f in ovs.flows()), SLOW,
             'the old flows are gone')

    # What OVS and the NIC held of the old ones is out first.
    def denied():
        sent = ovs.xstats()['nic_sent_vf']
        grown(ovs, ['nic_received_wire', 'nic_received_vf'], 2000, 'more packets come')
        return ovs.xstats()['nic_sent_vf'] == sent
    wait_for(denied, SLOW, 'nothing goes to the VF any more')
