import pytest
import torch
from api_helpers import INPUT_SIZE, LITE, MAP_SIZE, NUM_LANDMARKS, random_landmarker

from mmpose_sp.apis import FaceLandmarker
from mmpose_sp.apis.model_loading import load_config, load_model


@pytest.fixture(scope='session')
def model():
    """The lite network with random weights, as mmpose builds it; scores large enough to differ."""
    torch.manual_seed(0)
    made = load_model(load_config(LITE), None, 'cpu')
    torch.nn.init.normal_(made.head.final_layer.weight, std=0.3)
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # as a training leaves them: neither zeros nor ones
            for values in (part.running_mean, part.bias.data):
                torch.nn.init.normal_(values, std=0.3)
            for values in (part.running_var, part.weight.data):
                torch.nn.init.uniform_(values, 0.5, 2)
    return made


@pytest.fixture(scope='session')
def checkpoint(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'lite.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return path


@pytest.fixture(scope='session')
def landmarker(checkpoint):
    return FaceLandmarker(LITE, checkpoint, 'cpu')


@pytest.fixture
def knows_brightness():
    """A landmarker whose every landmark is the brightest place: its scores are the brightness of the crop."""
    made = random_landmarker(cfg_options={'model.head.decoder.subpixel': 'quadratic'})
    made.model.extract_feat = lambda inputs: inputs

    def scores(inputs):
        maps = torch.nn.functional.avg_pool2d(inputs.mean(dim=1, keepdim=True), INPUT_SIZE // MAP_SIZE)
        return maps.expand(-1, NUM_LANDMARKS, -1, -1)

    made.model.head.forward = scores
    return made
