"""Checkpoint files: damage is refused, nothing in them runs, and a training goes on from the newest intact one."""

import os
import pickle
import random
import shutil
import zipfile

import mmengine
import pytest
import torch
from mmengine.infer import BaseInferencer
from mmengine.runner import load_checkpoint
from torch import nn

import mmpose_sp  # noqa: F401
from mmpose_sp.apis.model_loading import load_checkpoint_safely
from mmpose_sp.apis.packaged import packaged_model
from mmpose_sp.utils.checkpoint_files import check_whole, newest_checkpoint


def model_and_file(tmp_path, **more):
    model = nn.Linear(40, 30)
    path = tmp_path / 'model.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {'iter': 1}, **more}, path)
    return model, path


def flipped(source, target, position, bit):
    content = bytearray(source.read_bytes())
    content[position] ^= 1 << bit
    target.write_bytes(content)
    return target


def test_every_flipped_bit_is_refused_or_does_no_harm(tmp_path):
    """All of a small file's structure, and random places: what passes loads the same numbers."""
    model, source = model_and_file(tmp_path)
    size, rng, passed = source.stat().st_size, random.Random(0), 0
    for position in rng.sample(range(size), 200):
        path = flipped(source, tmp_path / 'flipped.pth', position, rng.randrange(8))
        try:
            loaded = load_checkpoint_safely(path)['state_dict']
        except ValueError:
            continue
        passed += 1
        assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())
    assert 0 < passed < 100, 'padding and dates'


@pytest.mark.parametrize('name', ['fast', 'accurate'])
def test_flips_in_a_packaged_model_are_refused(tmp_path, name):
    source = tmp_path / 'packaged.pth'
    shutil.copy(packaged_model(name)[1], source)
    check_whole(source)
    whole, rng, refused = torch.load(source, weights_only=True)['state_dict'], random.Random(1), 0
    for _ in range(20):
        path = flipped(source, tmp_path / 'flipped.pth', rng.randrange(source.stat().st_size), rng.randrange(8))
        try:
            loaded = load_checkpoint_safely(path)['state_dict']
        except ValueError as error:
            refused += 'flipped.pth' in str(error)
        else:
            assert all(torch.equal(value, loaded[key]) for key, value in whole.items())
    assert refused >= 17, 'of 20: the rest lie in padding'


@pytest.mark.parametrize('kept', [0, 3, 100, -1])
def test_truncated_files_are_refused(tmp_path, kept):
    model, path = model_and_file(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    for load in (load_checkpoint_safely, lambda file: load_checkpoint(model, str(file))):
        with pytest.raises((ValueError, EOFError, RuntimeError, pickle.UnpicklingError)):
            load(path)


def test_compressed_records_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / 'bomb.pth', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', bytes(10**7))
    with pytest.raises(ValueError, match='compressed'):
        check_whole(tmp_path / 'bomb.pth')


def test_files_of_old_torch_pass(tmp_path):
    torch.save({'state_dict': {}}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert load_checkpoint_safely(tmp_path / 'old.pth') == {'state_dict': {}}


def hostile(tmp_path):
    """A file that weights_only reads, with code wherever mmengine looks for a config; and what running it leaves."""
    mark = tmp_path / 'mark'
    code = f'open({str(mark)!r}, "w").close()\nmodel = dict()'
    places = {'meta': {'iter': 1, 'epoch': 1, 'config': code, 'cfg': code}}
    return *model_and_file(tmp_path, message_hub={'runtime_info': {'cfg': code}}, **places), mark


def test_no_text_of_a_checkpoint_is_run(tmp_path):
    model, path, mark = hostile(tmp_path)
    meta = load_checkpoint(model, str(path))['meta']
    assert 'config' not in meta and not mark.exists()
    mmengine.Config.fromstring(torch.load(path)['meta']['config'], '.py')
    assert mark.exists(), 'the text would do it'


def test_an_inferencer_given_weights_alone_does_not_run_them(tmp_path):
    _, path, mark = hostile(tmp_path)
    inferencer = BaseInferencer.__new__(
        type('Inferencer', (BaseInferencer,), dict.fromkeys(BaseInferencer.__abstractmethods__))
    )
    with pytest.raises(ValueError, match='Cannot find the config'):
        inferencer._init_model(None, str(path), device='cpu')
    assert not mark.exists()


# what a training goes on from -------------------------------------------------------------------------------------


def work_dir(tmp_path, last=None, damaged=(), **files):
    """Checkpoints by name and iteration, and ``last_checkpoint``."""
    for name, iteration in files.items():
        path = tmp_path / f'{name}.pth'
        meta = {'iter': iteration, 'epoch': 1, 'time': f'20260101_00000{iteration}'}
        torch.save({'meta': meta, 'optimizer': {}, 'state_dict': {'w': torch.ones(99)}}, path)
        if name in damaged:
            flipped(path, path, path.read_bytes().index(b'\x00\x00\x80\x3f' * 9), 0)
    if last is not None:
        (tmp_path / 'last_checkpoint').write_text(last)
    return str(tmp_path)


def found(folder):
    path, message = newest_checkpoint(folder, folder)
    return path and os.path.basename(path), message


def test_the_one_that_is_named(tmp_path):
    folder = work_dir(tmp_path, str(tmp_path / 'epoch_1.pth'), epoch_1=1, epoch_9=9)
    assert found(folder) == ('epoch_1.pth', ''), 'epoch_9 is of another training in the same place'


def test_a_folder_that_was_moved(tmp_path):
    (tmp_path / 'old').mkdir()
    (tmp_path / 'new').mkdir()
    work_dir(tmp_path / 'old', epoch_1=1)
    folder = work_dir(tmp_path / 'new', str(tmp_path / 'old/epoch_1.pth'), epoch_1=1)
    assert newest_checkpoint(folder, folder)[0] == str(tmp_path / 'new/epoch_1.pth')


@pytest.mark.parametrize('last', [None, '', 'epoch_7.pth', 'epoch_3.pth'], ids=['no', 'empty', 'dangling', 'damaged'])
def test_otherwise_the_newest_that_is_intact(tmp_path, last):
    last = last and str(tmp_path / last)
    folder = work_dir(tmp_path, last, damaged=['epoch_3'], epoch_1=1, epoch_2=2, epoch_3=3, best_NME_epoch_4=4)
    name, message = found(folder)
    assert name == 'epoch_2.pth'
    assert 'last_checkpoint' in message and str(tmp_path / 'epoch_2.pth') in message


@pytest.mark.parametrize('last', [None, '', 'gone.pth'])
def test_never_anew_over_the_files_of_a_training(tmp_path, last):
    folder = work_dir(tmp_path, last, damaged=['epoch_1'], epoch_1=1)
    with pytest.raises(ValueError, match='from none. Fix'):
        found(folder)


def test_a_training_that_has_never_saved_starts(tmp_path):
    assert found(str(tmp_path)) == (None, '')
