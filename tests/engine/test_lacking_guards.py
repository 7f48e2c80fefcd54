"""A target that cannot be asked for what enforces `access` refuses who declares it, with the remedy, and serves all others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.declared_repository import Shape
from controller.engine.cache import TargetCache, kinds_of
from controller.engine.planning import UnitWork
from controller.engine.sight import Sight
from controller.engine.sources import Publication
from controller.model.errors import Stalled
from controller.model.ports import ClusterClient, Labels, Listing
from controller.render.access import TRAEFIK_CLASS
from tests.engine.settling import Settling, settling

pytestmark = pytest.mark.system
MISSING = Stalled("the server does not know middlewares.traefik.io", hint="install Traefik's definitions")


def without_middlewares(made: Settling) -> Sight:
    """The target behind Traefik, whose definitions are not there."""

    def lists(kind: str, *, labels: Labels | None = None) -> Listing:
        if kind == "Middleware":
            raise MISSING
        return made.store.list(kind, labels=labels)

    target = replace(made.target, profile=replace(made.target.profile, gateway_class=TRAEFIK_CLASS))
    client = cast(ClusterClient, SimpleNamespace(list=lists))
    return Sight(target, TargetCache.listed(client, kinds_of(target.profile)))


def guarded(publication: Publication) -> Publication:
    """The same with `access` in every deployment."""
    deployments = {name: replace(d, basic_auth="predictors") for name, d in publication.declared.deployments.items()}
    return replace(publication, declared=replace(publication.declared, deployments=deployments))


def test_only_who_declares_access_is_refused(tmp_path: Path) -> None:
    with settling(tmp_path, Shape(1, 1)) as made:
        sight = without_middlewares(made)
        [unit] = made.units
        refused = made.passes.run(UnitWork(unit, sight, guarded(made.publication))).plan
        [failure] = refused.failures
        assert failure.reason == "Refused"
        assert failure.message.startswith(f"deployment {unit.deployment}: its `access` needs a Middleware on target embedded: ")
        assert MISSING.message in failure.message
        assert f"({MISSING.hint}; until then what was served stays as it is)" in failure.message
        assert refused.changes == ()
        served = made.passes.run(UnitWork(unit, sight, made.publication)).plan
        assert served.failures == ()
        assert not served.is_empty
