"""Raw downloads of four to twelve faces, as fixtures."""

import numpy as np
import pytest
from raw_layouts import NAMES_300W, cofw_table, points, write_300w, write_cofw, write_wflw


@pytest.fixture
def wflw_raw(tmp_path):
    train = [(points(98, i), (10, 11, 50, 41), (0, 0, 0, 0, 0, 0), f'0--Parade/{i // 2}.jpg') for i in range(8)]
    flags = [(1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 1), (0, 0, 1, 0, 1, 0), (0, 0, 0, 1, 0, 0)]
    test = [(points(98, 100 + i), (1, 2, 61, 42), f, f'1--Test/{i}.jpg') for i, f in enumerate(flags)]
    return write_wflw(tmp_path / 'raw', train, test)


@pytest.fixture
def cofw_raw(tmp_path):
    root = tmp_path / 'raw'
    gray = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)
    colour = np.zeros((48, 64, 3), np.uint8)
    colour[:10, :, 0] = 200  # the top rows are red: shows transposition and channel order
    write_cofw(root / 'COFW_train_color.mat', [gray, colour, colour], *cofw_table(3, 0), 'Tr')
    write_cofw(root / 'COFW_test_color.mat', [colour, gray], *cofw_table(2, 50), 'T')
    return root


@pytest.fixture
def raw_300w(tmp_path):
    return write_300w(tmp_path / 'raw', NAMES_300W)
