# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's own tools on the emulated NIC, as Debian ships them: dpdk-test-flow-perf in a process of
its own, dpdk-telemetry.py and dpdk-dumpcap beside a testpmd that holds the NIC (dpdk-proc-info is in
test_emunic_ethdev.py)."""
import json
import os
import re
import shutil
import subprocess

import pytest
from scapy.all import IP, UDP, Ether, wrpcap

from sluice_harness import Testpmd, foreign_build_dir, need, wait_for
from sluice_harness.machine import RUN, free_hugepages, hugetlbfs_mounted, lcores
from sluice_harness.proc import die_with_parent

pytestmark = pytest.mark.plain_only
NIC = 'librte_net_emunic.so'
DURING = 60  # seconds that a tool may take on a loaded machine


def driver_dir():
    lib = foreign_build_dir() / 'lib' / 'emunic'
    assert (lib / NIC).exists(), f'{lib / NIC} is not built'
    return lib


def environment(**more):
    path = f"{driver_dir()}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(':')
    return {**os.environ, 'LD_LIBRARY_PATH': path, **more}


def run(*argv, check=True, stdin=None, **env):
    """What a program prints, both outputs together."""
    done = subprocess.run([str(a) for a in argv], text=True, stdout=subprocess.PIPE, input=stdin,
                          stderr=subprocess.STDOUT, timeout=DURING, env=environment(**env),
                          preexec_fn=die_with_parent, check=False)
    assert not check or done.returncode == 0, f'{argv[0]} ended with {done.returncode}:\n{done.stdout}'
    return done.stdout


@pytest.fixture
def prefix():
    """An EAL file prefix, whose directory goes with the test."""
    name = f'sluice-{RUN}-tools'
    yield name
    shutil.rmtree(f'/run/dpdk/{name}', ignore_errors=True)


@pytest.fixture
def holder(work, prefix):
    """Starts a testpmd that holds the NIC, for others to look at; it ends with the test."""
    need('dpdk-testpmd')
    started = []

    def start(vdev, args=()):
        t = Testpmd(work, eal=['-d', NIC, '--file-prefix', prefix, '--vdev', vdev], args=args,
                    env={'LD_LIBRARY_PATH': environment()['LD_LIBRARY_PATH']}, telemetry=True,
                    memory=512, huge=False)
        started.append(t)
        return t

    yield start
    for t in started:
        t.stop()


def flow_perf(capacity, count, *words):
    need('dpdk-test-flow-perf')
    return run('dpdk-test-flow-perf', '--lcores', lcores(2), '--no-huge', '--no-shconf', '-m', '512',
               '--no-pci', '--no-telemetry', '-d', NIC,
               '--vdev', f'net_emunic0,queues=2,capacity={capacity},wire=[sink]', '--', *words,
               f'--rules-count={count}', f'--rules-batch={count // 4}', check=False)


def rates(out):
    found = re.findall(r'\[Throughput \| (\w+)\] All Cores :: Port 0 :: Total .*rate -> ([\d.]+) K', out)
    return {what: float(rate) for what, rate in found}


@pytest.mark.parametrize('words', [
    ('--ingress', '--ether', '--ipv4', '--udp', '--queue'),
    ('--ingress', '--ether', '--vlan', '--ipv6', '--tcp', '--mark', '--drop'),
    ('--transfer', '--ether', '--ipv4', '--tcp', '--drop'),
], ids=['queue', 'vlan-mark', 'transfer'])
def test_flow_perf(words):
    """It inserts and removes 4,000 rules and tells at which rates."""
    out = flow_perf(4096, 4000, *words, '--deletion-rate')
    seen = rates(out)
    assert seen.get('Insertion', 0) > 0 and seen.get('Deletion', 0) > 0, out
    assert "can't be created" not in out and 'Fail' not in out, out


def test_flow_perf_full():
    """One rule more than the NIC holds is refused with the NIC's figures."""
    out = flow_perf(3999, 4000, '--ingress', '--ether', '--ipv4', '--udp', '--queue')
    assert re.search(r"Flow can't be created .*the NIC is full: it holds 3999 rules of 3999", out), out


def telemetry(prefix, *commands):
    """The answers of dpdk-telemetry.py: one JSON object for each command."""
    need('dpdk-telemetry.py')
    out = run('dpdk-telemetry.py', '-f', prefix, stdin='\n'.join(commands) + '\nquit\n')
    answers = [json.loads(line) for line in out.splitlines() if line.startswith('{"/')]
    assert len(answers) == len(commands), out
    return [answer[command.split(',')[0]] for answer, command in zip(answers, commands)]


def test_queue_group(holder, prefix):
    """The NIC spreads a generator's flows over a group's queues by itself: the heavy ones alone."""
    t = holder('net_emunic0,queues=4,wire=[generator,flows=40,pps=4000,skew=1.5,size=1000],mbufs=4096',
               args=['--rxq=4', '--txq=4', '--forward-mode=rxonly', '--auto-start'])
    nic = 'nic=net_emunic0'
    refused, made, missing = telemetry(
        prefix, f'/emunic/group_set,{nic},group=1,queues=1-4',
        f'/emunic/group_set,{nic},group=1,queues=1-3,heavy=2000,light=500,exclusive_max=1',
        f'/emunic/group,{nic},group=2')
    assert 'queues 0 to 3' in refused['error'] and 'pf has no group 2' in missing['error']
    assert made == {'port': 'pf', 'group': 1}, made
    rule = 'ingress pattern eth / end actions queue index'
    before = len(t.proc.text())
    t.cmd(f'flow create 0 {rule} 32770 / end')
    wait_for(lambda: 'no such queue group' in t.proc.text()[before:], 15, 'the rule is refused')
    assert 'Flow rule #0 created' in t.cmd(f'flow create 0 {rule} 32769 / end')

    def assigned():
        group, = telemetry(prefix, f'/emunic/group,{nic},group=1')
        return group if any('exclusive' in line for line in group['queues']) else None
    group = wait_for(assigned, 60, 'a flow has a queue alone')
    assert group['rules'] == 1 and group['flows'] >= 10 and len(group['queues']) == 3, group
    assert group['figures']['alike'] == 'none' and group['figures']['heavy'] == '2000', group
    assert re.match(r'wire [0-9.]+:\d+ > [0-9.]+:\d+ proto \d+: queue [123] ', group['heaviest'][0])
    alone = [line for line in group['queues'] if 'exclusive' in line]
    assert len(alone) == 1 and 'flows 1,' in alone[0], group
    changed, kept, groups = telemetry(prefix, f'/emunic/group_set,{nic},group=1,queues=2-3,alike=dscp',
                                      f'/emunic/group_del,{nic},group=1', f'/emunic/groups,{nic}')
    assert changed == made and '1 rule sends' in kept['error'] and groups['pf_1']['rules'] == 1

    def left():
        lines = telemetry(prefix, f'/emunic/group,{nic},group=1')[0]['heaviest']
        return lines and not any(': queue 1 ' in line for line in lines)
    wait_for(left, 60, 'all flows have left the queue')
    t.cmd('flow destroy 0 rule 0')
    gone, groups = telemetry(prefix, f'/emunic/group_del,{nic},group=1', f'/emunic/groups,{nic}')
    assert gone == made and groups == {}, (gone, groups)


def test_telemetry(holder, prefix):
    """The NIC's own commands: what there is, its moods changed while it runs, another backend."""
    t = holder('net_emunic0,queues=2,representor=vf0,wire=[sink],vf0=[sink]')
    nics, info, helped = telemetry(prefix, '/emunic/list', '/emunic/info,nic=net_emunic0',
                                   '/help,/emunic/set')
    assert nics == ['net_emunic0'] and info['vfs'] == 1 and info['rules'] == 0, (nics, info)
    assert 'key=value' in json.dumps(helped), helped
    assert info['sides'] == ['wire: sink, up', 'vf0: sink, up'], info
    rule = 'ingress pattern eth / ipv4 dst is 10.0.0.1 / end actions drop / count / end'
    assert 'created' in t.cmd(f'flow create 0 {rule}')
    changed, = telemetry(prefix, '/emunic/set,nic=net_emunic0,capacity=1')
    assert changed == {'nic': 'net_emunic0'}, changed
    before = len(t.proc.text())
    t.cmd('flow create 0 ' + rule.replace('10.0.0.1', '10.0.0.2'))
    wait_for(lambda: 'it holds 1 rules of 1' in t.proc.text()[before:], 10, 'the NIC is full')
    # The wire is unplugged, and link follows; another one is plugged in.
    telemetry(prefix, '/emunic/swap,nic=net_emunic0,side=wire,')
    wait_for(lambda: 'Link status: down' in t.cmd('show port info 0'), 10, 'link is down')
    info, = telemetry(prefix, '/emunic/info,nic=net_emunic0')
    assert info['sides'] == ['wire: nothing, down', 'vf0: sink, up'], info
    swapped, = telemetry(prefix, '/emunic/swap,nic=net_emunic0,side=wire,[generator,pps=1000]')
    assert swapped['side'] == 'wire', swapped
    wait_for(lambda: 'Link status: up' in t.cmd('show port info 0'), 10, 'link is up')
    t.cmd('set fwd rxonly')
    t.cmd('start')
    wait_for(lambda: t.port_stats(0)['RX-packets'] > 100, 20, 'packets of the new wire')


@pytest.mark.parametrize('command, answer', [
    ('/emunic/info,nic=net_emunic7', 'net_emunic7'),
    ('/emunic/set,nic=net_emunic0,nonsense=1', 'nonsense'),
    ('/emunic/set,nic=net_emunic0,capacity=-1', 'capacity'),
    ('/emunic/set,nic=net_emunic0,loss=1,loss=2', 'loss is given twice'),
    ('/emunic/set,nic=net_emunic0,loss=1,', 'expected KEY=VALUE'),
    ('/emunic/set,nic=net_emunic0,\x01\x02=1', "unknown mood '??'"),
    ('/emunic/set,nic=net_emunic0,stall=pf.rx1', 'so no pf.rx1'),
    ('/emunic/vf,nic=net_emunic0,vf=1', 'vf=1'),
    ('/emunic/list,everything', 'everything'),
    ('/emunic/group,nic=net_emunic7,group=1', 'net_emunic7'),
    ('/emunic/group_set,nic=net_emunic0,port=rep7,group=1,queues=0', 'port=rep7'),
    ('/emunic/group_del,nic=net_emunic0,group=64', 'group=64'),
    ('/emunic/swap,nic=net_emunic0,side=vf0,[ethdev,net_emunic0]', 'not plugged into itself'),
    ('/emunic/swap,nic=net_emunic0,side=vf9,[sink]', 'vf9'),
    ('/emunic/swap,nic=net_emunic0,side=wire,[teleport]', 'teleport'),
])
def test_telemetry_refusals(holder, prefix, command, answer):
    """What is wrong is named, and the NIC is as it was."""
    holder('net_emunic0,queues=1,representor=vf0,wire=[sink],vf0=[sink]')
    before, refused, after = telemetry(prefix, '/emunic/info,nic=net_emunic0', command,
                                       '/emunic/info,nic=net_emunic0')
    assert answer in json.dumps(refused), refused
    assert before == after, (before, after)


# dpdk-dumpcap takes no EAL arguments, and testpmd links mempool drivers that it does not: their
# indices in shared memory are the same only where both have loaded the same ones.
PRELOAD = f'{NIC} librte_mempool_dpaa.so librte_mempool_dpaa2.so'


def test_dumpcap(work, prefix):
    """It captures what a queue receives; tshark reads the file, packet for packet what the wire
    plays."""
    need('dpdk-dumpcap')
    need('tshark')
    assert hugetlbfs_mounted() and free_hugepages() >= 200, 'too few hugepages'
    packets = [Ether(dst='02:00:00:00:00:01', src='02:00:00:00:00:02') / IP(dst='10.0.0.1') /
               UDP(sport=1000 + i, dport=53 + i % 2) / bytes(20 + i) for i in range(40)]
    for i, packet in enumerate(packets):  # a thousand a second, in a loop
        packet.time = i / 1000
    wrpcap(str(work / 'wire.pcap'), packets)
    file = work / 'seen.pcapng'
    nic = f'net_emunic0,queues=1,wire=[replay,file={work}/wire.pcap,loop=1,speed=1]'
    with Testpmd(work, eal=['-d', NIC, '--file-prefix', prefix, '--vdev', nic],
                 args=('--forward-mode=rxonly', '--auto-start'),
                 env={'LD_LIBRARY_PATH': environment()['LD_LIBRARY_PATH']}, shared=True) as t:
        out = run('dpdk-dumpcap', '--file-prefix', prefix, '-i', 'net_emunic0', '-f', 'udp port 54',
                  '-c', 100, '-w', file, LD_PRELOAD=PRELOAD)
        assert 'received/dropped' in out, out
        assert t.proc.running
    seen = run('tshark', '-r', file, '-T', 'fields', '-e', 'udp.srcport', '-e', 'udp.dstport',
               '-e', 'frame.len').splitlines()
    seen = [line.split('\t') for line in seen if re.match(r'\d+\t\d+\t\d+$', line)]
    assert 100 <= len(seen) < 200, seen  # it counts after each burst
    want = [[str(1000 + i), '54', str(62 + i)] for i in range(1, 40, 2)]
    first = want.index(seen[0])
    assert seen == [want[(first + k) % len(want)] for k in range(len(seen))], seen
