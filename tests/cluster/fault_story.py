"""One story, told chapter by chapter while things go wrong: see `Story`."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, label
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.load import answer_agrees
from tests.cluster.stage import Stage, eventually
from tests.system.load import Load
from tests.system.repository import DEPLOYMENT, alias_file, version_file

OTHER = "other"
ROLLOUT = {"deadline": "2m", "keepWarm": "0s"}


@dataclass
class Story:
    """Two deployments: one is released again and again, the other must never be touched by that."""

    stage: Stage
    proxy: FaultProxy
    process: subprocess.Popen[bytes]
    version: str = ""
    before: str = ""
    commit: str = ""
    shape: Counter[tuple[str | None, ...]] = field(default_factory=Counter)
    route: str = ""
    bystanders: Mapping[ObjectKey, tuple[str, int]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def begin(self) -> None:
        repository = self.stage.repository
        repository.configure(rollout=ROLLOUT)
        repository.configure(OTHER, idle={"replicas": 0})
        repository.release("base", alias=None, **{version_file("base"): {"deployments": [OTHER]}})
        self._release()
        self.stage.until_applied(self.commit)
        self.stage.client.apply(_lookalike(self.stage), manager="somebody")
        self.shape, self.route, self.bystanders = self._shape(), self._alias_route(), self.untouched()

    def go_on(self) -> None:
        """Commit the next chapter."""
        self._release(**{version_file(self.version): {"deployments": [DEPLOYMENT], "enabled": False}})

    def go_back(self) -> None:
        """Commit that the last chapter never happened."""
        self.stage.repository.git("revert", "--no-edit", "HEAD")
        self.commit = self.stage.repository.git("rev-parse", "HEAD")
        self.version = self.before

    def until_over(self) -> None:
        """Until the newest commit serves and nothing remains of the version before it."""
        eventually(
            lambda: self.stage.is_applied(self.commit) and self.versions() == {self.version},
            lambda: f"{self.versions()} instead of {self.version}: {self.stage.conditions()}\n{self.stage.log()}",
        )

    def let_grow(self) -> None:
        """The other deployment may have got more than it had; what it had is untouched."""
        found = self.untouched()
        assert self.bystanders.items() <= found.items()
        self.bystanders = found

    def assert_whole(self) -> None:
        """Nothing is lost and nothing is left over, the alias is where it should be, and nothing else was touched."""
        assert self._shape() == self.shape
        assert self._alias_route() == self.route, "the alias route was made anew"
        assert self.untouched() == self.bystanders
        assert self.stage.said("production")["version"] == self.version
        assert self.process.poll() is None, self.stage.log()

    @contextmanager
    def under_load(self) -> Iterator[None]:
        with Load(self.stage.urls("production"), answer_agrees, fresh=2, pause=0.2) as load:
            yield
        assert load.faults == []
        assert all(load.answers)

    def _release(self, **files: object) -> None:
        self.before, self.version = self.version, f"{next(self._numbers)}.0"
        here = {version_file(self.version): {"deployments": [DEPLOYMENT]}, alias_file(): {"version": self.version}}
        self.commit = self.stage.repository.release(self.version, **here, **files)

    def _ours(self) -> Iterator[Object]:
        return (obj for obj in self.stage.objects().values() if label(obj, labels.UNIT) == self.stage.unit.hash)

    def versions(self) -> set[str | None]:
        return {annotation(obj, labels.VERSION) for obj in self._ours()} - {None}

    def _shape(self) -> Counter[tuple[str | None, ...]]:
        """Every object of the unit by its kind and whether it is the newest version's."""
        seen = ((obj["kind"], annotation(obj, labels.VERSION), annotation(obj, labels.ALIAS)) for obj in self._ours())
        return Counter((kind, "newest" if version == self.version else version, alias) for kind, version, alias in seen)

    def _alias_route(self) -> str:
        (route,) = (obj for obj in self._ours() if obj["kind"] == "HTTPRoute" and annotation(obj, labels.ALIAS))
        uid: str = route["metadata"]["uid"]
        return uid

    def untouched(self) -> Mapping[ObjectKey, tuple[str, int]]:
        other = self.stage.of(OTHER).unit.hash
        return {
            key: (obj["metadata"]["uid"], obj["metadata"].get("generation", 0))
            for key, obj in self.stage.objects().items()
            if label(obj, labels.UNIT) == other
        }


def _lookalike(stage: Stage) -> dict[str, Any]:
    """It has our labels, but we did not make it."""
    marks = {labels.MANAGED_BY: "pointsman", labels.UNIT: stage.unit.hash}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "lookalike", "namespace": stage.namespace, "labels": marks},
    }
