# SPDX-License-Identifier: BSD-3-Clause
"""Namespaces, testpmd's prompt and the end of children, without anything of ours in between.

    netns a (eth0) ── veth ── af_packet ─ testpmd (io forwarding) ─ af_packet ── veth ── netns b
    10.0.0.1, fd00::1                                                    10.0.0.2, fd00::2
"""
import subprocess
import sys

import pytest

from sluice_harness import Proc, Testpmd, wait_for
from sluice_harness.sweep import alive

pytestmark = pytest.mark.plain_only


def test_ping_between_namespaces_over_testpmd(work, netns):
    a, b = netns('a'), netns('b')
    ends = [a.veth(address='10.0.0.1/24'), b.veth(address='10.0.0.2/24')]
    a.ip('addr', 'add', 'fd00::1/64', 'dev', 'eth0', 'nodad')
    b.ip('addr', 'add', 'fd00::2/64', 'dev', 'eth0', 'nodad')
    eal = [f'--vdev=net_af_packet{i},iface={end}' for i, end in enumerate(ends)]
    with Testpmd(work, eal) as pmd:
        pmd.cmd('start')
        assert ' 0% packet loss' in a.run('ping', '-c', 3, '-i', 0.1, '-W', 2, '10.0.0.2')
        assert ' 0% packet loss' in b.run('ping', '-c', 3, '-i', 0.1, '-W', 2, 'fd00::1')
        assert pmd.port_stats(0)['RX-packets'] >= 6
        assert 'Bad arguments' in pmd.cmd('show nothing')


def test_children_end_with_their_parent(work):
    code = ('import sys, time; from sluice_harness import Proc; '
            f'print(Proc(["sleep", "600"], "{work}/sleep.log").pid, flush=True); time.sleep(600)')
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True,
                          env={'PYTHONPATH': ':'.join(sys.path)}) as parent:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    wait_for(lambda: not alive(child), 5, 'the child is gone')


def test_proc_tells_how_it_ended(work):
    with Proc(['sh', '-c', 'echo ready; read x; exit 3'], work / 'sh.log',
              stdin=subprocess.PIPE) as proc:
        proc.wait_text('^ready$')
        proc.popen.stdin.close()
        assert proc.wait() == 3
        with pytest.raises(AssertionError, match='ended with 3 before'):
            proc.wait_text('never')
