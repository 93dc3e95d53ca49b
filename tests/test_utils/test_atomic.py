"""A file appears under its name when all of it is on the disk."""

import os
import stat

import pytest

from mmpose_sp.utils.atomic import atomic_path, check_target, write_text


def test_content_is_synced_before_the_name_and_the_name_after(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace

    def synced(handle):
        calls.append(('sync', os.path.basename(os.readlink(f'/proc/self/fd/{handle}'))))
        fsync(handle)

    def renamed(source, target):
        calls.append(('rename', os.path.basename(target)))
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', synced)
    monkeypatch.setattr(os, 'replace', renamed)
    with atomic_path(str(tmp_path / 'model.txt')) as temporary, open(temporary, 'w') as file:
        file.write('whole')
    assert calls == [('sync', os.path.basename(temporary)), ('rename', 'model.txt'), ('sync', tmp_path.name)]
    assert (tmp_path / 'model.txt').read_text() == 'whole'


def test_what_fails_leaves_the_old_file(tmp_path):
    (tmp_path / 'model.txt').write_text('old')
    with pytest.raises(KeyError), atomic_path(str(tmp_path / 'model.txt')) as temporary:
        open(temporary, 'w').close()
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ['model.txt']
    assert (tmp_path / 'model.txt').read_text() == 'old'


@pytest.mark.parametrize('before', ['old', None])
def test_a_symlink_stays_and_the_file_that_it_names_is_written(tmp_path, before):
    target = tmp_path / 'elsewhere' / 'model.txt'
    if before:
        target.parent.mkdir()
        target.write_text(before)
    (tmp_path / 'link.txt').symlink_to('elsewhere/model.txt')
    write_text(tmp_path / 'link.txt', 'whole')
    assert (tmp_path / 'link.txt').is_symlink() and not target.is_symlink()
    assert target.read_text() == 'whole'
    assert sorted(path.name for path in tmp_path.rglob('*.*')) == ['link.txt', 'model.txt']


@pytest.mark.parametrize('linked', [False, True])
def test_a_pipe_is_written_to_and_stays(tmp_path, linked):
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'link').symlink_to('pipe')
    reader = os.open(tmp_path / 'pipe', os.O_RDONLY | os.O_NONBLOCK)  # without a reader the writer waits
    try:
        name = tmp_path / ('link' if linked else 'pipe')
        check_target(str(name))
        write_text(name, 'whole')
        assert os.read(reader, 100) == b'whole'
    finally:
        os.close(reader)
    assert stat.S_ISFIFO((tmp_path / 'pipe').stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['link', 'pipe']


def test_a_link_to_an_open_pipe_is_written_to(tmp_path):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        (tmp_path / 'link').symlink_to(f'/proc/self/fd/{writer}')  # what /dev/stdout is before a pipe
        write_text(tmp_path / 'link', 'whole')
        assert os.read(reader, 100) == b'whole'
    finally:
        os.close(reader)
        os.close(writer)
