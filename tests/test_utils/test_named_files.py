"""Files that a command line names, looked for before anything heavy is imported."""

import pytest

from mmpose_sp.utils.mmpose_tools import check_arguments
from mmpose_sp.utils.named_files import require_files


def test_a_local_file_has_to_be_there(tmp_path):
    require_files(None, __file__, 'mmpose_sp::face/none.py', 'mmpose_sp://none.pth', 'https://example.org/none.pth')
    with pytest.raises(FileNotFoundError, match='none.py: no such file'):
        require_files(__file__, str(tmp_path / 'none.py'))


@pytest.mark.parametrize(
    ('tool', 'arguments'),
    [('train.py', ['none.py']), ('test.py', [__file__, 'none.pth'])],
    ids=['config', 'checkpoint'],
)
def test_the_tools_of_mmpose_name_a_file_that_is_not_there(tool, arguments, monkeypatch):
    monkeypatch.setattr('sys.argv', [tool, *arguments])
    with pytest.raises(SystemExit, match=f'error: {arguments[-1]}: no such file'):
        check_arguments(tool)
