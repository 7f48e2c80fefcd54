"""What a container's labels say of it: all that the next run must know of a replica, so that no file has to agree. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.embedded.runtime.instance import Identity
from controller.embedded.runtime.specification import ReplicaSpec
from controller.model.labels import (
    FIELD_MANAGER,
    MANAGED_BY,
    REPLICA,
    REPLICA_CREATED,
    REPLICA_INDEX,
    REPLICA_NAMESPACE,
    REPLICA_RESTARTS,
    REPLICA_TEMPLATE,
    STATE,
    STATE_DIRECTORY,
    WORKLOAD,
)


@dataclass(frozen=True, slots=True)
class ContainerLabels:
    """Which replica a container is an instance of. `created` is the replica's, in seconds since the epoch."""

    namespace: str
    workload: str
    replica: str
    index: int
    template: str
    created: float
    restarts: int

    @classmethod
    def of(cls, spec: ReplicaSpec, identity: Identity, restarts: int) -> ContainerLabels:
        return cls(spec.namespace, spec.workload, identity.name, identity.index, spec.template, identity.created, restarts)

    @classmethod
    def read(cls, labels: Mapping[str, str]) -> ContainerLabels | None:
        """None for a container that carries other labels, of an older version perhaps."""
        try:
            return cls(
                labels[REPLICA_NAMESPACE],
                labels[WORKLOAD],
                labels[REPLICA],
                int(labels[REPLICA_INDEX]),
                labels[REPLICA_TEMPLATE],
                float(labels[REPLICA_CREATED]),
                int(labels[REPLICA_RESTARTS]),
            )
        except (KeyError, ValueError):
            return None

    def write(self, state: str, directory: str) -> dict[str, str]:
        """For a container of the state directory `directory`, whose id is `state`."""
        return {
            MANAGED_BY: FIELD_MANAGER,
            STATE: state,
            STATE_DIRECTORY: directory,
            REPLICA_NAMESPACE: self.namespace,
            WORKLOAD: self.workload,
            REPLICA: self.replica,
            REPLICA_INDEX: str(self.index),
            REPLICA_TEMPLATE: self.template,
            REPLICA_CREATED: repr(self.created),
            REPLICA_RESTARTS: str(self.restarts),
        }
