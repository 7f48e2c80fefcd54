"""What a caller may read of a cluster, made visible: one namespace, and kinds that are refused."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model.errors import Forbidden
from controller.model.identity import ObjectKey
from controller.model.objects import CLUSTER_SCOPED, Object
from controller.model.ports import ClusterClient, Labels, Listing, WatchEvent


class Limited:
    """A ClusterClient whose lists go no further than the caller's rights.

    With `namespace` every list is of that one. Where a list of all namespaces is refused and the `fallback` namespace is
    known (the project's, from the repository here), that one is listed instead.
    """

    def __init__(self, client: ClusterClient, namespace: str | None, fallback: str | None) -> None:
        self._client = client
        self._namespace = namespace
        self._fallback = fallback

    def get(self, key: ObjectKey) -> Object | None:
        return self._client.get(key)

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        wanted = None if kind in CLUSTER_SCOPED else namespace or self._namespace
        try:
            return self._client.list(kind, namespace=wanted, labels=labels)
        except Forbidden as error:
            if wanted is None and self._fallback and kind not in CLUSTER_SCOPED:
                return self._client.list(kind, namespace=self._fallback, labels=labels)
            hint = error.hint if wanted else "-n NAMESPACE looks only into one; or ask for the ClusterRole pointsman-viewer"
            raise Forbidden(error.message, hint=hint) from error

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        return self._client.apply(obj, manager=manager, dry_run=dry_run)

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        self._client.delete(key, uid=uid, resource_version=resource_version)

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        return self._client.watch(kind, resource_version, labels=labels, timeout=timeout)
