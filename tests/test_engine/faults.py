"""Faults at an exact place of a training."""

import os
import signal

from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook


class Killed(BaseException):
    """What ends a training here as kill -9 does: nothing is cleaned up, for no hook sees it."""


def die():
    raise Killed


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def at(stage, number, action):
    """A hook that calls ``action`` at the ``number``-th time of a stage, before all other hooks."""
    seen = []

    def method(self, runner, *args, **kwargs):
        seen.append(None)
        if len(seen) == number:
            action()

    return type('Fault', (Hook,), {stage: method, 'priority': 'HIGHEST'})()


def break_write(monkeypatch, number, error):
    """Let the ``number``-th file that mmengine writes end half-way, with an error; then all is well again."""
    put, seen = LocalBackend.put, []

    def broken(self, content, path):
        seen.append(None)
        if len(seen) != number:
            return put(self, content, path)
        put(self, content[: len(content) // 2], path)
        raise error

    monkeypatch.setattr(LocalBackend, 'put', broken)
