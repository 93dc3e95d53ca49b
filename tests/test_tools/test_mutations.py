"""The list of mutations fits the code, and a mutation is caught by a test that looks at it alone."""

import shutil

import pytest
from tools_by_path import load_tool

mutations = load_tool('misc/mutations')


@pytest.mark.parametrize('mutation', mutations.MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_changes_one_place(mutation, tmp_path):
    path = tmp_path / mutation.file
    path.parent.mkdir(parents=True)
    shutil.copy(mutations.ROOT / mutation.file, path)
    before = mutations.apply(mutation, tmp_path)
    changed = [pair for pair in zip(before.splitlines(), path.read_text().splitlines()) if pair[0] != pair[1]]
    assert len(changed) == 1


@pytest.mark.parametrize('looks, caught', [('assert two == 2', True), ('assert two', False)])
def test_survivors_are_told_from_the_caught(tmp_path, looks, caught):
    (tmp_path / 'numbers_.py').write_text('two = 2\n')
    (tmp_path / 'test_it.py').write_text(f'from numbers_ import two\ndef test_it():\n    {looks}\n')
    mutation = mutations.Mutation('two', 'numbers_.py', '2', '3', ('test_it.py',))
    mutations.apply(mutation, tmp_path)
    assert mutations.is_caught(mutation, tmp_path) == caught
