"""What a running controller says of itself through its socket: where it serves, what it follows, what it could not do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from controller.cli.context import Place
from controller.cli.profile import embedded_profile
from controller.embedded.remote import RemoteStore
from controller.model.errors import Stalled, Transient
from controller.model.images import BuildFailure
from controller.source.repository import Repository

VERB = "health"


@dataclass(frozen=True, slots=True)
class ControllerWord:
    """`url` is the gateway's; `committed` says whether commits are followed or the files as they lie on the disk.

    `errors` say why the source cannot be read at the moment.
    """

    url: str
    committed: bool
    errors: tuple[str, ...] = ()
    build_failures: tuple[BuildFailure, ...] = ()

    def as_document(self) -> Mapping[str, Any]:
        """As plain data, for the socket."""
        return asdict(self)


def controller_word(place: Place) -> ControllerWord:
    """The running controller's word; without one the last gateway's address, and what is committed where there is git.

    Raises Transient while a controller is only just starting or ending.
    """
    if place.state.owner is None:
        return ControllerWord(embedded_profile(place.state).url, committed=Repository.around(place.source) is not None)
    try:
        answer = RemoteStore.at(place.state.socket).call(VERB)
    except Stalled as error:
        raise Transient("the controller is only just starting", hint="try again in a moment") from error
    failures = tuple(BuildFailure(**failure) for failure in answer["build_failures"])
    return ControllerWord(answer["url"], answer["committed"], tuple(answer["errors"]), failures)
