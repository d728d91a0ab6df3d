# SPDX-License-Identifier: BSD-3-Clause
"""Takes the results of `scripts/bench all --out DIR` over into the repository: config/figures/ has
results.json (all that the pictures and the README say is made of it) and the pictures, README.md the
part between its two `figures` comments. A benchmark that DIR does not have, or that failed there,
stays as it was.

--check writes nothing: it says what of README.md and the pictures is not what results.json gives."""
import argparse
import json
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from figures_text import readme_part  # noqa: E402
from pictures import PICTURES  # noqa: E402

BEGIN = '<!-- figures: begin (scripts/bench figures writes this part) -->\n'
END = '<!-- figures: end -->\n'


class FiguresError(Exception):
    """Something is not as it has to be."""


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench figures', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('dir', nargs='?', type=pathlib.Path, metavar='DIR')
    p.add_argument('--check', action='store_true')
    p.add_argument('--top', type=pathlib.Path, default=TOP, help='the tree (default: this one)')
    a = p.parse_args()
    if a.check == (a.dir is not None):
        p.error('either DIR or --check')
    return a


def read_results(path):
    return json.loads(path.read_text())['benches'] if path.exists() else {}


def results_text(benches):
    """A row a line, so that a difference can be read."""
    out = []
    for name in (n for n in PICTURES if n in benches):
        rows = ',\n    '.join(json.dumps(r) for r in benches[name]['rows'])
        out.append(f'  {json.dumps(name)}: {{"machine": {json.dumps(benches[name]["machine"])},\n'
                   f'   "rows": [\n    {rows}]}}')
    return '{"benches": {\n' + ',\n'.join(out) + '\n}}\n'


def take_over(benches, directory):
    """Adds what the directory has."""
    found = [p for p in sorted(directory.glob('*.json')) if p.stem in PICTURES]
    if not found:
        raise FiguresError(f'{directory} has no results of scripts/bench all')
    for path in found:
        one = json.loads(path.read_text())
        if one['fault'] or not one['rows']:
            print(f'bench: {path.stem}: {one["fault"] or "no rows"}: left as it was', file=sys.stderr)
        else:
            benches[path.stem] = {'machine': one['machine'], 'rows': one['rows']}


def drawn(benches):
    """{file name: SVG text}"""
    out = {}
    for name in (n for n in PICTURES if n in benches):
        for picture in PICTURES[name]:
            text = picture.draw(benches[name]['rows'], benches[name]['machine'])
            if text is not None:
                out[f'{picture.name}.svg'] = text
    return out


def stale(where, wanted):
    """Pictures of benchmarks that are there and are not drawn any more; others are not ours."""
    ours = {f'{p.name}.svg' for of in PICTURES.values() for p in of}
    return [p for p in where.glob('*.svg') if p.name in ours and p not in wanted]


def new_readme(text, benches, pictures):
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise FiguresError('README.md has lost its two figures comments')
    return head + BEGIN + readme_part(benches, pictures) + END + tail


def main():
    a = arguments()
    where, readme = a.top / 'config' / 'figures', a.top / 'README.md'
    try:
        benches = read_results(where / 'results.json')
        if a.dir:
            take_over(benches, a.dir)
        pictures = drawn(benches)
        old = readme.read_text()
        new = new_readme(old, benches, pictures)
    except (FiguresError, OSError, KeyError, ValueError) as e:
        print(f'bench: figures: {type(e).__name__}: {e}', file=sys.stderr)
        return 1
    wanted = {where / n: t for n, t in pictures.items()}
    wanted[where / 'results.json'] = results_text(benches)
    if a.check:
        wrong = ['README.md'] if old != new else []
        wrong += [p.name for p, t in wanted.items() if not p.exists() or p.read_text() != t]
        wrong += [p.name for p in stale(where, wanted)]
        for name in wrong:
            print(f'bench: figures: {name} is not what config/figures/results.json gives: '
                  'scripts/bench figures DIR writes it', file=sys.stderr)
        return 1 if wrong else 0
    where.mkdir(parents=True, exist_ok=True)
    for path in stale(where, wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    readme.write_text(new)
    print(f'bench: {len(benches)} benchmarks, {len(pictures)} pictures: README.md, {where}',
          file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main())
