"""Whom an object belongs to: the labels and annotations that every one of them carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from controller.model import labels
from controller.model.desired import TargetProfile
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import API_VERSIONS


@dataclass(frozen=True)
class Scope:
    """The unit, the target that it is rendered for, and the source that declares it (`""` where nobody said)."""

    unit: UnitKey
    target: TargetProfile
    source: str = ""

    @cached_property
    def namespace(self) -> str:
        return self.target.namespace_of(self.unit)

    @property
    def in_container(self) -> bool:
        """False on the process runtime, which prepares a process's environment itself."""
        return self.target.base_platform is None

    def key(self, kind: str, name: str) -> ObjectKey:
        return ObjectKey(kind, self.namespace, name)

    def labels(self, workload: str | None = None) -> dict[str, str]:
        """Managed by us, of this unit and, where one is named, of that workload."""
        return {**self._unit_labels, labels.WORKLOAD: workload} if workload else dict(self._unit_labels)

    def annotations(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The readable names; a label could not hold them all."""
        found = {labels.UNIT_NAME: str(self.unit), labels.INSTALLATION: self.target.installation, **(more or {})}
        return {**found, labels.SOURCE: self.source} if self.source else found

    def object(
        self,
        kind: str,
        name: str,
        body: Mapping[str, Any],
        *,
        workload: str | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """An object of this unit with everything but its body already said."""
        metadata = {
            "name": name,
            "namespace": self.namespace,
            "labels": self.labels(workload),
            "annotations": self.annotations(annotations),
        }
        return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": metadata, **body}

    @cached_property
    def _unit_labels(self) -> Mapping[str, str]:
        return {labels.MANAGED_BY: labels.FIELD_MANAGER, labels.UNIT: self.unit.hash}
