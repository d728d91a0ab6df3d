# SPDX-License-Identifier: BSD-3-Clause
"""scripts/check-instructions says so when a stage has grown, and only then."""
import importlib.machinery
import importlib.util
import json
import pathlib

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / 'scripts' / 'check-instructions'
ABOUT = {'compiler': 'gcc 0', 'dpdk': '0', 'packets': 1}

pytestmark = pytest.mark.plain_only


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script over a baseline of 100 instructions for each stage; run(**counts) is its exit code."""
    loader = importlib.machinery.SourceFileLoader('check_instructions', str(SCRIPT))
    spec = importlib.util.spec_from_loader('check_instructions', loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    baseline = tmp_path / 'instructions.json'
    baseline.write_text(json.dumps({'gcc 0, DPDK 0': dict.fromkeys(module.STAGES, 100.0)}))
    program = tmp_path / 'tests' / 'bench' / 'bench_instructions'
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setattr(module, 'BASELINE', baseline)
    monkeypatch.setattr(module.shutil, 'which', lambda name: name)

    def run(*args, about=ABOUT, **counts):
        found = {**dict.fromkeys(module.STAGES, 100.0), **counts}
        monkeypatch.setattr(module, 'count', lambda build: (about, found))
        monkeypatch.setattr(module.sys, 'argv', ['check-instructions', '--build', str(tmp_path), *args])
        return module.main()
    run.baseline = baseline
    return run


def test_growth_is_flagged(script, capsys):
    assert script(path_output=105.0, parse=50.0) == 0
    assert capsys.readouterr().err == ''
    assert script(path_output=105.1) == 1
    told = capsys.readouterr().err
    assert 'path_output: 105.1 instructions a packet, the baseline is 100.0' in told, told
    assert 'parse' not in told


def test_of_another_compiler_nothing_is_compared(script, capsys):
    assert script(about={**ABOUT, 'compiler': 'gcc 1'}, parse=1000.0) == 0
    assert 'nothing was compared' in capsys.readouterr().err


def test_renew(script):
    assert script('--renew', rules=300.0) == 0
    assert json.loads(script.baseline.read_text())['gcc 0, DPDK 0']['rules'] == 300.0
    assert script(rules=310.0) == 0 and script(rules=316.0) == 1
