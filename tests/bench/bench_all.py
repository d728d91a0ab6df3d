# SPDX-License-Identifier: BSD-3-Clause
"""Runs every benchmark, one after the other, and writes to --out: NAME.json with the figures and
what they were taken on, NAME.svg with a picture (some have several, NAME-WHAT.svg), index.json with
all of it. What fails is told and does not keep the others from running. `scripts/bench figures DIR`
takes the results over into the README."""
import argparse
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from sluice_harness.proc import die_with_parent  # noqa: E402
from pictures import PICTURES  # noqa: E402

DATA = TOP.parent / 'shared' / 'data'
# Arguments beside --json; all but the classification sets and captures (commands()).
ARGUMENTS = {'forward': ['--traffic', 'uniform,zipf,mix,field,captures']}
QUICK = {'forward': ['--rounds', '1', '--flows', '1000', '--seconds', '0.1', '--traffic',
                     'uniform,zipf,mix,field'],
         'churn': ['--rounds', '1', '--seconds', '1'], 'vhost': ['--rounds', '1'],
         'scale': ['--rounds', '1'], 'path': ['--rounds', '100'], 'lane': ['--rounds', '200'],
         'wake': ['--packets', '500']}


def say(*words):
    print('bench:', *words, file=sys.stderr, flush=True)


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench all', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--out', type=pathlib.Path, required=True, metavar='DIR')
    p.add_argument('--only', metavar='NAME,..', help='of ' + ', '.join(PICTURES))
    p.add_argument('--quick', action='store_true', help='one round of each: to see that all runs')
    p.add_argument('--json', action='store_true', help='print index.json too')
    a = p.parse_args()
    a.only = a.only.split(',') if a.only else list(PICTURES)
    unknown = [n for n in a.only if n not in PICTURES]
    if unknown:
        p.error(f'--only: there is no {unknown[0]}: ' + ', '.join(PICTURES))
    return a


def first_line(*argv):
    try:
        run = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (run.stdout + run.stderr).strip().splitlines()
    return lines[0] if run.returncode == 0 and lines else None


def machine():
    """What the figures were taken on."""
    model = re.search(r'^model name\s*: (.*)$', pathlib.Path('/proc/cpuinfo').read_text(), re.M)
    git = first_line('git', '-C', str(TOP), 'describe', '--always', '--dirty')
    return {'cpu': model[1] if model else platform.machine(), 'cpus': os.cpu_count(),
            'kernel': platform.release().split('-')[0],
            'dpdk': first_line('pkg-config', '--modversion', 'libdpdk'),
            'ovs': first_line('ovs-vswitchd', '--version'), 'sluice': git,
            'load': round(os.getloadavg()[0], 2), 'time': time.strftime('%Y-%m-%dT%H:%M:%S%z')}


def rules_of(headers):
    """The set that headers (SET.hdr.gz) are for: SET.gz or SET."""
    plain = headers.with_name(headers.name.split('.')[0])
    return plain if plain.is_file() else plain.with_suffix('.gz')


def commands(name, quick):
    """The command lines of one benchmark: classify has one for each rule set."""
    bench = [str(TOP / 'scripts' / 'bench'), name, '--json']
    if name == 'instructions':
        return [([str(TOP / 'scripts' / 'check-instructions'), '--json'], {})]
    if name == 'classify':
        headers = sorted((DATA / 'rules').glob('*.hdr.gz')) if DATA.is_dir() else []
        return [(bench + ['--rules', str(rules_of(h)), '--headers', str(h)],
                 {'set': h.name.split('.')[0]}) for h in (headers[:4] if quick else headers)]
    if name == 'placement':
        return [(bench + ['--all', str(DATA / 'pcap')], {})] if DATA.is_dir() else []
    return [(bench + (QUICK if quick else ARGUMENTS).get(name, []), {})]


def rows_of(text):
    """Rows of what a benchmark printed: an object, or one on each line."""
    try:
        found = [json.loads(text)]
    except json.JSONDecodeError:
        found = [json.loads(line) for line in text.splitlines() if line.startswith('{')]
    return [r for f in found for r in f.get('rows', [f])]


def run(name, quick):
    """(rows, what went wrong)"""
    rows = []
    for argv, more in commands(name, quick):
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=3600, check=False,
                              preexec_fn=die_with_parent)
        if done.returncode and not (name == 'instructions' and done.stdout):
            return rows, f'ended with {done.returncode}'
        rows += [{**more, **r} for r in rows_of(done.stdout)]
    return rows, None if rows else 'skipped: no data'


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    a.out.mkdir(parents=True, exist_ok=True)
    about = machine()
    index, wrong = {'machine': about, 'benches': {}}, 0
    for i, name in enumerate(a.only, 1):
        start = time.monotonic()
        say(f'[{i}/{len(a.only)}] {name}')
        rows, fault = run(name, a.quick)
        took = round(time.monotonic() - start, 1)
        say(f'[{i}/{len(a.only)}] {name}: {fault or f"{len(rows)} rows"} in {took:.0f} s')
        wrong += fault is not None and not fault.startswith('skipped')
        out = {'bench': name, 'machine': about, 'seconds': took, 'fault': fault, 'rows': rows}
        index['benches'][name] = out
        (a.out / f'{name}.json').write_text(json.dumps(out, indent=1) + '\n')
        for picture in PICTURES[name] if rows else []:
            drawn = picture.draw(rows, about)
            if drawn:
                (a.out / f'{picture.name}.svg').write_text(drawn)
    (a.out / 'index.json').write_text(json.dumps(index, indent=1) + '\n')
    if a.json:
        print(json.dumps(index))
    say(f'{len(a.only)} benchmarks, {wrong} failed: {a.out}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
