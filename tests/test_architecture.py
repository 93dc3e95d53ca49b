"""Arrows only point down: which room of the package may import which."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmpose_sp'
# From the ground up; rooms of one floor do not know each other.
FLOORS = (
    ('utils', 'stand_ins', 'weights', 'faces'),
    ('structured', 'convert'),
    ('posterior',),
    ('codecs',),
    ('datasets', 'models', 'evaluation', 'engine'),
    ('visualization',),
    ('apis', 'runtime'),
    ('annotation', 'benchmarks', 'peers', 'cli'),
    ('rivals',),
)
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# The report of what is installed is about the whole house; it stands in utils so that it runs where the rest fails.
EXCEPTIONS = {('utils/collect_env.py', 'stand_ins')}


def imported_rooms(path):
    """Rooms that a file imports, also inside of functions."""
    package = ['mmpose_sp', *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = '.'.join([*above, node.module or ''])
            names = [f'{base.rstrip(".")}.{alias.name}' for alias in node.names]
        for name in names:
            parts = name.split('.')
            if parts[0] == 'mmpose_sp' and len(parts) > 1 and parts[1] in FLOOR:
                yield parts[1]


ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / '__init__.py').exists())


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_imports_lower_ones_only(room):
    assert room in FLOOR, f'give mmpose_sp/{room} a floor'
    upwards = {
        (path.relative_to(PACKAGE).as_posix(), other)
        for path in (PACKAGE / room).rglob('*.py')
        for other in imported_rooms(path)
        if other != room and FLOOR[other] >= FLOOR[room]
    }
    assert upwards <= EXCEPTIONS


@pytest.mark.parametrize(('room', 'framework'), [('faces', 'numpy'), ('structured', 'torch'), ('posterior', 'torch')])
def test_the_lowest_rooms_need_one_package_each(room, framework):
    standard = {'contextlib', 'dataclasses', 'json', 'math', 'pathlib', 'typing'}
    for path in (PACKAGE / room).glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.split('.')[0] for name in names} <= {*standard, 'mmpose_sp', framework}, path.name


def test_no_two_files_have_one_name():
    files = [path.name for folder in (PACKAGE, PACKAGE.parent / 'tools') for path in folder.rglob('*.py')]
    assert {name for name in files if files.count(name) > 1} == {'__init__.py'}


def test_types_stand_in_signatures_not_in_docstrings():
    typed = re.compile(r'^ +(\w+) \([A-Za-z][^:()]*\): ', re.MULTILINE)
    found = []
    for path in PACKAGE.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                bodies = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef)][:1]
                arguments = {a.arg for body in bodies for a in (*body.args.args, *body.args.kwonlyargs) if a.annotation}
                named = set(typed.findall(ast.get_docstring(node, clean=False) or ''))
                found += [(path.name, node.name, name) for name in sorted(named & arguments)]
    assert found == []


def test_converters_start_without_a_framework():
    code = (
        'import sys, mmpose_sp.convert.wflw, mmpose_sp.convert.face_300w\nprint({"torch", "mmpose"} & set(sys.modules))'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == 'set()', done.stderr
