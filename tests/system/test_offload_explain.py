# SPDX-License-Identifier: BSD-3-Clause
"""What people see of placement: one flow on one screen, and all of them live on a terminal.

       generator ── wire ── nic0 ── vf0 (sink)
                              └── sluiced
"""
import os
import pty
import re
import select
import struct
import subprocess
import termios
from fcntl import ioctl

import pytest

from sluice_harness import RpcError, wait_for
from sluice_harness.sluiced import program


def config(capacity, **offload):
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'min_bps': '1k', 'residency_ms': 50, 'tick_ms': 10, **offload},
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1, 'vf_queues': 1,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=2,vfs=1,representor=vf[0-0],wire=[sink],vf0=[sink],'
                         f'capacity={capacity}'}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'drop'}],
            'rules': [{'name': 'all', 'match': 'ip', 'actions': 'output=v0'}],
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'v0', 'vm': 'vm0',
                       'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}}]}],
    }


@pytest.fixture
def switch(sluiced):
    s = sluiced(config(6, policy=[{'name': 'mine', 'vm': 'vm0'}]), telemetry=True)
    s.wait_up()
    s.swap('generator,flows=30,seed=5,pps=6000,size=300,skew=1.2,v6=0')
    wait_for(lambda: s.call('stats')['refused'].get('table-full', 0) > 5, 20, 'a full table')
    return s


def lines_of_80(text):
    return sum(max(1, -(-len(line) // 80)) for line in text.splitlines())


def test_one_flow_on_one_screen(switch):
    def waiting():
        for f in switch.call('flow list', limit=0, state='wanted')['items']:
            shown = switch.call('flow show', flow=f['id'])
            if 'table full' in shown['in']['reason'] and 'competes_with' in shown['in']:
                return shown
        return None
    shown = wait_for(waiting, 20, 'a flow that waits for an entry')
    side, rival = shown['in'], shown['in']['competes_with']
    assert side['wanted'] == 'eswitch' and side['place'] != 'eswitch', side
    assert rival['flow'] != shown['id'] and rival['needs_bps'] >= rival['worth_bps'] > 0, rival
    assert rival['flow'] in side['next'] and 'worth more than' in side['next'], side
    traits = shown['traits']
    assert (traits['to_vm'], traits['class'], traits['dscp']) == ('vm0', 'default', 0), traits
    assert shown['policy'] == 'mine' and shown['rate_slow_bps'] > 0
    text = switch.ctl('flow', 'explain', shown['id'])
    for word in ('match', 'traits', 'policy', 'rule', 'rates', 'in', 'wanted', 'place', 'reason',
                 'next', 'out'):
        assert re.search(rf'^\s*{word}\b', text, re.M), (word, text)
    assert 'to vm vm0' in text.replace('_', ' ') and 'policy   mine' in text, text
    assert lines_of_80(text) <= 24, text
    whole = switch.ctl('flow', 'explain', shown['id'], '--all')
    assert 'idle' in whole and 'bytes by place' in whole and len(whole) > len(text), whole
    # Of several, a line each.
    assert 20 < len(switch.ctl('flow', 'explain', 'any').splitlines()) < 24
    switch.swap('sink')
    assert switch.settled()['conserved']


def test_sorted(switch):
    for sort, field in (('rate', 'rate_bps'), ('slow', 'rate_slow_bps'), ('packets', 'packets'),
                        ('bytes', 'bytes'), ('age', 'age_s')):
        items = switch.call('offload top', sort=sort, limit=10)['items']
        # Ages are told one after the other.
        values = [round(f[field], 0 if sort == 'age' else 6) for f in items]
        assert len(items) == 10 and values == sorted(values, reverse=True), (sort, values)
    with pytest.raises(RpcError, match='color'):
        switch.call('offload top', sort='color')
    # Not on a terminal: once.
    assert switch.ctl('offload', 'top').count('RATE') >= 1
    assert switch.ctl_json('offload', 'top', '--limit', 3)['items']


class Terminal:
    """sluicectl on a terminal of 20 lines."""

    def __init__(self, switch, *args):
        self.fd, other = pty.openpty()
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 20, 100, 0, 0))
        self.before = termios.tcgetattr(other)
        self.other = other
        self.proc = subprocess.Popen([program('sluicectl'), '--socket', switch.socket, *args],
                                     stdin=other, stdout=other, stderr=other)
        self.text = ''

    def until(self, word):
        def seen():
            while select.select([self.fd], [], [], 0.05)[0]:
                self.text += os.read(self.fd, 65536).decode()
            return word in self.text
        wait_for(seen, 15, word)
        text, self.text = self.text, ''
        return text

    def end(self):
        assert self.proc.wait(10) == 0
        assert termios.tcgetattr(self.other) == self.before
        os.close(self.fd)
        os.close(self.other)


@pytest.mark.parametrize('how', ['key', 'interrupt'])
def test_live(switch, how):
    t = Terminal(switch, 'offload', 'top')
    text = t.until('by rate, every 1 s')
    t.until('by rate, every 1 s')  # it draws again by itself
    os.write(t.fd, b'b')
    t.until('by bytes, every 1 s')
    os.write(t.fd, b'-')
    text = t.until('by bytes, every 0.5 s')
    assert text.count('\n') < 60, text
    if how == 'key':
        os.write(t.fd, b'q')
    else:
        t.proc.send_signal(2)
    t.end()
