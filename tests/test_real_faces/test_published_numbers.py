"""The packaged files give the numbers of their cards on the faces of HELEN's test set."""

import re

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tools_by_path import TOOLS, data_folder

from mmpose_sp.apis.packaged import PACKAGED, packaged_model
from mmpose_sp.convert import face_300w

NAMES = TOOLS / 'dataset_converters/300w_part/test.txt'


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    """The 217 test faces of the 300-W part, converted."""
    folder = tmp_path_factory.mktemp('300w')
    face_300w.main([str(data_folder('300w_real')), str(folder), '--names', str(NAMES)])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('name, joint', [(name, joint) for name in ('fast', 'accurate') for joint in ('offset', 'off')])
def test_the_card_tells_the_error_of_the_file(name, joint, faces, tmp_path):
    card = PACKAGED[name].with_suffix('.md').read_text()
    published = re.search(rf'^\| `{joint}`.* \| (\d\.\d{{3}}) \| (\d+\.\d\d) \| (\d\.\d{{3}}) \|$', card, re.M)
    config, weights = packaged_model(name)
    cfg = Config.fromfile(config)
    cfg.work_dir, cfg.load_from, cfg.log_level = str(tmp_path), str(weights), 'ERROR'
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.data_root = str(faces)
    if joint != 'offset':  # the default
        cfg.model.test_cfg.joint = joint
    measured = Runner.from_cfg(cfg).test()
    for key, value, tolerance in zip(('NME', 'FR', 'AUC'), published.groups(), (0.002, 0.01, 0.001)):
        assert measured[key] == pytest.approx(float(value), abs=tolerance), key
