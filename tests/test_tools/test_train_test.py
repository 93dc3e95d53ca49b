"""mmpose's packaged train.py and test.py run this repository's configs, and so do ours, with the same results."""

import json
import runpy
import sys

import pytest
import torch
from tiny_run import ROOT, run_tool, write_config

from mmpose_sp.utils.launch import mmpose_tool, prepare_cpu_processes

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A folder with a config and the checkpoint of one epoch, trained by mmpose's own train.py."""
    folder = tmp_path_factory.mktemp('run')
    config = write_config(folder)
    run_tool(sys.executable, mmpose_tool('train.py'), config, cwd=folder)  # not run from the repository
    return folder


def scores(log_folder, name):
    return json.loads((log_folder / name).read_text())


def run_here(monkeypatch, script, *arguments):
    """A script in this process, which saves imports; ``run`` and test_distributed.py have processes of their own."""
    monkeypatch.setattr(sys, 'argv', [str(word) for word in (script, *arguments)])
    runpy.run_path(str(script), run_name='__main__')


def test_stock_and_own_test_agree(run, monkeypatch):
    checkpoint = run / 'work/epoch_1.pth'
    monkeypatch.chdir(run)  # not the repository
    run_here(
        monkeypatch,
        mmpose_tool('test.py'),
        run / 'tiny.py',
        checkpoint,
        '--out',
        run / 'stock.json',
        '--cfg-options',
        'experiment_name=stock_test',
    )
    run_here(
        monkeypatch,
        ROOT / 'tools/test.py',
        run / 'tiny.py',
        checkpoint,
        '--out',
        run / 'own.json',
        '--dump',
        run / 'predictions.pkl',
        '--cfg-options',
        'experiment_name=own_test',
    )
    assert scores(run, 'own.json')['NME'] == pytest.approx(scores(run, 'stock.json')['NME'])
    assert (run / 'predictions.pkl').stat().st_size > 0


def test_training_resumes(run, monkeypatch):
    run_here(
        monkeypatch,
        ROOT / 'tools/train.py',
        run / 'tiny.py',
        '--resume',
        '--work-dir',
        run / 'work',
        '--cfg-options',
        'train_cfg.max_epochs=2',
        'experiment_name=own_train',
    )
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
