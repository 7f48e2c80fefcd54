"""Kubernetes Events: written beside the passes, the same one once with a count, and a refusal changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.embedded.store import EmbeddedStore
from controller.engine.announce import Announcer, Told
from controller.engine.happenings import Happening
from controller.model.errors import Forbidden
from controller.model.identity import ObjectKey
from controller.model.objects import Object

pytestmark = pytest.mark.contract

ABOUT = ObjectKey("ConfigMap", "acme-mnist", "pointsman-americas")


class Refusing(EmbeddedStore):
    """Lets no Event through until `allows`."""

    allows = False

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        if not self.allows:
            self.allows = True
            raise Forbidden("may not create Events")
        return super().apply(obj, manager=manager, dry_run=dry_run)


def told(store: EmbeddedStore, *happenings: Happening) -> tuple[Object, ...]:
    announcer = Announcer(store, "pod-1")
    announcer.start()
    for happening in happenings:
        announcer.tell(Told(happening, ABOUT, "uid-1"))
    announcer.stop(10.0)
    return store.list("Event", namespace=ABOUT.namespace).items


def test_an_event_says_what_about_which_object(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        [event] = told(store, Happening("Switched", "production → 2.0"))
    regarding = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "acme-mnist", "name": ABOUT.name, "uid": "uid-1"}
    assert event["regarding"] == regarding
    said = {key: event[key] for key in ("reason", "note", "type", "reportingController", "reportingInstance")}
    assert said == {
        "reason": "Switched",
        "note": "production → 2.0",
        "type": "Normal",
        "reportingController": "pointsman.dev/controller",
        "reportingInstance": "pod-1",
    }


def test_the_same_again_is_the_same_event_with_a_count(tmp_path: Path) -> None:
    again = Happening("WriteRefused", "denied", is_warning=True)
    with EmbeddedStore(tmp_path) as store:
        events = told(store, again, again, again, Happening("WriteRefused", "denied otherwise"))
    assert sorted(event.get("series", {}).get("count", 1) for event in events) == [1, 3]


def test_a_refused_event_ends_nothing_and_a_long_note_is_cut(tmp_path: Path) -> None:
    with Refusing(tmp_path) as store:
        [event] = told(store, Happening("A", "lost"), Happening("B", "ü" * 1000))
    assert event["reason"] == "B"
    assert event["note"] == "ü" * 512
