# SPDX-License-Identifier: BSD-3-Clause
"""What the workers tell of themselves: load, cycles by stage, queues."""
import copy

import pytest
from scapy.all import IP, UDP, Ether

from sluice_harness import Frames, RpcError, wait_for

CONFIG = {
    'drivers': ['librte_net_emunic.so'],
    'nics': [{'name': 'nic0', 'queues': 4, 'default_queues': 1,
              'dev': 'net_emunic0,queues=4,vfs=0,wire=[generator,flows=500,pps=20000,seed=3]'}],
    'switches': [{
        'name': 'sw0',
        'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                  {'name': 'w', 'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}],
        'rules': [{'name': 'all', 'match': 'any', 'actions': 'output=w'}]}],
}


@pytest.mark.parametrize('pps', [1000, 20000])
def test_load_and_stages(sluiced, pps):
    """The last second's load and the cycles of a packet, in all and by stage, are there and agree,
    of thin traffic too, where each loop finds one packet; each queue is polled by the worker that
    says so."""
    config = copy.deepcopy(CONFIG)
    config['nics'][0]['dev'] = config['nics'][0]['dev'].replace('pps=20000', f'pps={pps}')
    s = sluiced(config)
    s.wait_up()
    shown = wait_for(lambda: (lambda x: x if x['packets_per_s'] > pps / 2 and
                              any(g['cycles_per_packet'] for g in x['stages']) else None)(
                                  s.rpc.call('worker show')), 30, 'a second with traffic')
    assert [x['stage'] for x in shown['stages']] == ['receive', 'classify', 'act', 'transmit',
                                                     'rings', 'rest']
    assert abs(sum(x['share_pct'] for x in shown['stages']) - 100) < 1, shown['stages']
    by_stage = {x['stage']: x['cycles_per_packet'] for x in shown['stages']}
    assert all(by_stage[s] > 0 for s in ('receive', 'classify', 'act', 'transmit')), by_stage
    assert shown['cycles_per_packet'] > 0 and 0 < shown['busy_pct'] <= 100, shown
    assert 0.5 < shown['packets_per_loop'] <= 64, shown  # a loop may have been for control
    assert {'port': 'uplink', 'queue': 0, 'kind': 'default'}.items() <= shown['queues'][0].items()
    listed, = s.rpc.call('worker list')['items']
    assert listed['worker'] == 0 and listed['packets'] >= shown['packets']
    with pytest.raises(RpcError, match='there is no worker 1, the last one is 0'):
        s.rpc.call('worker show', worker=1)


def test_an_idle_worker_naps_and_wakes(sluiced):
    """Without traffic a worker sleeps, and says so; a packet that comes then is served, each time,
    and counted in the stages. With sleep_after 0 it never sleeps."""
    config = {'datapath': {'mbufs': 8192}, 'switches': [{
        'name': 'sw0', 'ports': [{'name': 'src'}, {'name': 'a'}],
        'rules': [{'match': 'port=src', 'actions': 'output=a'}]}]}
    s = sluiced(config)
    frames = Frames(s)

    def naps():
        return s.call('worker show')['naps']

    def asleep():
        before = naps()
        wait_for(lambda: naps() > before + 10, 20, 'the worker naps')
    frames.target('a')
    for n in range(1, 6):
        asleep()
        # One frame by the command that takes no more of the worker than the packet.
        answer = s.call('trace packet', port='src', flow='udp', send=True)
        assert answer['items'][-1]['result'] == 'sent', answer
        assert s.settled()['packets']['sent'] == n
    asleep()
    assert len(frames.got('a')) == 5
    # Those of a device: it naps between polls, and takes all that is there.
    frames.target('a')
    asleep()
    frames.play('src', [bytes(Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02') / IP() / UDP())] * 9)
    asleep()
    assert len(frames.got('a')) == 9
    s.stop()
    config['datapath']['sleep_after'] = 0
    s = sluiced(config)
    before = s.call('worker show')
    after = wait_for(lambda: (lambda x: x if x['busy_pct'] == 0 else None)(s.call('worker show')),
                     20, 'it was idle')
    assert before['naps'] == after['naps'] == 0
