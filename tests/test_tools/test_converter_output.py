"""What converters leave in their folder: links, nothing of older conversions, nothing half-written."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from raw_layouts import (
    NAMES_300W,
    cofw_table,
    keypoints,
    points,
    write_300w,
    write_cofw,
    write_image,
    write_pts,
)
from tools_by_path import TOOLS

from mmpose_sp.convert import cofw, wflw
from mmpose_sp.convert import face_300w as w300
from mmpose_sp.convert.output import Output
from mmpose_sp.faces.annotation_files import AnnotationError


# ---- links
@pytest.mark.parametrize('link', ['hard', 'symlink', 'copy'])
def test_link(raw_300w, tmp_path, link):
    for _ in range(2):  # again over its own output
        w300.main([str(raw_300w), str(tmp_path / 'out'), '--link', link])
    source, target = raw_300w / 'afw/99_1.jpg', tmp_path / 'out/images/afw/99_1.jpg'
    assert target.read_bytes() == source.read_bytes()
    assert target.is_symlink() == (link == 'symlink')
    assert (target.stat().st_ino == source.stat().st_ino) == (link != 'copy')
    assert not list((tmp_path / 'out').glob('.converting-*'))


def test_images_that_lie_in_place_stay(tmp_path):
    raw = write_300w(tmp_path / 'images', NAMES_300W)
    before = (raw / 'afw/99_1.jpg').read_bytes()
    w300.main([str(raw), str(tmp_path), '--link', 'symlink'])
    assert (raw / 'afw/99_1.jpg').read_bytes() == before and not (raw / 'afw/99_1.jpg').is_symlink()


# ---- reconversion
def test_a_conversion_removes_lists_that_an_earlier_one_left(cofw_raw, tmp_path, capsys):
    cofw.main([str(cofw_raw), str(tmp_path / 'out'), '--val-fraction', '0.3'])
    lists = tmp_path / 'out' / 'annotations'
    mine = (lists / 'my_val.json').write_bytes((lists / 'cofw_val.json').read_bytes())
    (lists / 'cofw_notes.json').write_text('{"mine": 1}')
    cofw.main([str(cofw_raw), str(tmp_path / 'out')])
    assert sorted(path.name for path in lists.iterdir()) == [
        'cofw_notes.json', 'cofw_test.json', 'cofw_train.json', 'my_val.json',
    ]  # fmt: skip
    assert (lists / 'my_val.json').stat().st_size == mine
    assert 'cofw_val.json, of an earlier conversion' in capsys.readouterr().out


def test_a_list_of_somebody_else_is_kept_under_another_name(cofw_raw, tmp_path, capsys):
    lists = tmp_path / 'out' / 'annotations'
    lists.mkdir(parents=True)
    for count, name in enumerate(('cofw_train.json.bak', 'cofw_train.json.bak1')):
        (lists / 'cofw_train.json').write_text(f'{{"info": {{"description": "of mmpose, {count}"}}}}')
        cofw.main([str(cofw_raw), str(tmp_path / 'out')])
        assert f'kept: {lists / name}' in capsys.readouterr().out
        assert (lists / name).read_text() == f'{{"info": {{"description": "of mmpose, {count}"}}}}'
        assert len(json.loads((lists / 'cofw_train.json').read_text())['images']) > 0
    cofw.main([str(cofw_raw), str(tmp_path / 'out')])
    assert 'kept' not in capsys.readouterr().out  # its own are replaced
    assert len(list(lists.glob('*.bak*'))) == 2


def test_parts_of_300w_and_the_whole_stay_side_by_side(raw_300w, tmp_path):
    (tmp_path / 'train.txt').write_text('afw/134212_2\n')
    for options in (['--names', str(tmp_path / 'train.txt')], ['--val-fraction', '0.5'], []):
        w300.main([str(raw_300w), str(tmp_path / 'out'), *options])
    names = {path.stem.partition('300w_')[2] for path in (tmp_path / 'out' / 'annotations').iterdir()}
    assert names == {'part_train', 'train', 'valid', 'valid_common', 'valid_challenge'}


@pytest.mark.parametrize('files', range(11))
def test_a_kill_while_files_move_leaves_no_list_beside_other_pictures(cofw_raw, tmp_path, files):
    """The process dies at the n-th file that moves, in a conversion of other frames over an older one."""
    out = tmp_path / 'out'
    cofw.main([str(cofw_raw), str(out), '--val-fraction', '0.3', '--format', 'png'])
    frames = [np.full((48, 64), 50 * i, np.uint8) for i in (1, 2, 3)]
    write_cofw(cofw_raw / 'COFW_train_color.mat', frames, *cofw_table(3, 7), 'Tr')
    child = os.fork()
    if not child:
        moved = []

        def move(source, target, replace=os.replace):
            if len(moved) == files:
                os.kill(os.getpid(), signal.SIGKILL)
            moved.append(target)
            replace(source, target)

        os.replace = move
        sys.stdout = sys.stderr = io.StringIO()
        cofw.main([str(cofw_raw), str(out), '--format', 'png'])
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    for path in (out / 'annotations').glob('*.json'):
        content = json.loads(path.read_text())
        assert path.name != 'cofw_val.json' or not files
        for image, annotation in zip(content['images'], content['annotations']):
            if path.name == 'cofw_train.json':
                pixel = cv2.imread(str(out / 'images' / image['file_name']))[-1, -1, 0]
                assert pixel == 50 * image['id']
                np.testing.assert_allclose(keypoints(annotation)[:, :2], points(29, 6 + image['id']), atol=1e-6)
    assert os.WIFSIGNALED(status) == bool(list(out.glob('.converting-*')))
    cofw.main([str(cofw_raw), str(out), '--format', 'png'])
    assert not list(out.glob('.converting-*'))
    assert sorted(path.name for path in (out / 'annotations').iterdir()) == ['cofw_test.json', 'cofw_train.json']


def test_two_conversions_to_one_folder(cofw_raw, tmp_path):
    with Output(tmp_path / 'out', 'cofw_{}.json') as first:
        with pytest.raises(AnnotationError, match='out: another conversion is writing there'):
            cofw.main([str(cofw_raw), str(tmp_path / 'out')])
        assert first.staging.is_dir()  # what a living process owns stays
    cofw.main([str(cofw_raw), str(tmp_path / 'out')])


@pytest.mark.parametrize(
    ('tool', 'raw', 'options'), [(cofw, 'cofw_raw', []), (wflw, 'wflw_raw', ['--link', 'copy']), (w300, 'raw_300w', [])]
)
def test_a_full_disk_is_called_by_its_name(tool, raw, options, tmp_path, request, disk_of):
    source = str(request.getfixturevalue(raw))
    disk_of(1000)
    with pytest.raises(AnnotationError, match='out: File too large; make room'):  # as such a limit is told
        tool.main([source, str(tmp_path / 'out'), *options])
    assert not (tmp_path / 'out').exists()


# ---- nothing half-written
def test_failure_leaves_an_older_conversion_alone(raw_300w, tmp_path):
    w300.main([str(raw_300w), str(tmp_path / 'out')])
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*')}
    write_image(raw_300w / 'afw/0_1.jpg', (100, 100))
    write_pts(raw_300w / 'afw/0_1.pts', points(67, 0))
    with pytest.raises(AnnotationError):
        w300.main([str(raw_300w), str(tmp_path / 'out')])
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*')}
    assert after.keys() == before.keys()
    assert all(after[p] == before[p] for p in after if p.is_file())


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_leaves_nothing(tmp_path, number, code):
    os.mkfifo(tmp_path / 'pipe')
    raw = write_300w(tmp_path / 'raw', NAMES_300W[:3])
    # the list arrives through a pipe that nobody writes to: the tool waits in mid-conversion
    (raw / 'afw/99_1.pts').unlink()
    (raw / 'afw/99_1.pts').symlink_to(tmp_path / 'pipe')
    process = subprocess.Popen(
        [sys.executable, str(TOOLS / 'dataset_converters/300w2coco.py'), str(raw), str(tmp_path / 'out')],
        cwd='/',
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 600  # only a tool that hangs takes so long, also on a busy machine
    while not list((tmp_path / 'out').rglob('134212_2.jpg')):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=600)
    assert process.returncode == code
    assert not (tmp_path / 'out').exists()


def test_command_line_from_another_folder(raw_300w, tmp_path):
    (raw_300w / 'afw/99_1.jpg').unlink()
    command = [sys.executable, str(TOOLS / 'dataset_converters/300w2coco.py'), str(raw_300w), str(tmp_path / 'out')]
    done = subprocess.run(command, cwd='/', capture_output=True, text=True, check=False)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'ERROR: ' in done.stderr and 'Nothing was written' in done.stderr
    assert '300W' in done.stderr  # the progress bar
