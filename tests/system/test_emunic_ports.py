# SPDX-License-Identifier: BSD-3-Clause
"""An emulated NIC of two physical ports under testpmd, and processes that share one.

        testpmd        port 0 (pf)     port 1 (pf1)     port 2 (rep vf0)
                          |               |                  |
        net_emunic0    [ embedded switch ........................ ]
                          |               |                  |
                        wire            wire1               vf0
                     (a capture)     (a capture)           (sink)
"""
import os
import re
import subprocess

import pytest

from sluice_harness import Testpmd, foreign_build_dir, wait_for
from test_emunic_ethdev import family  # noqa: F401
from test_emunic_testpmd import (assert_balanced, capture, create, errors, hits, pmd,  # noqa: F401
                                 settled, telemetry, udp, xstats)

pytestmark = pytest.mark.plain_only


def test_between_wires(pmd, work):  # noqa: F811
    """Rules send packets from either wire to the other, to the VF and to a PF; all are counted."""
    east = capture(work, udp('10.0.0.1', 80, 30) + udp('10.0.0.2', 80, 20) +
                   udp('10.0.0.3', 80, 10), 'east.pcap')
    west = capture(work, udp('10.1.0.1', 80, 7) + udp('10.1.0.2', 80, 5), 'west.pcap')
    t = pmd('net_emunic0,ports=2,queues=1,representor=pf0vf0,firmware=inline,vf0=[sink],'
            f'wire=[replay,file={east},speed=0],wire1=[replay,file={west},speed=0]')
    infos = [t.cmd(f'show port info {p}') for p in range(3)]
    names = [re.search(r'Device name: (\S+)', i).group(1) for i in infos]
    assert names == ['net_emunic0', 'net_emunic0_pf1', 'net_emunic0_representor_vf0']
    assert len({re.search(r'Switch domain Id: (\d+)', i).group(1) for i in infos}) == 1
    assert len({re.search(r'MAC address: (\S+)', i).group(1) for i in infos}) == 3
    across = create(t, 'transfer pattern represented_port ethdev_port_id is 0 / eth / '
                       'ipv4 dst is 10.0.0.1 / end '
                       'actions count / represented_port ethdev_port_id 1 / end')
    to_vf = create(t, 'transfer pattern represented_port ethdev_port_id is 0 / eth / '
                      'ipv4 dst is 10.0.0.2 / end '
                      'actions count / represented_port ethdev_port_id 2 / end')
    back = create(t, 'transfer pattern eth / ipv4 dst is 10.1.0.1 / end '
                     'actions count / represented_port ethdev_port_id 0 / end', port=1)
    over = create(t, 'transfer pattern eth / end '
                     'actions count / port_representor port_id 0 / end', port=1)
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['wire1_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    assert [hits(t, r)[0] for r in (across, to_vf)] == [30, 20]
    assert hits(t, back, port=1)[0] == 7 and hits(t, over, port=1)[0] == 5
    assert x['wire_rx_packets'] == 60 and x['wire_tx_packets'] == 7
    assert x['nic_received_wire'] == 72 and x['nic_sent_wire'] == 37 and x['vf0_rx_packets'] == 20
    other = xstats(t, port=1)
    assert other['wire_rx_packets'] == 12 and other['wire_tx_packets'] == 30
    assert x['rx_good_packets'] == 15 and other['rx_good_packets'] == 0


def test_each_by_its_name(pmd, work):  # noqa: F811
    """Moods and backends are of one wire; a NIC with several ports comes and goes whole."""
    prefix = f'{work.name}-ports'
    vdev = 'net_emunic0,ports=2,queues=1,vfs=1,wire=[sink],wire1=[sink]'
    t = pmd(vdev, prefix=prefix)
    info = telemetry(prefix, '/emunic/info,nic=net_emunic0')
    assert info['ports'] == 2 and info['port'] == 0
    assert telemetry(prefix, '/emunic/list') == ['net_emunic0']
    telemetry(prefix, '/emunic/set,nic=net_emunic0,link_down=wire1,stall=pf1.rx0+vf0.rx3')
    info = telemetry(prefix, '/emunic/info,nic=net_emunic0')
    assert info['link_down'] == ['wire1'] and info['stall'] == ['pf1.rx0', 'vf0.rx3']
    wait_for(lambda: 'Link status: down' in t.cmd('show port info 1'), 10, 'port 1 is down')
    assert 'Link status: up' in t.cmd('show port info 0')
    answer = telemetry(prefix, '/emunic/set,nic=net_emunic0,link_down=wire2')
    assert 'the NIC has 2 ports, so no wire2' in answer['error']
    answer = telemetry(prefix, '/emunic/swap,nic=net_emunic0,side=wire2,[sink]')
    assert 'the NIC has no side "wire2"' in answer['error']
    telemetry(prefix, '/emunic/set,nic=net_emunic0,link_down=none,stall=none')
    telemetry(prefix, '/emunic/swap,nic=net_emunic0,side=wire1,[generator,flows=3,pps=0,count=90]')
    x = settled(t, lambda x: x['wire1_finished'])
    assert x['nic_held'] == 90
    t.cmd('port stop all')
    t.cmd('port close all')
    out = t.cmd('device detach net_emunic0')
    assert 'removed' in out or 'detached' in out, out
    out = t.cmd(f'port attach {vdev}')
    assert 'Attached' in out or 'Now total ports is' in out, out
    for args, message in (('ports=2,wire2=[sink]', 'wire2 is named, but ports=2'),
                          ('ports=9', 'ports=9: expected a number from 1 to 4'),
                          ('wire4=[sink]', 'wires are wire and wire1 to wire3'),
                          ('representor=pf1vf0', 'pf1 has no VFs, all are of pf0')):
        said = errors(t, f'port attach net_emunic1,{args}')
        assert message in said, (args, said)


def test_shared_by_processes(work, family):  # noqa: F811
    """Another process sees all PFs. One that dies inside the NIC leaves it to the others."""
    eal, env = family
    primary = Testpmd(work, eal=[*eal, '--proc-type=primary', '--vdev',
                                 'net_emunic0,ports=2,queues=1,representor=vf0,vf0=[sink],'
                                 'wire=[sink],wire1=[generator,flows=9,seed=1,pps=100000]'],
                      args=('--forward-mode=rxonly',), env=env, memory=256, shared=True,
                      name='primary')
    try:
        primary.cmd('start')
        done = subprocess.run(['dpdk-proc-info', '--no-pci', *eal, '--', '--xstats'], text=True,
                              capture_output=True, timeout=60, check=True,
                              env={**os.environ, **env})
        assert 'statistics for port 2' in done.stdout, done.stdout + done.stderr
        assert len(re.findall('^wire_rx_packets: ', done.stdout, re.M)) == 2, done.stdout
        holder = subprocess.Popen(
            [foreign_build_dir() / 'tests' / 'support' / 'hold_gate', '--no-pci',
             '--proc-type=secondary', '--lcores=0', '--file-prefix', eal[1]],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert any(line == 'held\n' for line in holder.stdout)
        finally:
            holder.kill()
            holder.wait()
        before = xstats(primary)['nic_received_wire']
        wait_for(lambda: xstats(primary)['nic_received_wire'] > before + 1000, 20,
                 'the NIC goes on')
        create(primary, 'transfer pattern eth / end actions drop / end', port=1)
        primary.cmd('stop')
        x = xstats(primary)
        assert x['nic_rules'] == 1
    finally:
        primary.stop()
