"""A file appears under its name when all of it is on the disk."""

import os

import pytest

from mmpose_sp.utils.atomic import atomic_path


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
