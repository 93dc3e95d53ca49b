"""Labels of another size or codec than the decoder's are refused before the first step, also by mmpose's train.py."""

import logging
import re
import runpy
import sys
from types import SimpleNamespace as Namespace

import pytest
from mmpose.codecs import MSRAHeatmap
from tiny_run import write_config

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.codecs.agreement import disagreements, transforms_of
from mmpose_sp.engine.codec_guard import say_width
from mmpose_sp.utils.launch import mmpose_tool

CROP = Namespace(input_size=(64, 64))


def codec(input_size=(64, 64), heatmap_size=(16, 16)):
    return ImageAwareLabelSmoothing(input_size, heatmap_size, smoothing='none')


@pytest.mark.parametrize(
    ('decoder', 'encoder', 'crop', 'message'),
    [
        (codec(), codec((128, 64)), CROP, r'input_size of the codec of the labels is \(128, 64\), .* \(64, 64\)'),
        (codec(), codec(heatmap_size=(32, 32)), CROP, r'heatmap_size .* \(32, 32\), that of the decoder \(16, 16\)'),
        (codec((128, 128)), codec((128, 128)), CROP, r'input_size of SimpleNamespace is \(64, 64\)'),
        (MSRAHeatmap((64, 64), (16, 16), 2), codec(), CROP, 'by ImageAware.*, but landmarks are read by MSRAHeatmap'),
        (codec(), [MSRAHeatmap((64, 64), (16, 16), 2)], CROP, 'by MSRAHeatmap, but landmarks are read by ImageAware'),
    ],
)
def test_what_does_not_fit_is_said(decoder, encoder, crop, message):
    (found,) = disagreements(decoder, [crop, Namespace(encoder=encoder)])
    assert re.search(message, found)


def test_what_fits_passes():
    other = MSRAHeatmap((64, 64), (16, 16), 2)
    assert disagreements(codec(), [CROP, Namespace(), Namespace(encoder=[other, codec()])]) == []


def test_the_log_says_the_width_of_the_labels_that_train(caplog):
    wide = ImageAwareLabelSmoothing((64, 64), (16, 16), smoothing='isotropic', gamma=0.25)
    with caplog.at_level('INFO'):
        say_width([CROP, Namespace(encoder=wide)], logging.getLogger())
    assert f'gamma 0.25): standard deviation {wide.label_std:.3f} heatmap px = {4 * wide.label_std:.2f}' in caplog.text


def test_datasets_within_datasets_are_looked_at():
    leaf = Namespace(pipeline=Namespace(transforms=[CROP]))
    assert list(transforms_of(Namespace(datasets=[Namespace(dataset=leaf), leaf]))) == [CROP, CROP]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('key', 'value', 'loader'),
    [
        ('model.head.decoder.input_size', '(128,128)', 'train'),
        ('val_dataloader.dataset.pipeline.2.input_size', '(96,96)', 'val'),
    ],
)
def test_the_stock_train_py_refuses_a_size_changed_at_one_place(tmp_path, monkeypatch, key, value, loader):
    config = write_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['train.py', str(config), '--cfg-options', f'{key}={value}'])
    with pytest.raises(ValueError, match=f'{loader}_dataloader does not fit model.head.decoder: .*_size'):
        runpy.run_path(mmpose_tool('train.py'), run_name='__main__')
    assert not list(tmp_path.rglob('*.pth'))
