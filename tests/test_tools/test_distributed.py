"""Two processes with half the batch each against one process with the whole batch, on the CPU (gloo)."""

import json
import multiprocessing
import os
import re
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.model import BaseModule, MMDistributedDataParallel
from mmengine.structures import InstanceData
from mmpose.registry import HOOKS, MODELS
from mmpose.structures import PoseDataSample
from tiny_run import write_config
from tools_by_path import ROOT, load_tool, run_tool

import mmpose_sp  # noqa: F401  registers everything
from mmpose_sp.evaluation import FaceAlignmentMetric
from mmpose_sp.utils.launch import leave_process_group

pytestmark = pytest.mark.slow

FACES, LANDMARKS, MAP = 4, 5, 8
METRIC_FACES = 5  # odd: one process gets a face more than the other, which the sampler pads


class Backbone(BaseModule):
    """Two convolutions to stride 4, without batch statistics."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 6, 3, 2, 1), torch.nn.Tanh(), torch.nn.Conv2d(6, 8, 3, 2, 1), torch.nn.Tanh()
        )

    def forward(self, x):
        return (self.layers(x),)


def build_model():
    if 'DistributedTestBackbone' not in MODELS:
        MODELS.register_module('DistributedTestBackbone', module=Backbone)
    torch.manual_seed(0)
    head = dict(type='StructuredPredictionHead', in_channels=8, out_channels=LANDMARKS, deconv_out_channels=None)
    head['loss'] = dict(type='StructuredPredictionLoss')
    backbone = dict(type='DistributedTestBackbone')
    model = MODELS.build(dict(type='TopdownPoseEstimator', backbone=backbone, head=head))
    torch.nn.init.normal_(model.head.final_layer.weight)  # scores that depend on the image
    return model


def batch(faces):
    """The faces of these indices: images and labels; the second landmark of face 0 has weight 0."""
    images, samples = [], []
    for face in faces:
        generator = torch.Generator().manual_seed(face)
        images.append(torch.randn(3, 4 * MAP, 4 * MAP, generator=generator))
        weights = torch.ones(1, LANDMARKS)
        weights[0, 1] = float(face != 0)
        sample = PoseDataSample()
        sample.gt_instance_labels = InstanceData(
            keypoint_labels=torch.rand(1, LANDMARKS, 2, generator=generator) * (MAP - 1),
            keypoint_weights=weights,
            label_covariances=torch.zeros(1, LANDMARKS, 2, 2),
        )
        samples.append(sample)
    return torch.stack(images), samples


def step(model, faces):
    """Loss and gradients of one step."""
    images, samples = batch(faces)
    loss = model(images, samples, mode='loss')['loss_kpt']
    loss.backward()
    return loss.detach(), {name.replace('module.', ''): p.grad.clone() for name, p in model.named_parameters()}


def evaluate(faces, errors_file):
    """The metric over the faces of these indices; on the main process of a group the result for all."""
    metric = FaceAlignmentMetric(errors_file=errors_file)
    metric.dataset_meta = {'dataset_name': 'wflw'}
    for face in faces:
        rng = np.random.default_rng(face)
        gt = rng.uniform(10, 200, (1, 98, 2))
        pred = gt + rng.normal(0, 10, gt.shape)
        sample = dict(img_path=f'{face}.jpg', id=face, raw_ann_info={'attributes': {'blur': int(face % 2 == 0)}})
        metric.process(None, [dict(sample, gt_instances={'keypoints': gt}, pred_instances={'keypoints': pred})])
    return metric.evaluate(METRIC_FACES)


def averaged_statistics(rank):
    """Buffers of the averaged model after an epoch of one step from 0, on images whose mean is 10 times the rank."""
    hook = HOOKS.build({'type': 'SyncedEMAHook', 'update_buffers': True})
    runner = SimpleNamespace(model=torch.nn.BatchNorm2d(1, momentum=1.0), iter=0)
    hook.before_run(runner)
    runner.model(torch.full((2, 1, 4, 4), 10.0 * rank))
    hook.after_train_iter(runner, 0)
    hook.after_train_epoch(runner)
    return {key: value.clone() for key, value in hook.ema_model.module.named_buffers()}


def worker(rank, folder):
    """One of two processes; leaves what it found in ``folder``."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    model = MMDistributedDataParallel(build_model())
    half = FACES // 2
    loss, gradients = step(model, range(rank * half, (rank + 1) * half))
    averaged = averaged_statistics(rank)
    padded = [0, 2, 4] if rank == 0 else [1, 3, 0]  # as DefaultSampler hands them out with round_up
    torch.save(
        {
            'loss': loss,
            'gradients': gradients,
            'metrics': evaluate(padded, f'{folder}/errors.json'),
            'averaged': averaged,
        },
        f'{folder}/{rank}.pth',
    )
    leave_process_group()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('two_processes')


@pytest.fixture(scope='module')
def two_processes(folder):
    # Both are forked from a process that has imported mmpose, which takes most of the time, and has done nothing else.
    multiprocessing.set_forkserver_preload(['mmpose_sp', 'mmpose.models', 'mmpose.evaluation'])
    mp.start_processes(worker, args=(str(folder),), nprocs=2, start_method='forkserver')
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


def test_the_mean_loss_of_half_batches_is_that_of_the_whole(two_processes):
    loss, _ = step(build_model(), range(FACES))
    torch.testing.assert_close(torch.stack([found['loss'] for found in two_processes]).mean(), loss)


def test_every_process_has_the_gradients_of_the_whole_batch(two_processes):
    _, gradients = step(build_model(), range(FACES))
    for found in two_processes:
        torch.testing.assert_close(found['gradients'], gradients)


def test_every_process_has_the_scores_of_one_process(two_processes, folder):
    whole = evaluate(range(METRIC_FACES), f'{folder}/whole.json')
    assert (folder / 'errors.json').read_text() == (folder / 'whole.json').read_text()
    assert {'NME', 'FR', 'AUC', 'blur/NME'} <= whole.keys()
    for found in two_processes:
        assert found['metrics'] == pytest.approx(whole)


def test_the_averaged_model_is_the_same_in_all_processes(two_processes):
    for found in two_processes:  # the first update copies the model
        assert found['averaged']['running_mean'].item() == pytest.approx(5), 'mean of 0 and 10'
        assert found['averaged']['num_batches_tracked'] == 1


def test_dist_train_and_dist_test_run_without_gpus(tmp_path, monkeypatch):
    """The sweep is the one that starts dist_train.sh: one training shows that both work."""
    sweep = load_tool('analysis_tools/sweep')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    # sync_bn is what torch has no form of without GPUs
    extra = "sync_bn = 'torch'\ntest_dataloader['dataset'] = dict(loader['dataset'], ann_file='test.json')"
    config = write_config(tmp_path, extra=extra)
    shutil.copy(tmp_path / 'faces.json', tmp_path / 'test.json')
    options = ['--grid', 'eps=1', '--mode', 'axes', '--gpus', '2', '--auto-scale-lr']
    options += ['--cfg-options', 'train_dataloader.batch_size=2']
    sweep.main([str(config), '--work-dir', str(tmp_path), *options])
    assert json.loads((tmp_path / 'base' / sweep.RESULT).read_text())['best'] > 0
    log = (tmp_path / 'base' / sweep.LOG).read_text()
    assert re.search(r'Epoch\(train\) \[1\]\[2/2\]', log), 'five faces: two batches of two for each process'
    assert 'Distributed training: True' in log
    # 2 faces a process; the schedule is made for 16
    assert 'the current batch size is 4' in log and 'LR is set based on batch size of 16' in log
    log = run_tool(ROOT / 'tools/dist_test.sh', config, tmp_path / 'base/epoch_1.pth', 2)
    assert re.search(r'Epoch\(test\) \[1/1\].* NME: ', log)


def test_an_error_of_one_process_is_told_while_the_other_waits(tmp_path):
    (tmp_path / 'config.py').write_text('')
    (tmp_path / 'tool.py').write_text("""
import torch
import torch.distributed as dist
if dist.get_rank() == 1:
    raise ValueError('only rank 1 fails')
dist.all_reduce(torch.ones(1))
""")
    # NCCL waits for the other processes here until its watchdog ends this one, and nothing is printed
    (tmp_path / 'run.py').write_text(f"""
import os
from mmpose_sp.utils import launch
launch.mmpose_tool = lambda name: {str(tmp_path / 'tool.py')!r}
launch.dist.destroy_process_group = lambda: os._exit(3)
launch.run_mmpose_tool('train.py')
""")
    launch = f'-m torch.distributed.run --standalone --nproc_per_node=2 {tmp_path}/run.py {tmp_path}/config.py'
    # run_tool ends it after 20 minutes; gloo gives a lost process up after 30
    log = run_tool(sys.executable, *launch.split(), '--launcher', 'pytorch', ok=False)
    assert 'ValueError: only rank 1 fails' in log


WORKER = """
import os, subprocess, torch, torch.distributed as dist
dist.init_process_group('gloo')
total = torch.ones(1)
dist.all_reduce(total)
if dist.get_rank() == 0:
    print('{name}:', int(total), 'processes', flush=True)
    {last}
dist.barrier()
"""


def test_two_runs_at_once_do_not_meet(tmp_path):
    tools = tmp_path / 'tools'
    tools.mkdir()
    for script in ('dist_train.sh', 'dist_test.sh'):
        (tools / script).symlink_to(ROOT / 'tools' / script)
    # The training starts the test while its own processes are connected, so no clock decides whether both are there.
    inner = f"subprocess.run(['bash', '{tools}/dist_test.sh', 'config', 'checkpoint', '2'], check=True)"
    (tools / 'train.py').write_text(WORKER.format(name='train', last=inner))
    (tools / 'test.py').write_text(WORKER.format(name='test', last=''))
    log = run_tool('bash', tools / 'dist_train.sh', 'config', 2)
    assert 'train: 2 processes' in log and 'test: 2 processes' in log


@pytest.mark.parametrize('command', [('dist_train.sh', 'config', 4), ('dist_test.sh', 'config', 'checkpoint', 4)])
def test_a_named_port_and_several_machines_are_passed_on(monkeypatch, command):
    def arguments(**environment):
        for name in ('PORT', 'NNODES', 'NODE_RANK', 'MASTER_ADDR'):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return run_tool('bash', ROOT / 'tools' / command[0], *command[1:], python='echo').split()

    free = arguments()
    assert '--standalone' in free and '--nproc_per_node=4' in free and 'port' not in ' '.join(free)
    named = arguments(PORT='1234')
    assert '--standalone' not in named and {'--nnodes=1', '--master_port=1234'} <= set(named)
    second = arguments(NNODES='2', NODE_RANK='1', MASTER_ADDR='head', PORT='1234')
    assert {'--nnodes=2', '--node_rank=1', '--master_addr=head', '--master_port=1234'} <= set(second)


@pytest.mark.parametrize('command', [('slurm_train.sh', 'work'), ('slurm_test.sh', 'checkpoint')])
def test_slurm_jobs_have_ports_of_their_own(tmp_path, monkeypatch, command):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho "port $MASTER_PORT"\n')
    srun.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv('PORT', raising=False)
    run = lambda: run_tool('bash', ROOT / 'tools' / command[0], 'part', 'job', 'config', command[1])  # noqa: E731
    ports = [int(run().split()[1]) for _ in range(4)]
    assert len(set(ports)) > 1 and all(20000 <= port < 30000 for port in ports)
    monkeypatch.setenv('PORT', '1234')
    assert run() == 'port 1234\n'


class Slurm:
    """Stand-ins for its commands: each notes its arguments; ``srun`` ends with the next of some statuses."""

    def __init__(self, folder, monkeypatch, *statuses):
        self.log, self.statuses = folder / 'log', folder / 'statuses'
        self.statuses.write_text(''.join(f'{status}\n' for status in statuses))
        note = f'#!/bin/bash\nprintf "%s\\t" "${{0##*/}}" "$@" >> {self.log}; echo >> {self.log}\n'
        end = f'status=$(head -n 1 {self.statuses}); sed -i 1d {self.statuses}; exit "$status"\n'
        for name, rest in {'srun': end, 'scontrol': '', 'sbatch': 'SLURM_JOB_ID=7 bash -c "${@: -1}"\n'}.items():
            (folder / name).write_text(note + rest)
            (folder / name).chmod(0o755)
        monkeypatch.setenv('PATH', str(folder), prepend=os.pathsep)
        for name in ('SLURM_JOB_ID', 'SLURM_RESTART_COUNT', 'SUBMIT'):
            monkeypatch.delenv(name, raising=False)

    def train(self, folder, ok=True):
        """What was called, as lists of words."""
        run_tool('bash', ROOT / 'tools/slurm_train.sh', 'part', 'my job', 'config.py', folder / 'work', '--amp', ok=ok)
        return [line.split('\t')[:-1] for line in self.log.read_text().splitlines()]


def test_an_interrupted_job_of_srun_is_queued_again_and_resumes(tmp_path, monkeypatch):
    first, second = Slurm(tmp_path, monkeypatch, 75, 0).train(tmp_path)
    assert {'--signal=USR1@120', '--job-name=my job', '--amp'} <= set(first) and '--resume' not in first
    assert second == [*first, '--resume']


def test_a_job_that_fails_is_not_queued_again(tmp_path, monkeypatch):
    assert len(Slurm(tmp_path, monkeypatch, 1).train(tmp_path, ok=False)) == 1


def test_an_interrupted_job_of_sbatch_is_queued_again(tmp_path, monkeypatch):
    slurm = Slurm(tmp_path, monkeypatch, 75, 0)
    monkeypatch.setenv('SUBMIT', '1')
    submitted, step, again = slurm.train(tmp_path, ok=False)
    assert {'--requeue', '--open-mode=append', '--signal=USR1@120', '--job-name=my job'} <= set(submitted)
    assert step[0] == 'srun' and '--amp' in step and '--resume' not in step
    assert again == ['scontrol', 'requeue', '7']
    monkeypatch.setenv('SLURM_JOB_ID', '7')
    monkeypatch.setenv('SLURM_RESTART_COUNT', '1')  # as Slurm starts it the second time
    assert slurm.train(tmp_path)[-1] == [*step, '--resume']


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'])
def test_scripts_tell_their_usage(script):
    assert f'tools/{script} ' in run_tool(ROOT / 'tools' / script, ok=False)
