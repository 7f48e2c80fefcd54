"""The project that image builders are compared with: 200 files of code in git, and one model of float32 weights."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from array import array
from collections.abc import Iterator
from pathlib import Path

from bench.declared_repository import ENVIRONMENT
from controller.images.files import cached
from controller.model.declared import FileContent
from controller.model.images import ImageSpec
from controller.source.code import Codebase, GitCode
from controller.source.objects import ObjectReader
from controller.source.repository import Repository

FILES = 200
BASE = "library/python:3.11"
MODEL = "models/weights.bin"
_LINES = 75
_LINE = "def step_{0}_{1}(values, scale={2}):\n    return [value * scale + {3} for value in values]\n"
_WEIGHTS = 1 << 20
_DOCKERFILE = """\
FROM {base}
WORKDIR /valohai/code
COPY model.bin {model}
COPY code .
CMD ["python", "serve.py"]
"""


class Project:
    """A Docker context at `root` whose `code` is a repository, with a model of `size` MiB beside it.

    It is made, unless `sha256` names the model of one that is there. `forget` at the end.
    """

    def __init__(self, root: Path, size: int, sha256: str = "") -> None:
        self.root = root
        self.sha256 = sha256
        self._code = root / "code"
        self._model = root / "model.bin"
        self._size = size
        self._objects: ObjectReader | None = None
        if not sha256:
            self._write_code()
            self.change_model(0)
            (root / ".dockerignore").write_text("code/.git\n")

    def write_dockerfile(self, registry: str) -> None:
        """What a tool that drives Docker is given; the file that changes least comes first."""
        (self.root / "Dockerfile").write_text(_DOCKERFILE.format(base=f"{registry}/{BASE}", model=MODEL))

    def change_code(self, revision: int) -> None:
        """One line of one file, committed."""
        (self._code / "serve.py").write_text(f"REVISION = {revision}\n")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"revision {revision}")

    def change_model(self, revision: int) -> None:
        """Other weights in a new file: whoever linked the old one keeps it."""
        new, digest = self._model.with_suffix(".new"), hashlib.sha256()
        with new.open("wb") as file:
            for block in _weights(self._size, revision):
                digest.update(block)
                file.write(block)
        new.replace(self._model)
        self.sha256 = digest.hexdigest()

    def give_model(self, cache: Path) -> None:
        """Put the model where a builder keeps what it has fetched."""
        place = cached(cache, self.sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            os.link(self._model, place)

    def spec(self, repository: str) -> tuple[ImageSpec, GitCode]:
        """The image of the current commit, with the reader that has found its code; it stays, as in the controller."""
        if self._objects is None:
            found = Repository.around(self._code)
            assert found is not None
            self._objects = ObjectReader(found.git())
        code = Codebase(self._objects, str(self._code), "", "pointsman").at(self._git("rev-parse", "HEAD^{tree}"))
        assert code is not None
        files = {MODEL: FileContent(url="https://models.invalid/weights.bin", sha256=self.sha256)}
        return (
            ImageSpec(repository, "python:3.11", "linux/amd64", code.tree, "python serve.py", 8000, files),
            GitCode(self._objects),
        )

    def forget(self) -> None:
        """End the reader; the next one knows nothing."""
        if self._objects is not None:
            self._objects.close()
            self._objects = None

    def _write_code(self) -> None:
        package = self._code / "package"
        package.mkdir(parents=True)
        source = random.Random(0)
        for number in range(FILES - 1):
            lines = (_LINE.format(number, line, source.randrange(10**6), source.random()) for line in range(_LINES))
            (package / f"module_{number}.py").write_text("".join(lines))
        self._git("init", "--quiet")
        self.change_code(0)
        self._git("repack", "--quiet", "-a", "-d")

    def _git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0", *arguments]
        done = subprocess.run(command, cwd=self._code, env=ENVIRONMENT, check=True, capture_output=True, text=True)
        return done.stdout.strip()


def silent(what: str, done: int, total: int) -> None:
    """A progress that nobody watches."""


def _weights(size: int, revision: int) -> Iterator[bytes]:
    """`size` MiB of normally distributed float32: 4 MiB of them again and again, which compressors do not notice."""
    source = random.Random(revision)
    block = array("f", (source.gauss(0.0, 0.02) for _ in range(_WEIGHTS))).tobytes()
    mark = revision.to_bytes(4, "big")
    for number in range(0, size, 4):
        yield (mark + number.to_bytes(4, "big") + block[8:])[: (size - number) << 20]
