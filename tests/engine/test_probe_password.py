"""Who ever gets to see the password with which golden requests pass guarded routes."""

from __future__ import annotations

from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import cast

import pytest

from bench.declared_repository import Shape
from controller.engine.sight import Sight
from controller.engine.targets import Target
from controller.model.identity import UnitKey
from controller.model.ports import ClusterClient, ImageBuilder
from controller.model.secret import Secret
from tests.embedded.gateway.servers import Endpoint
from tests.engine.settling import PROFILE, settling

pytestmark = pytest.mark.contract


def test_an_endpoint_without_access_never_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []
    echo = Endpoint.echo

    def noting(endpoint: Endpoint, request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers.get("Authorization"))
        echo(endpoint, request)

    monkeypatch.setattr(Endpoint, "echo", noting)
    with settling(tmp_path, Shape(deployments=1, each=1)) as made:
        made.sight = Sight(replace(made.target, probe=Secret("of all units")), made.sight.cache)
        made.settle()
    assert seen, "the alias was confirmed without asking its endpoint"
    assert set(seen) == {None}


def test_on_a_cluster_each_unit_has_its_own() -> None:
    profile = replace(PROFILE, kind="kubernetes")
    target = Target(profile, cast(ClusterClient, None), cast(ImageBuilder, None), tuple, Secret("of all units"))
    one, other = (target.probe_of(UnitKey("acme", "mnist", name)) for name in ("europe", "asia"))
    assert one == target.probe_of(UnitKey("acme", "mnist", "europe"))
    assert len({one, other, target.probe}) == 3
    assert replace(target, probe=None).probe_of(UnitKey("acme", "mnist", "europe")) is None
