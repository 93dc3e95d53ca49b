"""Packaging of mmpose_sp.

torch, mmcv, mmengine, mmdet and mmpose are deliberately not required here: pip would replace what a
working OpenMMLab environment holds. ``import mmpose_sp`` checks their versions and says what to do.
"""

import os
import re

from setuptools import find_packages, setup

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*path):
    with open(os.path.join(HERE, *path), encoding='utf-8') as file:
        return file.read()


setup(
    name='mmpose_sp',
    version=re.search(r"__version__ = '(.+)'", read('mmpose_sp', 'version.py')).group(1),
    description='Structured prediction for facial landmark detection, as an MMPose extension',
    long_description=read('README.md') if os.path.exists(os.path.join(HERE, 'README.md')) else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmpose_sp', 'mmpose_sp.*']),
    package_data={'mmpose_sp.weights': ['*.pth', '*.md']},
    python_requires='>=3.8',
    # Without bounds: whatever version is there stays.
    install_requires=['h5py', 'matplotlib', 'numpy', 'scipy', 'tqdm'],
    extras_require={
        'onnx': ['onnx', 'onnxruntime', 'onnxscript'],
        'photo': ['scikit-image'],
        'web': ['gradio>=6,<7'],  # 6.31.0 was tested
    },
)
