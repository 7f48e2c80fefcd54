"""The controller's image, built by a Docker Engine from a base of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cluster import images
from tests.docker_engine.engine import Engine

_BUILD = 1200.0
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGES = Path("/etc/apt/apt.conf.d")
_BASE = """\
FROM scratch
ADD layer.tar.gz /
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY apt.conf.d /etc/apt/apt.conf.d
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""


def build_base(engine: Engine) -> str:
    """The base of the test cluster's pods; it trusts whom this machine trusts, and finds packages where this one does."""
    images.make_all()
    context = engine.folder / "base"
    context.mkdir()
    shutil.copy(images.base().folder / "layer.tar.gz", context)
    shutil.copy(_CERTIFICATES, context)
    shutil.copytree(_PACKAGES, context / "apt.conf.d")
    (context / "Dockerfile").write_text(_BASE)
    engine.run("build", "--tag", "base:test", str(context))
    return "base:test"


def build_controller(engine: Engine, base: str, tag: str) -> None:
    """The repository's own Dockerfile, over a local base."""
    engine.run("build", "--network=host", "--build-arg", f"BASE={base}", "--tag", tag, ".", timeout=_BUILD)
