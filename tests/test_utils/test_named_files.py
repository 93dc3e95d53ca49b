"""Files that a command line names, looked for before anything heavy is imported."""

import pytest

from mmpose_sp.utils.named_files import require_files


def test_a_local_file_has_to_be_there(tmp_path):
    require_files(None, __file__, 'mmpose_sp::face/none.py', 'mmpose_sp://none.pth', 'https://example.org/none.pth')
    with pytest.raises(FileNotFoundError, match='none.py: no such file'):
        require_files(__file__, str(tmp_path / 'none.py'))
