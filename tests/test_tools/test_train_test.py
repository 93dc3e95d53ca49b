"""mmpose's packaged train.py and test.py run this repository's configs, and so do ours, with the same results."""

import json
import runpy
import sys

import pytest
import torch
from tiny_run import write_config
from tools_by_path import ROOT

from mmpose_sp.utils.launch import mmpose_tool, prepare_cpu_processes

pytestmark = pytest.mark.slow


def run_here(monkeypatch, script, *arguments):
    """A script in this process, which saves imports; test_packaging.py and test_distributed.py start processes."""
    monkeypatch.setattr(sys, 'argv', [str(word) for word in (script, *arguments)])
    runpy.run_path(str(script), run_name='__main__')


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A folder with a config and the checkpoint of one epoch, trained by mmpose's own train.py."""
    folder = tmp_path_factory.mktemp('run')
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)  # not the repository
        run_here(monkeypatch, mmpose_tool('train.py'), write_config(folder))
    return folder


def test_stock_and_own_test_agree(run, monkeypatch):
    checkpoint = run / 'work/epoch_1.pth'
    monkeypatch.chdir(run)  # not the repository
    for name, script, options in (
        ('stock', mmpose_tool('test.py'), []),
        ('own', ROOT / 'tools/test.py', ['--dump', run / 'predictions.pkl']),
    ):
        options += ['--out', run / f'{name}.json', '--cfg-options', f'experiment_name={name}_test']
        run_here(monkeypatch, script, run / 'tiny.py', checkpoint, *options)
    stock, own = (json.loads((run / f'{name}.json').read_text())['NME'] for name in ('stock', 'own'))
    assert own == pytest.approx(stock)
    assert (run / 'predictions.pkl').stat().st_size > 0


def test_training_resumes(run, monkeypatch):
    options = f'--resume --work-dir {run}/work --cfg-options train_cfg.max_epochs=2 experiment_name=own_train'
    run_here(monkeypatch, ROOT / 'tools/train.py', run / 'tiny.py', *options.split())
    first, second = (torch.load(run / f'work/epoch_{epoch}.pth') for epoch in (1, 2))
    assert second['meta']['epoch'] == 2
    losses = second['message_hub']['log_scalars']['train/loss'].data[0]
    before = first['message_hub']['log_scalars']['train/loss'].data[0]
    assert len(losses) == 2 * len(before), 'one epoch more, not two'
    assert losses[: len(before)] == pytest.approx(before), 'the history goes on from the checkpoint'


def test_checkpoints_load_with_weights_only(run):
    checkpoint = torch.load(run / 'work/epoch_1.pth', weights_only=True)
    history = checkpoint['message_hub']['log_scalars']['train/loss']
    assert history.current() > 0, 'the log history works, it was not merely read'


def test_no_process_group_for_one_process():
    argv = ['train.py', 'config.py']
    prepare_cpu_processes(argv)
    assert argv == ['train.py', 'config.py']
    assert not torch.distributed.is_initialized()
