# SPDX-License-Identifier: BSD-3-Clause
"""What people look for in testpmd when they judge a NIC's ethdev: VLANs, rates, queues.

The NIC is that of test_emunic_testpmd.py.
"""
import os
import re
import shutil
import subprocess
import time

import pytest

from sluice_harness import Testpmd, foreign_build_dir, need, wait_for
from sluice_harness.machine import RUN, free_hugepages, hugetlbfs_mounted
from test_emunic_testpmd import (NIC, assert_balanced, capture, errors, pmd,  # noqa: F401
                                 settled, start_verbose, telemetry, udp, xstats)

pytestmark = pytest.mark.plain_only


def test_vlans(pmd, work):  # noqa: F811
    """A filter lets one VLAN in and what has none, and its tag is taken off on the way."""
    packets = udp('10.0.0.1', 80, 5, vlan=42) + udp('10.0.0.1', 80, 7, vlan=43) + \
        udp('10.0.0.1', 80, 9)
    wire = capture(work, packets)
    t = pmd(f'net_emunic0,queues=1,firmware=inline,wire=[replay,file={wire},speed=0]')
    t.cmd('port stop 0')
    t.cmd('port config 0 rx_offload vlan_filter on')
    t.cmd('port config 0 rx_offload vlan_strip on')
    t.cmd('port start 0')
    assert 'VLAN_STRIP VLAN_FILTER' in t.cmd('show port 0 rx_offload configuration').replace(
        'VLAN_FILTER VLAN_STRIP', 'VLAN_STRIP VLAN_FILTER')
    assert 'failed' not in t.cmd('rx_vlan add 42 0')
    t.cmd('set fwd rxonly')
    t.cmd('set verbose 1')
    start_verbose(t)
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    assert x['nic_drop_vlan_filter'] == 7 and x['nic_sent_host'] == 14
    pmd.stop(t)
    out = (work / 'testpmd0.out').read_text()
    assert len(re.findall(r'VLAN tci=0x2a', out)) == 5
    assert len(re.findall(r'length=62 ', out)) == 14


def test_queue_rate(pmd):  # noqa: F811
    """What a queue may send is limited while it sends; no packet is lost by that."""
    t = pmd('net_emunic0,queues=1,wire=[sink]')
    assert 'failed' not in errors(t, 'set port 0 queue 0 rate 8')
    t.cmd('set fwd txonly')
    begin = time.monotonic()
    t.cmd('start')
    wait_for(lambda: xstats(t)['nic_sent_wire'] > 1000, 20, 'packets at 8 Mbit/s')
    t.cmd('stop')
    x = settled(t, lambda x: x['nic_held'] == 0)
    elapsed = time.monotonic() - begin
    assert_balanced(x)
    # A megabyte a second, with 5 ms in hand and one burst.
    assert x['nic_sent_wire_bytes'] <= 1e6 * elapsed + 5000 + 32 * 1518
    assert x['nic_sent_wire'] == x['tx_good_packets']


def test_rate_of_a_vf(pmd, work):  # noqa: F811
    prefix = f'{work.name}-rate'
    t = pmd('net_emunic0,queues=1,representor=vf0,rate=vf0:8,'
            'vf0=[generator,flows=3,seed=1,pps=0]', prefix=prefix)
    t.cmd('set fwd rxonly')
    begin = time.monotonic()
    t.cmd('start')
    info = telemetry(prefix, '/emunic/info,nic=net_emunic0')
    assert info['rate'] == ['vf0:8'] and info['firmware'] == 'a thread'
    wait_for(lambda: xstats(t)['vf0_tx_packets'] > 500, 20, 'packets at 8 Mbit/s')
    x = xstats(t)
    assert x['vf0_tx_bytes'] <= 1e6 * (time.monotonic() - begin + 1) + 5000 + 32 * 1518
    vf = telemetry(prefix, '/emunic/vf,nic=net_emunic0,vf=0')
    assert vf['vf'] == 'vf0' and len(vf['rss_key']) == 80 and vf['reta'] == []
    assert int(vf['rss_types'], 16) > 0
    for wrong in ('', ',vf=1', ',vf=x', ',vf=0x'):
        answer = telemetry(prefix, f'/emunic/vf,nic=net_emunic0{wrong}')
        assert 'with N below 1' in answer['error'], answer
    answer = telemetry(prefix, '/emunic/set,nic=net_emunic0,rate=vf1:5')
    assert 'no vf1' in answer['error'], answer
    answer = telemetry(prefix, '/emunic/set,nic=net_emunic0,rate=vf0:400001')
    assert 'is not a side and its rate of 0 to 400000 Mbit/s' in answer['error'], answer


def test_service_core(work):
    """A service core runs the firmware, and says so; testpmd's own cores have no part in it."""
    need('dpdk-testpmd')
    lib = foreign_build_dir() / 'lib' / 'emunic'
    t = Testpmd(work, eal=['-d', NIC, '-s', '0x2', '--vdev',
                           'net_emunic0,queues=1,firmware=service,'
                           'wire=[generator,flows=50,seed=1,pps=0,count=3000]'],
                n_lcores=3, memory=512, huge=False,
                env={'LD_LIBRARY_PATH': f"{lib}:{os.environ.get('LD_LIBRARY_PATH', '')}"
                     .rstrip(':')})
    try:
        # Nobody polls, and the wire is read all the same.
        x = settled(t, lambda x: x['wire_finished'])
        assert [k for k in ('thread', 'service', 'inline') if x[f'nic_firmware_{k}']] == ['service']
        assert 'Firmware-version: emunic, run by a service core' in t.cmd('show port info 0')
        t.cmd('set fwd rxonly')
        t.cmd('start')
        x = settled(t, lambda x: x['nic_held'] == 0)
        assert_balanced(x)
        # (the first few may come before testpmd made the port promiscuous)
        assert x['nic_sent_host'] > 0, x
        assert x['nic_sent_host'] + x['nic_drop_rx_missed'] + x['nic_drop_mac_filter'] == 3000, x
        t.cmd('stop')
        t.cmd('port stop 0')
        t.cmd('port close 0')
        t.cmd('device detach net_emunic0')
        assert 'Infos for port' not in t.cmd('show port info all')
    finally:
        t.stop()


def test_many_queues(pmd):  # noqa: F811
    """256 queues, spread by RSS, and each has its statistics."""
    t = pmd('net_emunic0,queues=256,firmware=inline,wire=[generator,flows=4000,seed=1,pps=0,'
            'count=20000]', args=('--rxq=256', '--txq=256', '--rxd=128', '--txd=64',
                                  '--mbcache=0', '--total-num-mbufs=60000'))
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    spread = [x[f'rx_q{q}_packets'] for q in range(256)]
    assert sum(spread) == x['nic_sent_host'] > 10000 and sum(1 for n in spread if n) > 200
    info = t.cmd('show port info 0')
    assert 'Max possible RX queues: 256' in info
    assert re.search(r'Redirection table size: 512', info), info
    assert 'Scalar' in t.cmd('show rxq info 0 255')


@pytest.fixture
def family():
    """EAL arguments and the environment of processes that share a NIC."""
    need('dpdk-proc-info')
    assert hugetlbfs_mounted() and free_hugepages() >= 200, 'too few hugepages'
    prefix = f'sluice-{RUN}-family'
    lib = foreign_build_dir() / 'lib' / 'emunic'
    env = {'LD_LIBRARY_PATH': f"{lib}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(':')}
    yield ['--file-prefix', prefix, '-d', NIC], env
    shutil.rmtree(f'/run/dpdk/{prefix}', ignore_errors=True)


def test_secondary_processes(work, family):
    """One process looks at the NIC of another, and one takes a queue's packets from it; neither can
    change it, and the NIC outlives both."""
    eal, env = family
    procs = ('--rxq=2', '--txq=2', '--num-procs=2')
    primary = Testpmd(work, eal=[*eal, '--proc-type=primary', '--vdev',
                                 'net_emunic0,queues=2,rep_queues=2,representor=vf0,vf0=[sink],'
                                 'wire=[generator,flows=90,seed=1,pps=0,count=600]'],
                      args=(*procs, '--proc-id=0', '--forward-mode=rxonly'), env=env,
                      memory=256, shared=True, name='primary')
    try:
        held = settled(primary, lambda x: x['wire_finished'])['nic_held']
        assert held == 600
        done = subprocess.run(['dpdk-proc-info', '--no-pci', *eal, '--', '--xstats'], text=True,
                              capture_output=True, timeout=60, check=True,
                              env={**os.environ, **env})
        for line in ('nic_received_wire: 600', 'nic_held: 600', 'wire_finished: 1',
                     'wire_played: 600', 'statistics for port 1'):
            assert line in done.stdout, done.stdout + done.stderr
        other = Testpmd(work, eal=[*eal, '--proc-type=secondary'],
                        args=(*procs, '--proc-id=1', '--forward-mode=rxonly'), env=env,
                        memory=256, shared=True, name='secondary')
        try:
            out = errors(other, 'flow create 0 ingress pattern eth / end actions drop / end')
            assert 'rules belong to the primary process' in out, out
            other.cmd('start')
            x = settled(primary, lambda x: x['nic_held'] < held and x['rx_q1_packets'] > 0)
            assert x['rx_q0_packets'] == 0 and x['rx_q1_packets'] + x['nic_held'] == held
            other.cmd('stop')
        finally:
            other.stop()
        primary.cmd('start')
        x = settled(primary, lambda x: x['nic_held'] == 0)
        assert_balanced(x)
        assert x['nic_sent_host'] == held
    finally:
        primary.stop()
