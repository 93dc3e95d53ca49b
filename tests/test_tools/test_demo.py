"""The demonstration: its helpers, and a tiny one from faces to pictures."""

import json
import runpy
import sys

import cv2
import pytest
from tools_by_path import ROOT, load_tool

demo = load_tool('demo')


@pytest.mark.parametrize(
    'line, expected',
    [
        (
            '11/22 08:57:01 - mmengine - INFO - Epoch(train)  [3][17/34]  base_lr: 1e-3 lr: 1e-3  eta: 0:01  loss: 8.1',
            2.5,
        ),
        ('11/22 08:57:01 - mmengine - INFO - Epoch(train) [12][ 34/340]  loss: 8.1', 11.1),
        ('11/22 08:57:01 - mmengine - INFO - Epoch(val) [2][2/2]    NME: 8.1', 2),
        ('11/22 08:57:01 - mmengine - INFO - Epoch(test) [3/4]', 0.75),
        ('Loads checkpoint by local backend', None),
    ],
)
def test_progress_of_a_log_line(line, expected):
    assert demo.progress_of(line) == pytest.approx(expected)


def test_values_of_a_log_line_are_of_the_full_set():
    line = 'Epoch(val) [2][2/2]    NME: 8.10  FR: 9.0  blur/NME: 12.5  loss_kpt: 3.0  loss: 2.5'
    assert dict(demo.LOG_VALUE.findall(line)) == {'NME': '8.10', 'loss': '2.5'}


def test_a_stamp_holds_for_its_settings_only(tmp_path):
    one, two = (demo.fingerprint(dict(faces=n), ['tools/demo.py']) for n in (1, 2))
    assert not demo.is_done(tmp_path, one)
    demo.mark_done(tmp_path, one)
    assert demo.is_done(tmp_path, one) and not demo.is_done(tmp_path, two)


def test_a_stamp_follows_the_sources():
    assert demo.fingerprint({}, ['tools/demo.py']) != demo.fingerprint({}, ['tools/train.py'])


def test_a_failed_stage_shows_the_end_of_its_log(tmp_path):
    with pytest.raises(demo.DemoError, match='(?s)training failed.*exit code 1.*no disk'):
        demo.run_logged(['-c', 'raise OSError("no disk")'], tmp_path / 'train.log', 'training')
    assert 'no disk' in (tmp_path / 'train.log').read_text()


def test_table_names_empty_subsets():
    metrics = {'NME': 5.0, 'FR': 8.0, 'AUC': 0.5, 'blur/NME': 7.0, 'blur/FR': 10.0, 'blur/AUC': 0.25}
    table = demo.results_table({'metrics': metrics, 'faces': [dict(subsets=['blur']), dict(subsets=[])]})
    rows = {line.split()[0]: line.split() for line in table.splitlines() if len(line.split()) == 5}
    assert rows['full'] == ['full', '2', '5.00', '8.00', '0.500']
    assert rows['blur'] == ['blur', '1', '7.00', '10.00', '0.250']
    assert rows['makeup'] == ['makeup', '0', '-', '-', '-']


def test_without_the_photograph_its_extra_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, 'skimage.data', None)
    assert demo.real_face(tmp_path / 'astronaut.png') is None
    assert 'pip install -e .[photo]' in capsys.readouterr().out


@pytest.mark.slow
def test_the_demo_from_faces_to_pictures(tmp_path, monkeypatch, capsys):
    """Two folders of its own, so that a user's data and results stay as they are. Training and test run here, which
    saves their imports; the bar that follows their logs is tested above."""
    loaders = [
        f'{part}_dataloader.{key}' for part in ('train', 'val', 'test') for key in ('num_workers', 'persistent_workers')
    ]
    here = [f'{key}={0 if key.endswith("num_workers") else False}' for key in loaders]

    def run_here(command, log, stage, epochs=1):
        monkeypatch.setattr(sys, 'argv', [*command, *here])
        runpy.run_path(str(ROOT / command[0]), run_name='__main__')

    monkeypatch.setattr(demo, 'run_logged', run_here)
    monkeypatch.chdir(ROOT)  # and back at the end
    options = (
        f'--num-train 20 --num-test 10 --epochs 1 --workers 1 --data-dir {tmp_path}/data --work-dir {tmp_path}/demo'
    )
    demo.main(options.split())
    output = capsys.readouterr().out
    metrics = json.loads((tmp_path / 'demo' / 'test' / 'metrics.json').read_text())
    assert metrics['NME'] > 0 and f'{metrics["NME"]:.2f}' in output
    pictures = ('predictions', 'subsets', 'confidence', 'label_smoothing', 'test/ced', 'astronaut')
    for path in (tmp_path / 'demo' / f'{name}.png' for name in pictures):
        assert cv2.imread(str(path)) is not None and str(path) in output
