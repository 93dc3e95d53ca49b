"""tools/infer.py when it is stopped, when its outputs cannot be written, when a video is damaged."""

import json
import os
import resource

import cv2
import pytest
from api_helpers import noise
from PIL import Image
from test_inputs import write_video
from tools_by_path import load_tool

from mmpose_sp.apis.base_landmarker import BaseLandmarker

infer = load_tool('infer')


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command with the packaged model in onnxruntime, which starts at once; gives its status."""
    monkeypatch.chdir(tmp_path)
    return lambda source, *options: infer.main([source, '--runtime', *options])


@pytest.fixture
def photos(tmp_path):
    (tmp_path / 'photos').mkdir()
    for seed, name in enumerate('abcde'):
        cv2.imwrite(str(tmp_path / 'photos' / f'{name}.png'), noise(100, 90, seed))


@pytest.fixture
def stop_after(monkeypatch):
    """Let the run end by an exception when that many pictures were found; without a number, let it pass again."""
    whole = BaseLandmarker.iterate

    def stop(count=None, error=KeyboardInterrupt):
        def iterate(self, *args, **kwargs):
            for done, result in enumerate(whole(self, *args, **kwargs)):
                if done == count:
                    raise error
                seen.append(result.name)
                yield result

        seen = []
        monkeypatch.setattr(BaseLandmarker, 'iterate', iterate)
        return seen

    return stop


# ---- runs that are stopped
def test_a_run_that_was_stopped_keeps_what_it_had_and_goes_on(run, photos, stop_after, tmp_path, capsys):
    assert run('photos', '--whole-image', '--json', 'whole.json') == 0
    stop_after(2)
    assert run('photos', '--whole-image', '--json', 'all.json') == 130
    assert len((tmp_path / 'all.json.journal').read_text().splitlines()) == 1 + 2
    assert not (tmp_path / 'all.json').exists()
    seen = stop_after()
    capsys.readouterr()
    assert run('photos', '--whole-image', '--json', 'all.json') == 0
    assert seen == ['photos/c.png', 'photos/d.png', 'photos/e.png']
    assert '2 are done already' in (out := capsys.readouterr().out) and '5 pictures, 5 faces, 0 failed' in out
    assert json.loads((tmp_path / 'all.json').read_text()) == json.loads((tmp_path / 'whole.json').read_text())
    assert not (tmp_path / 'all.json.journal').exists()


def test_a_journal_may_end_in_half_a_line(run, photos, stop_after, tmp_path):
    stop_after(3)
    assert run('photos', '--whole-image', '--out-dir', 'out') == 130
    journal = tmp_path / 'out' / 'journal'
    journal.write_bytes(journal.read_bytes()[:-30])
    seen = stop_after()
    assert run('photos', '--whole-image', '--out-dir', 'out') == 0
    assert seen == ['photos/c.png', 'photos/d.png', 'photos/e.png']
    assert sorted(path.name for path in (tmp_path / 'out').rglob('*.*')) == [
        f'{name}.{suffix}' for name in 'abcde' for suffix in ('json', 'png')
    ]


def test_another_run_does_not_go_on_with_a_journal(run, photos, stop_after, tmp_path, capsys):
    stop_after(2)
    run('photos', '--whole-image', '--json', 'all.json')
    before = (tmp_path / 'all.json.journal').read_bytes()
    stop_after()
    assert run('photos', '--json', 'all.json') == 2
    assert 'differs in whole_image' in capsys.readouterr().err
    (tmp_path / 'all.json.journal').write_text('{"frames": ')
    assert run('photos', '--json', 'all.json') == 0  # a first line that never was whole
    (tmp_path / 'all.json.journal').write_bytes(before.replace(b'photos', b'others'))
    assert run('photos', '--whole-image', '--json', 'all.json') == 2
    assert 'differs in input' in capsys.readouterr().err


def test_a_video_goes_on_at_its_frame(run, tmp_path, stop_after):
    write_video(tmp_path / 'clip.avi', frames=6)
    stop_after(4)
    assert run('clip.avi', '--whole-image', '--json', 'all.json') == 130
    seen = stop_after()
    assert run('clip.avi', '--whole-image', '--json', 'all.json') == 0
    assert seen == ['clip.avi #4', 'clip.avi #5']
    assert [record['frame_id'] for record in json.loads((tmp_path / 'all.json').read_text())] == list(range(6))


def test_a_video_cut_short_fails(run, tmp_path, capsys):
    whole = write_video(tmp_path / 'clip.avi', frames=12).read_bytes()
    (tmp_path / 'cut.avi').write_bytes(whole[: len(whole) // 3])
    assert run('cut.avi', '--whole-image', '--json', 'all.json') == 1
    output = capsys.readouterr()
    assert '1 failed' in output.out and 'of the 12 frames' in output.err
    *frames, last = json.loads((tmp_path / 'all.json').read_text())
    assert all(len(frame['instances']) == 1 for frame in frames) and 'cut short' in last['error']


def test_the_limit_of_pixels_is_an_option(run, photos, capsys, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', Image.MAX_IMAGE_PIXELS)  # put back at the end
    assert run('photos', '--whole-image', '--max-pixels', '8999') == 1
    assert '0 faces, 5 failed' in capsys.readouterr().out
    assert run('photos', '--whole-image', '--max-pixels', '9000') == 0


# ---- outputs that cannot be written
@pytest.mark.parametrize(
    ('source', 'options', 'message'),
    [
        ('photos', ['--out-dir', 'taken'], 'taken'),
        ('photos', ['--out-dir', 'taken/below'], 'taken'),
        ('photos', ['--json', 'photos'], 'photos'),
        ('photos/a.png', ['--json', 'taken/all.json'], 'taken'),
        ('clip.avi', ['--out-dir', 'taken'], 'taken'),
        ('photos', ['--json', '/proc/all.json'], '/proc/all.json'),
        ('photos', ['--refine', '-1'], 'refine'),
        ('photos', ['--min-confidence', 'nan'], 'min_confidence'),
    ],
)
def test_bad_outputs_are_one_line_before_any_work(run, photos, tmp_path, capsys, stop_after, source, options, message):
    (tmp_path / 'taken').write_text('a file')
    write_video(tmp_path / 'clip.avi', frames=2)
    seen = stop_after()
    assert run(source, '--whole-image', *options) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1 and seen == []


@pytest.mark.parametrize('source', ['photos', 'clip.avi'])
def test_a_full_disk_is_one_line_and_leaves_no_half_file(run, photos, tmp_path, capsys, disk_of, source):
    write_video(tmp_path / 'clip.avi', frames=3)
    disk_of(4000)
    assert run(source, '--whole-image', '--out-dir', 'out') == 2
    disk_of(resource.RLIM_INFINITY)
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'error: ' in error and 'visualizations' in error and 'partial' not in error
    assert [path for path in (tmp_path / 'out').rglob('*') if path.is_file() and path.name != 'journal'] == []
    assert run(source, '--whole-image', '--out-dir', 'out') == 0


def test_a_pipe_is_given_the_predictions_and_no_journal_beside_it(run, photos, stop_after, tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'boxes.json').write_text(json.dumps({f'{name}.png': [] for name in 'abcde'}))  # a pipe holds 64 KiB
    reader = os.open(tmp_path / 'pipe', os.O_RDONLY | os.O_NONBLOCK)  # without a reader the writer waits
    try:
        stop_after(2)
        assert run('photos', '--bbox-file', 'boxes.json', '--json', 'pipe') == 130
        assert not list(tmp_path.glob('pipe.*'))
        stop_after()
        assert run('photos', '--bbox-file', 'boxes.json', '--json', 'pipe') == 0
        records = json.loads(os.read(reader, 65536))
    finally:
        os.close(reader)
    assert records == [{'image': f'photos/{name}.png', 'instances': []} for name in 'abcde']


@pytest.mark.parametrize(
    'source', ['v/visualizations', 'v/visualizations/*.png', 'v/visualizations/a.png', 'link', 'links', 'v/predictions']
)
def test_results_do_not_replace_what_is_read(run, photos, tmp_path, capsys, source):
    (tmp_path / 'v').mkdir()
    folder = (tmp_path / 'photos').rename(tmp_path / 'v' / ('predictions' if 'pred' in source else 'visualizations'))
    (tmp_path / 'link').symlink_to(folder)
    (tmp_path / 'links').mkdir()
    (tmp_path / 'links' / 'a.png').symlink_to(folder / 'a.png')
    before = {path: path.read_bytes() for path in tmp_path.rglob('*.png')}
    assert run(source, '--whole-image', '--out-dir', 'v', '--json', 'all.json') == 2
    error = capsys.readouterr().err
    assert str(folder) in error and '--out-dir' in error and len(error.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob('*.*') if path.is_file()} == before


def test_a_video_is_not_replaced_by_its_drawing(run, tmp_path, capsys):
    clip = tmp_path / 'v' / 'visualizations' / 'clip.avi'
    clip.parent.mkdir(parents=True)
    write_video(clip, frames=2)
    assert run('v/visualizations/clip.avi', '--whole-image', '--out-dir', 'v') == 2
    assert 'visualizations: inputs' in capsys.readouterr().err
