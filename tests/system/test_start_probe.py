# SPDX-License-Identifier: BSD-3-Clause
"""What a NIC's rules are worth is found out with packets at the start, whatever its driver says.

       vf0 (sink)     wire (sink)
          |               |
      +---+---------------+----+
      |  nic0: embedded switch |   frames of 0x88B5: out of the representor, into the PF
      +---+---------------+----+
        representor      PF
          +--- sluiced ---+
"""
import pytest

from sluice_harness import wait_for

LIES = 'accepts rules to a queue that do nothing'


def config(mood):
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '500k', 'light_bps': '200k', 'min_bps': '1k', 'tick_ms': 10},
        'nics': [{'name': 'nic0', 'queues': 4, 'default_queues': 1, 'vf_queues': 1,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=4,vfs=1,representor=vf[0-0],wire=[sink],vf0=[sink]'
                         + mood}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'output=w'}],
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'v0', 'vm': 'vm0', 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                      {'name': 'w', 'vm': 'vm1',
                       'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}}]}],
    }


@pytest.mark.parametrize('mood, mark, eswitch, tried, log', [
    ('', True, True, True, None),
    # The first rule that is made steers, the second leads there.
    (',dead_next=1', False, True, False, LIES),
    (',dead_next=2', True, False, False, 'accepts transfer rules that do nothing'),
    (',refuse=action.port_representor', True, True, False, 'cannot be tried with packets'),
], ids=['honest', 'dead-steering', 'dead-way', 'no-way'])
def test_rules_are_tried(sluiced, mood, mark, eswitch, tried, log):
    s = sluiced(config(mood), telemetry=True)
    s.wait_up()
    status = s.call('offload status')['items'][0]
    assert (status['mark'], status['eswitch'], status['tried']) == (mark, eswitch, tried), status
    if log:
        assert log in s.proc.text()
    # No rule of the trial is left, its frames are accounted for, and none of them got to the wire.
    nic = s.call('stats')['nics'][0]
    assert status['rules'] == 0 and nic['sent_wire'] == 0, nic
    packets = s.settled()['packets']
    sent = {True: 1, False: 3}['dead' not in mood] if 'refuse' not in mood else 0
    assert packets['originated'] == sent, packets
    assert packets['consumed'] == (0 if 'dead_next=2' in mood else sent), packets

    # And flows go where it can be relied on.
    s.swap('generator,flows=5,seed=3,pps=2000,size=300,skew=0,v6=0')
    wait_for(lambda: s.port('w')['tx_packets'] > 500, 20, 'packets at w')
    if mark:
        wait_for(lambda: s.call('stats')['place_packets']['exclusive-queue'] > 100, 20,
                 'flows on queues')
    else:
        flow = s.call('flow list', limit=1)['items'][0]
        assert flow['place'] in ('software', 'ring') and 'no mark' in flow['reason'], flow
    s.swap('sink')
    assert s.settled()['conserved']
