"""model-index.yml and the metafiles, read as OpenMMLab's tools read them."""

import math
from numbers import Real

import pytest
import yaml
from api_helpers import CONFIGS, ROOT
from mmengine.infer import BaseInferencer
from mmengine.runner import load_checkpoint

from mmpose_sp.apis.model_loading import load_config, load_model
from mmpose_sp.utils.checkpoint import packaged_path

METAFILES = sorted(CONFIGS.glob('*/metafile.yml'))
CONFIG_FILES = sorted(path.relative_to(ROOT).as_posix() for path in CONFIGS.rglob('*.py'))
MODELS = list(BaseInferencer._get_models_from_metafile(str(ROOT)))
ARCHITECTURES = {
    'hrnetv2-w18': 'HRNetV2-W18',
    'lite-unet': 'LiteUNet',
    'effnet-lite0': 'EfficientNet-lite0',
    'aam': 'AttentiveHourglass',
}
FIX = 'add an entry to the metafile.yml beside the config'


def read(path):
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def test_the_index_lists_every_metafile():
    assert read(ROOT / 'model-index.yml') == {'Import': [path.relative_to(ROOT).as_posix() for path in METAFILES]}


def test_every_config_has_one_entry_and_every_entry_a_config():
    assert sorted(model['Config'] for model in MODELS) == CONFIG_FILES, FIX


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_entry(model):
    assert model['Config'].endswith(f'/{model["Name"]}.py')
    name = next(name for name in ARCHITECTURES if model['Name'].startswith(f'td-hm_{name}'))
    assert model['Metadata']['Architecture'][0].startswith(ARCHITECTURES[name]) and model['Metadata']['Training Data']
    collections = [entry['Name'] for path in METAFILES for entry in read(path).get('Collections', [])]
    assert collections.count(model['In Collection']) == 1
    for result in model['Results']:
        assert result['Task'] == 'Face 2D Keypoint' and result['Dataset']
        metrics = result.get('Metrics')  # only what was measured
        assert metrics is None or (
            metrics and all(isinstance(value, Real) and math.isfinite(value) for value in metrics.values())
        )


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_entries_lie_beside_their_configs(path):
    assert {model['Config'].rsplit('/', 1)[0] for model in read(path)['Models']} == {
        path.parent.relative_to(ROOT).as_posix()
    }


def test_the_packaged_weights_are_named_and_fit_their_config():
    named = {model['Weights']: model['Config'] for model in MODELS if 'Weights' in model}
    assert set(named) == {f'mmpose_sp://{path.name}' for path in (ROOT / 'mmpose_sp/weights').glob('*.pth')}
    for weights, config in named.items():
        model = load_model(load_config(ROOT / config), weights, 'cpu')  # raises where anything is missing
        stock = load_checkpoint(model, weights, strict=True)  # as mmengine and mmpose's test.py read it
        assert model.dataset_meta['dataset_name'] == stock['meta']['dataset_meta']['dataset_name'] == '300w'


def test_weights_that_the_package_does_not_have():
    with pytest.raises(FileNotFoundError, match='it has: .*mmpose_sp://lite-unet_sp_300w-part.pth'):
        packaged_path('mmpose_sp://none.pth')
