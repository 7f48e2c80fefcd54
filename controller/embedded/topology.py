"""How fields merge on an API server: which lists have keys, which maps and lists are replaced whole.

From the extensions `x-kubernetes-list-type`, `-list-map-keys` and `-map-type` in Kubernetes 1.35's OpenAPI document and
Gateway API's CRDs. What is not named here follows the rule there: maps merge by key, lists are replaced whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Topology:
    """One field: replaced whole (`atomic`), a list with `keys`, or else plain; `fields` are those below that are not plain."""

    atomic: bool = False
    keys: tuple[str, ...] = ()
    fields: Mapping[str, Topology] = field(default_factory=dict)

    def below(self, name: str) -> Topology:
        return self.fields.get(name, _PLAIN)


_PLAIN = Topology()
_ATOMIC = Topology(atomic=True)

# Keys that the API server fills in before it compares.
KEY_DEFAULTS: Mapping[str, str] = {"protocol": "TCP"}


def _keyed(*keys: str, **fields: Topology) -> Topology:
    return Topology(keys=keys, fields=fields)


def _struct(**fields: Topology) -> Topology:
    return Topology(fields=fields)


_VALUE_FROM = _struct(configMapKeyRef=_ATOMIC, secretKeyRef=_ATOMIC, fieldRef=_ATOMIC, resourceFieldRef=_ATOMIC)
_CONTAINERS = _keyed(
    "name",
    env=_keyed("name", valueFrom=_VALUE_FROM),
    ports=_keyed("containerPort", "protocol"),
    resources=_struct(claims=_keyed("name")),
    volumeDevices=_keyed("devicePath"),
    volumeMounts=_keyed("mountPath"),
)
_POD_SPEC = _struct(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    ephemeralContainers=_CONTAINERS,
    hostAliases=_keyed("ip"),
    imagePullSecrets=_keyed("name"),
    nodeSelector=_ATOMIC,
    topologySpreadConstraints=_keyed("topologyKey", "whenUnsatisfiable", labelSelector=_ATOMIC),
    volumes=_keyed("name"),
)
_METADATA = _struct(ownerReferences=Topology(keys=("uid",)))


def _kind(**fields: Topology) -> Topology:
    return _struct(metadata=_METADATA, **fields)


_KINDS: Mapping[str, Topology] = {
    "ServiceAccount": _kind(secrets=_keyed("name")),
    "Service": _kind(spec=_struct(ports=_keyed("port", "protocol"), selector=_ATOMIC)),
    "Pod": _kind(spec=_POD_SPEC),
    "Deployment": _kind(spec=_struct(selector=_ATOMIC, template=_struct(metadata=_METADATA, spec=_POD_SPEC))),
    "PodDisruptionBudget": _kind(spec=_struct(selector=_ATOMIC)),
}


def topology_of(kind: str) -> Topology:
    """The topology of a whole object of this kind."""
    return _KINDS.get(kind, _kind())
