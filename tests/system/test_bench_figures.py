# SPDX-License-Identifier: BSD-3-Clause
"""What README.md and config/figures/ say is what the stored results say, and `scripts/bench figures`
makes it so: on a copy of the tree, with results made up here."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

pytestmark = pytest.mark.plain_only
TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tests' / 'bench'))

from pictures import PICTURES  # noqa: E402

MACHINE = {'cpu': 'A <CPU> & more', 'cpus': 2, 'kernel': '6.0', 'dpdk': '22.11', 'ovs': None,
           'sluice': 'abc', 'load': 0.1, 'time': '2026-01-02T03:04:05+0000'}
PLACES = ('endless', 'clairvoyant', 'first_come', 'sluice')
ROWS = {
    'forward': [{'traffic': t, 'flows': n, 'floor': 30.0, 'ovs': o, 'ovs_tuning': o and 'emc',
                 'sluice': 61.0, 'cache_mb': 146.4}
                for t, n, o in (('uniform', 1, 120.0), ('uniform', 1000000, None),
                                ('zipf', 1000, 130.0), ('mix', 1000, 130.0), ('field', 1000, 130.0),
                                ('a_capture', None, 140.0))],
    'lane': [{'queue': q, 'flows': n, 'floor': 150.0, 'sluice': 162.5, 'over_io': 12.5}
             for q, n in (('exclusive', 1), ('shared', 8))],
    'churn': [{'program': p, 'phase': f, 'kept': 0.9991, 'missed': 7}
              for p in ('sluice', 'ovs') for f in ('new', 'flood 1M', 'vary 1M')],
    'vhost': [{'options': o, 'floor': 100.0, 'ovs': 300.0, 'sluice': 110.0, 'of_ovs': 2.727,
               'of_floor': 0.909} for o in ('in-order', 'default')],
    'scale': [{'workers': n, 'mpps': 10.0 * n, 'of_one': float(n)} for n in (1, 2)],
    'path': [{'case': c, 'flows': 1000, 'floor': 30.0, 'sluice': 60.0, 'over_io': 30.0}
             for c in ('plain', 'candidates', 'field_other', 'field')],
    'cache': [{'flows': 1000, 'lookup': 18.0, 'parse_lookup': 30.0}],
    'classify': [{'set': s, 'cycles_per_lookup': 70.0, 'rte_acl_cycles': a, 'wrong': 0,
                  'update_ms_p99': 0.1, 'memory_mb': 7.0}
                 for s, a in (('acl1_10k', 80.0), ('fw1_10k', None), ('acl1_1k', 60.0))],
    'emunic': [{'rules': 100, 'mpps': 21.7, 'inserts_per_s': 1.8e6, 'removals_per_s': 3e6}],
    'placement': [{'pcap': 'a.pcap', 'speed': s, 'entries': 64,
                   'share': dict.fromkeys(PLACES, 0.5)} for s in (1, 20)],
    'queues': [{'decides': 'nic', 'mode': 'split', 'policy': 'none', 'purity': 1.0}],
    'wake': [{'worker': w, 'us_p50': 31.0, 'us_p99': 74.0} for w in ('naps', 'polls')],
    'failover': [{'flows': 10000, 'rules_ms': 20.0, 'lost': 5, 'lost_back': 0, 'stuck': 0, 'slow':
                  {'over_time': [{'ms': n, 'share': 0.5, 'of_heaviest': 0.6} for n in (10, 900)]}}],
    'install': [{'change_pct': 0.4, 'p50_ms': 3, 'p99_ms': 9, 'max_ms': 11}],
    'instructions': [{'stage': s, 'instructions': 90.0, 'baseline': 91.0}
                     for s in ('parse', 'cache_hit', 'cache_miss', 'path_output')],
}


def figures(*words, ok=True):
    done = subprocess.run([TOP / 'scripts' / 'bench', 'figures', *words], text=True,
                          capture_output=True, check=False)
    assert (done.returncode == 0) is ok, done
    return done.stderr


@pytest.fixture
def tree(tmp_path):
    (tmp_path / 'tree' / 'config').mkdir(parents=True)
    shutil.copy(TOP / 'README.md', tmp_path / 'tree')
    shutil.copytree(TOP / 'config' / 'figures', tmp_path / 'tree' / 'config' / 'figures')
    return tmp_path / 'tree'


def write(directory, names, fault=None):
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / f'{name}.json').write_text(json.dumps(
            {'bench': name, 'machine': MACHINE, 'fault': fault, 'rows': ROWS[name]}))


def test_the_readme_is_what_the_results_say():
    figures('--check')


def test_all_are_taken_over(tree, tmp_path):
    """Every benchmark's rows become its pictures and its lines; a picture of none stays."""
    assert set(ROWS) == set(PICTURES)
    write(tmp_path / 'out', ROWS)
    (tree / 'config' / 'figures' / 'other.svg').write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    figures('--top', tree, tmp_path / 'out')
    figures('--top', tree, '--check')
    names = {p.name for p in (tree / 'config' / 'figures').iterdir()}
    ours = {f'{p.name}.svg' for of in PICTURES.values() for p in of}
    assert names >= {'results.json', 'other.svg'} | ours
    readme = (tree / 'README.md').read_text()
    for figure in ('| 1 | 30 | 120 (EMC) | 61 | 31 | 28 | 2.9 |', '146 MB', '12.5 cycles',
                   '99.91 %, 7 missed', '2.73', '0.91', '70, 80 cycles', '21.7 Mpps', '31, 74 us',
                   '20 ms; 5, 0; 0', '3, 9 ms', '90; 90; 90; 90', 'A <CPU> & more'):
        assert figure in readme, figure
    for name in re.findall(r'\]\(config/figures/([\w-]+\.svg)\)', readme):
        assert name in names
    for path in (tree / 'config' / 'figures' / name for name in ours):
        svg = ET.fromstring(path.read_text())
        width, height = (float(svg.get(k)) for k in ('width', 'height'))
        for e in svg.iter('{http://www.w3.org/2000/svg}rect'):
            assert 0 <= float(e.get('x', 0)) and float(e.get('x', 0)) + float(e.get('width')) <= width
            assert float(e.get('y', 0)) + float(e.get('height')) <= height


def test_a_part_and_a_failure_leave_the_rest(tree, tmp_path):
    write(tmp_path / 'out', ROWS)
    figures('--top', tree, tmp_path / 'out')
    before = (tree / 'README.md').read_text()
    write(tmp_path / 'bad', ['wake', 'lane'], fault='ended with 1')
    assert 'wake: ended with 1: left as it was' in figures('--top', tree, tmp_path / 'bad')
    assert (tree / 'README.md').read_text() == before
    ROWS['wake'][0]['us_p50'], was = 55.0, ROWS['wake'][0]['us_p50']
    write(tmp_path / 'part', ['wake'])
    ROWS['wake'][0]['us_p50'] = was
    figures('--top', tree, tmp_path / 'part')
    changed = [(a, b) for a, b in zip(before.splitlines(), (tree / 'README.md').read_text().splitlines())
               if a != b]
    assert len(changed) == 1 and '55, 74 us' in changed[0][1]


def test_what_differs_is_told(tree, tmp_path):
    write(tmp_path / 'out', ['wake'])
    figures('--top', tree, tmp_path / 'out')
    readme = tree / 'README.md'
    readme.write_text(readme.read_text().replace('31, 74 us', '30, 74 us'))
    (tree / 'config' / 'figures' / 'wake.svg').write_text('')
    (tree / 'config' / 'figures' / 'churn.svg').write_text('')  # of no results
    told = figures('--top', tree, '--check', ok=False)
    assert all(name in told for name in ('README.md', 'wake.svg', 'churn.svg'))
    readme.write_text(readme.read_text().replace('figures: begin', 'gone'))
    assert 'lost its two figures comments' in figures('--top', tree, '--check', ok=False)
    assert 'no results' in figures('--top', tree, tree, ok=False)
