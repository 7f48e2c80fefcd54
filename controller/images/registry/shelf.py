"""The images of one project in its registry, as who cleans up there sees them.

Facts: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#content-management. Distribution 2.8 lists all
tags at once, refuses to delete by tag (400), and to delete at all (405) unless its configuration allows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from controller.images.manifest import LAYER_KIND
from controller.images.registry.client import INDEXES, RegistryClient
from controller.images.registry.session import Answer, Call, refusal
from controller.model.errors import Forbidden, PointsmanError, Stalled, Unavailable

PAGE = 1000
MOST_PAGES = 1000
"""A registry whose list does not end is not believed."""

_OURS = re.compile(r"v-[0-9a-f]{40}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NEXT = re.compile(r"<([^>]+)>\s*;[^,]*\brel=\"?next\b", re.IGNORECASE)
_NO_DELETION = "allow it there: `storage.delete.enabled: true`, or REGISTRY_STORAGE_DELETE_ENABLED=true, for distribution"


class Shelf:
    """Implements `ImageShelf` for one repository."""

    def __init__(self, client: RegistryClient, repository: str) -> None:
        self._client = client
        self._repository = repository

    @property
    def name(self) -> str:
        return f"{self._client.session.name}/{self._repository}"

    def tags(self) -> frozenset[str]:
        """All tags; none where the repository does not exist. Raises Unavailable for a list that is not whole."""
        return frozenset(tag for page in self._pages() for tag in page)

    def digests(self, tag: str) -> frozenset[str]:
        """What a tag leads to, also through an index where somebody else made it; nothing where it is gone."""
        if _OURS.fullmatch(tag):
            digest = self._client.manifest_digest(self._repository, tag)
            return frozenset((digest,)) if digest else frozenset()
        found = self._client.manifest(self._repository, tag)
        if found is None:
            return frozenset()
        below = found.document.get("manifests") if found.media_type in INDEXES else None
        items = (item for item in below or () if isinstance(item, dict))
        return frozenset((found.digest, *(str(item.get("digest")) for item in items)))

    def size(self, digest: str) -> int | None:
        """Bytes of the layers that Pointsman added to the base; None where the image is gone."""
        found = self._client.manifest(self._repository, digest)
        if found is None:
            return None
        own = (layer for layer in found.document.get("layers", ()) if LAYER_KIND in (layer.get("annotations") or {}))
        return sum(int(layer["size"]) for layer in own)

    def delete(self, digest: str) -> None:
        """Delete the image and every tag of it; one that is gone already is fine. Its blobs are the registry's to free."""
        action = f"delete {self._repository}@{digest}"
        scope = f"{self._repository}:delete"
        call = Call("DELETE", f"/v2/{self._repository}/manifests/{digest}", scope, action)
        try:
            answer = self._client.session.call(call, self._client.tick)
        except Forbidden as error:
            hint = f"let that login delete there (scope `repository:{self._repository}:delete`), or remove `cleanUp`"
            raise Forbidden(error.message, hint=hint) from error
        if answer.status not in (200, 202, 404):
            raise self._refusal(call, answer)

    def _refusal(self, call: Call, answer: Answer) -> PointsmanError:
        if answer.status in (405, 501):
            message = f"{self._client.session.name} does not let anybody delete images ({answer.status})"
            return Stalled(message, hint=_NO_DELETION)
        return refusal(self._client.session, call, answer)

    def _pages(self) -> Iterator[list[str]]:
        url = f"/v2/{self._repository}/tags/list?n={PAGE}"
        for _ in range(MOST_PAGES):
            call = Call("GET", url, f"{self._repository}:pull", f"list the tags of {self._repository}")
            answer = self._client.session.call(call, self._client.tick)
            if answer.status == 404:
                return
            if answer.status != 200:
                raise refusal(self._client.session, call, answer)
            yield self._page(answer)
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return
            url = following[1]
        raise Unavailable(f"{self._client.session.name} goes on listing the tags of {self._repository} without an end")

    def _page(self, answer: Answer) -> list[str]:
        try:
            tags = json.loads(answer.body)["tags"] or []
            if all(_TAG.fullmatch(tag) for tag in tags):
                return list(tags)
        except (ValueError, KeyError, TypeError):
            pass
        raise Unavailable(f"{self._client.session.name} answers with something else than the tags of {self._repository}")
