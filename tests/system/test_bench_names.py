# SPDX-License-Identifier: BSD-3-Clause
"""Each name of scripts/bench starts its own program: here one that only says who it is."""
import json
import pathlib
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.plain_only
TOP = pathlib.Path(__file__).resolve().parents[2]
NAMES = subprocess.run([TOP / 'scripts' / 'bench', 'list'], check=True, text=True,
                       stdout=subprocess.PIPE).stdout.split()


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """A tree with the script and nothing to build, install or measure."""
    top = tmp_path_factory.mktemp('tree')
    (top / 'scripts').mkdir()
    shutil.copy(TOP / 'scripts' / 'bench', top / 'scripts' / 'bench')
    (top / 'tests' / 'bench').mkdir(parents=True)
    (top / 'build' / 'tests' / 'bench').mkdir(parents=True)
    programs = {top / 'scripts' / 'setup': '#!/bin/sh\n'}
    for source in (TOP / 'tests' / 'bench').iterdir():
        who = json.dumps({'program': source.stem})
        if source.suffix == '.py':
            programs[top / 'tests' / 'bench' / source.name] = f"print('{who}')\n"
        elif source.name.startswith('bench_'):
            programs[top / 'build' / 'tests' / 'bench' / source.stem] = f"#!/bin/sh\necho '{who}'\n"
    for path, text in programs.items():
        path.write_text(text)
        path.chmod(0o755)
    return top


@pytest.mark.parametrize('name', NAMES)
def test_starts_its_own(tree, name):
    done = subprocess.run([tree / 'scripts' / 'bench', name, '--json'], text=True,
                          stdout=subprocess.PIPE, env={'SLUICE_BUILD': str(tree / 'build'),
                                                       'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'})
    assert done.returncode == 0
    assert json.loads(done.stdout)['program'] in (name, f'bench_{name}')
