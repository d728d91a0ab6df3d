# SPDX-License-Identifier: BSD-3-Clause
"""Configurations that several tests start from."""


def wire_vf_null():
    """A NIC with one VF and one port that takes all: by the last bit of its destination a flow goes
    to v0, which the embedded switch can do, or to w, which takes a queue."""
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'heavy_bps': '500k', 'light_bps': '200k', 'min_bps': '1k', 'idle_ms': 5000,
                    'residency_ms': 50, 'tick_ms': 10},
        'nics': [{'name': 'nic0', 'queues': 6, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=6,vfs=1,rep_queues=2,representor=vf[0-0],wire=[sink],'
                         'vf0=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'v0', 'vm': 'v0', 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                      {'name': 'w', 'vm': 'w', 'attach': {'kind': 'ethdev',
                                                          'dev': 'net_null0,no-rx=1'}}],
            'rules': [{'match': 'ip_dst=0.0.0.0/0.0.0.1', 'actions': 'output=v0'},
                      {'match': 'ip_dst=0.0.0.1/0.0.0.1', 'actions': 'output=w'}]}],
    }
