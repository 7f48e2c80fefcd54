"""Base images inside a test's Engine, from files of this machine: no registry is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import images
from tests.docker_engine.engine import Engine


def load_python(engine: Engine, tag: str = "python:3.11") -> str:
    """Debian with its Python 3.11, about 200 MB: containers of it can serve."""
    images.make_base()
    return load(engine, images.base(), tag)


def load(engine: Engine, image: images.Image, tag: str) -> str:
    """An image that the cache holds."""
    context = engine.folder / tag.replace("/", "-").replace(":", "-")
    context.mkdir(exist_ok=True)
    lines = ["FROM scratch"]
    for number, layer in enumerate(image.layers):
        lines.append(f"ADD {number}.tar.gz /")
        if not (context / f"{number}.tar.gz").exists():
            _place(layer, context / f"{number}.tar.gz")
    (context / "Dockerfile").write_text("\n".join([*lines, *_instructions(image.config)]) + "\n")
    engine.run("build", "--tag", tag, str(context), timeout=600)
    return tag


def _place(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        target.write_bytes(source.read_bytes())


def _instructions(config: Mapping[str, Any]) -> list[str]:
    return [*(f"ENV {item}" for item in config["Env"]), f"CMD {json.dumps(config['Cmd'])}"]
