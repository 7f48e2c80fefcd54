"""Bases with the Python and the TensorFlow that Valohai's tensorflow-example names, made from Debian and wheels.

`tensorflow/tensorflow:2.6.0` itself is in no package registry; what it brings to the example is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from controller.cli.scratch import sample_directory
from tests.cluster.binaries import once, say
from tests.cluster.images import PATH, Image, keep, pack_debian
from tests.cluster.layout import cache
from tests.system.repository import OWNER, Repository, alias_file, deployment_file, version_file

PROJECT = Path(__file__).parents[1] / "data" / "tensorflow"
_VALOHAI = Path(__file__).parents[1] / "data" / "valohai-yaml" / "real" / "valohai__tensorflow-example.yaml"

_PACKAGES = "usr/local/lib/python3.9/dist-packages"
_ENVIRONMENT = [f"PATH={PATH}", "LANG=C.UTF-8", "PYTHON_VERSION=3.9.2"]
# The versions of the example's own requirements.txt; termcolor and wrapt are the first ones that have wheels.
_WHEELS = """\
absl-py==0.14.0
astunparse==1.6.3
certifi==2021.5.30
charset-normalizer==2.0.6
flatbuffers==1.12
gast==0.4.0
google-pasta==0.2.0
grpcio==1.41.0
h5py==3.1.0
idna==3.2
keras==2.6.0
keras-preprocessing==1.1.2
markdown==3.3.4
numpy==1.19.5
opt-einsum==3.3.0
protobuf==3.18.0
requests==2.26.0
six==1.15.0
tensorboard==2.6.0
tensorboard-data-server==0.6.1
tensorflow-cpu==2.6.0
tensorflow-estimator==2.6.0
termcolor==2.0.1
typing-extensions==4.0.1
urllib3==1.26.7
werkzeug==2.0.1
wrapt==1.14.1
"""


def python39() -> Image:
    """Debian with its Python 3.9."""
    return Image("library/python", "3.9", "1", {"Env": _ENVIRONMENT, "Cmd": ["python3"]})


def tensorflow() -> Image:
    """The same with TensorFlow 2.6.0, for processors alone."""
    return Image("tensorflow/tensorflow", "2.6.0", "1", {"Env": _ENVIRONMENT, "Cmd": ["python3"]}, python39())


def make_all() -> None:
    """Make what the cache does not hold: a minute for Debian, half a one for TensorFlow."""
    with once("tensorflow-images"):
        if not python39().folder.exists():
            say("making the base image with Python 3.9 (debootstrap, about a minute)")
            keep(python39(), _debian_layer)
        if not tensorflow().folder.exists():
            say("making the base image with TensorFlow 2.6.0")
            keep(tensorflow(), _tensorflow_layer)


def example(directory: Path, project: str) -> Repository:
    """Its endpoints, the server that one of them names, and a release of both."""
    repository = Repository(directory)
    shutil.copytree(PROJECT, directory)
    shutil.copy(_VALOHAI, directory / "valohai.yaml")
    shutil.copy(model(), directory / "model.h5")
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit(
        {
            "pointsman/project.yaml": {"format": 1, "owner": OWNER, "name": project},
            deployment_file(): {},
            version_file("1"): {"files": {"predict-digit": {"model": {"path": "model.h5"}}}},
            alias_file(): {"version": "1"},
        }
    )
    return repository


def _debian_layer(layer: Path, directory: Path) -> None:
    pack_debian("bullseye", ("python3", "python3-distutils"), layer, directory)


def _tensorflow_layer(layer: Path, directory: Path) -> None:
    packages, wheels = directory / "packages", directory / "wheels.txt"
    wheels.write_text(_WHEELS)
    which = ["--python-version", "3.9", "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:", "--no-deps"]
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(packages), *which, "-r", str(wheels)]
    subprocess.run(command, check=True)
    with tarfile.open(layer, "w") as tar:
        tar.add(packages, arcname=_PACKAGES)


def model() -> Path:
    """A Keras model that knows the ten digits of the sample repository, trained where it will run."""
    file = tensorflow().folder / f"{hashlib.sha256((PROJECT / 'train.py').read_bytes()).hexdigest()[:12]}.h5"
    with once("tensorflow-model"):
        if not file.exists():
            say("training a model in the base image with TensorFlow")
            with tempfile.TemporaryDirectory(dir=cache()) as directory:
                _train(Path(directory)).rename(file)
    return file


def _train(root: Path) -> Path:
    for layer in tensorflow().layers:
        subprocess.run(["tar", "--extract", "--gzip", "--file", str(layer), "--directory", str(root)], check=True)
    shutil.copytree(sample_directory() / "digits", root / "training")
    shutil.copy(PROJECT / "train.py", root / "training")
    # TensorFlow asks /proc for its own program, and the device for where to start.
    (root / "proc").mkdir(exist_ok=True)
    (root / "dev").mkdir(exist_ok=True)
    os.mknod(root / "dev" / "urandom", stat.S_IFCHR | 0o666, os.makedev(1, 9))
    contained = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root / 'proc'}", "chroot", str(root)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    subprocess.run([*contained, "python3", "/training/train.py", "/training", "/training/model.h5"], env=quiet, check=True)
    return root / "training" / "model.h5"
