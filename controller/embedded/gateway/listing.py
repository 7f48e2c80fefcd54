"""What the gateway serves below a path: deployments with their versions and aliases, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from itertools import islice
from typing import Any

from controller.embedded.gateway.answers import Answer
from controller.embedded.gateway.backends import Backends
from controller.embedded.gateway.pages import link, page, paragraphs, table
from controller.embedded.gateway.route import CompiledRoute
from controller.embedded.gateway.table import Node
from controller.model import labels

_LISTED = 500


def listing(path: str, node: Node, backends: Backends, origin: str) -> Answer:
    """The index of everything below `path`; `origin` is how the client names this gateway, such as `http://host:8080`."""
    routes = list(islice(node.walk(), _LISTED + 1))
    entries = [_entry(route, backends, origin) for route in routes[:_LISTED]]
    more = len(routes) > _LISTED
    details = {
        "path": path,
        "aliases": [entry for entry in entries if entry["alias"]],
        "versions": [entry for entry in entries if not entry["alias"]],
        "truncated": more,
    }
    return Answer(200, "Index", "", details=details, html=_html(path, node, details))


def _entry(route: CompiledRoute, backends: Backends, origin: str) -> dict[str, Any]:
    return {
        "deployment": route.marks.get(labels.UNIT_NAME, ""),
        "alias": route.marks.get(labels.ALIAS),
        "version": route.marks.get(labels.VERSION, ""),
        "endpoint": route.marks.get(labels.ENDPOINT, ""),
        "path": route.prefix,
        "url": origin + route.prefix,
        "readyReplicas": len(backends.ready(route.service)) if route.service else 0,
    }


def _html(path: str, node: Node, details: Mapping[str, Any]) -> str:
    parts = [
        f"<nav><p>{_trail(path)}</p></nav>",
        _section("Aliases", "Alias", details["aliases"]),
        _section("Versions", "Version", details["versions"]),
    ]
    if not details["aliases"] and not details["versions"]:
        parts.append(paragraphs(["Nothing is served here yet."]))
    if details["truncated"]:
        below = " · ".join(link(f"{path.rstrip('/')}/{name}", name) for name in islice(sorted(node.children), _LISTED))
        parts.append(paragraphs([f"Only the first {_LISTED} are listed. Further down:"]) + f"<p>{below}</p>")
    return page("Endpoints" if path == "/" else path.strip("/"), "\n".join(part for part in parts if part))


def _trail(path: str) -> str:
    """Links to every level above."""
    names = [name for name in path.split("/") if name]
    steps = ("/" + "/".join(names[:depth]) for depth in range(1, len(names)))
    return " / ".join([link("/", "all"), *(link(step, step.rpartition("/")[2]) for step in steps), *map(escape, names[-1:])])


def _section(title: str, what: str, entries: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (
            escape(entry["deployment"]),
            f"{escape(entry['alias'])} → {escape(entry['version'])}" if entry["alias"] else escape(entry["version"]),
            link(entry["path"], entry["endpoint"] or entry["path"]),
            str(entry["readyReplicas"]),
        )
        for entry in entries
    ]
    return f"<h2>{title}</h2>\n" + table(("Deployment", what, "Endpoint", "Ready"), rows) if rows else ""
