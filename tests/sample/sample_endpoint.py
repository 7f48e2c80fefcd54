"""How to install what the sample needs in a folder, and how to ask its running endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "sample-repo"


@dataclass(frozen=True)
class Answer:
    status: int
    type: str
    body: bytes
    allow: str | None


@dataclass(frozen=True)
class Predictor:
    """A running `predict-digit`."""

    port: int

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers.get_content_type(), response.read(), response.headers["Allow"])
        finally:
            connection.close()

    def predict(self, picture: bytes) -> Answer:
        return self.ask("POST", "/", picture, Content_Type="image/png")


def install(requirements: Path, target: Path) -> Path:
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--require-hashes", "--target", target]
    subprocess.run([*command, "-r", requirements], check=True, timeout=280)
    return target


def isolated(packages: Path, **environment: str) -> dict[str, str]:
    """This environment, but with those packages and nothing that could have come from another endpoint."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VH_", "MODEL_", "PYTHON"))}
    return {
        **kept,
        "PYTHONPATH": str(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **environment,
    }
