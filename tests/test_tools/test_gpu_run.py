"""What gpu_run.sh starts, in which order and what it leaves out the next time, with a Python that only takes notes."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/bash
echo "$*" >>"$NOTES"
case "$*" in
*"pip install"*) mkdir -p "$WORK/site.part" ;;
*train.py*) while [ "$1" != --work-dir ]; do shift; done; mkdir -p "$2"
    [ -z "$(ls "$2")" ] || exit 0
    touch "$2/best_NME_epoch_4.pth"; sleep 0.05; touch "$2/best_NME_epoch_8.pth" ;;
esac
[ -z "$FAILING" ] || case "$*" in *$FAILING*) exit 1 ;; esac
"""


@pytest.fixture
def start(tmp_path):
    pack, python, notes = tmp_path / 'pack', tmp_path / 'python', tmp_path / 'notes'
    (pack / '300w').mkdir(parents=True)
    (pack / 'commit').write_text('abc1234\n')
    python.write_text(PYTHON)
    python.chmod(0o755)

    def start(failing='', work='gone_on', seconds=600):
        notes.write_text('')
        environment = dict(os.environ, PYTHON=str(python), NOTES=str(notes), FAILING=failing, WORK=str(tmp_path / work))
        environment['SECONDS_LEFT'] = str(seconds)
        command = [ROOT / 'tools/misc/gpu_run.sh', pack, tmp_path / 'results']
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done, notes.read_text().splitlines()

    return start


def count(lines, *words):
    return sum(all(word in line for word in words) for line in lines)


def test_everything_once_one_seed_of_everybody_first(start):
    done, lines = start()
    assert done.returncode == 0, done.stdout
    assert count(lines, 'tools/train.py') == count(lines, 'tools/test.py') == 4 * 3  # objectives, seeds
    trainings = [line for line in lines if 'train.py' in line or 'benchmark_heads.py' in line]
    assert '--until finals' in trainings[0] and '--until seeds' in trainings[5]
    assert all('randomness.seed=0' in line for line in trainings[1:5])
    # the best of two weights, where a kill left both
    assert count(lines, 'tools/test.py', 'best_NME_epoch_8.pth') == 12


def test_what_is_done_is_left_out(start):
    start()
    done, lines = start()
    assert done.returncode == 0 and len(lines) == 1  # that of the stand-ins


def test_a_failure_stops_nothing_else_and_is_tried_again(start):
    done, lines = start(failing='benchmark_heads.py')
    assert done.returncode == 1 and 'heads_finals' in done.stdout.splitlines()[-1]
    assert count(lines, 'tools/test.py') == 12
    done, lines = start()
    assert done.returncode == 0 and count(lines, 'benchmark_heads.py') == 2 and count(lines, 'train.py') == 0


def test_a_training_whose_machine_is_gone_begins_again(start):
    start(failing='tools/test.py')
    done, lines = start(work='another')
    assert done.returncode == 0 and count(lines, 'tools/train.py') == count(lines, 'tools/test.py') == 12


def test_data_have_one_path_wherever_the_pack_lies(start, tmp_path):
    _, lines = start()
    (heads,) = (line for line in lines if '--until finals' in line)
    assert f'train_dataloader.dataset.data_root={tmp_path}/gone_on/300w/' in heads
    assert (tmp_path / 'gone_on/300w').resolve() == tmp_path / 'pack/300w'


def test_without_time_nothing_starts(start):
    done, lines = start(seconds=10)
    assert done.returncode == 0 and 'no time left' in done.stdout and count(lines, 'train.py') == 0
