"""Which users a container may run as. Pure."""

from __future__ import annotations

from controller.embedded.runtime.instance import NotStarted


def require_other_than_root(user: str) -> None:
    """Raise `NotStarted`, in kubelet's words, for an image that would run as root or may do so."""
    name = user.partition(":")[0]
    if name.isdigit() and int(name) > 0:
        return
    if name in ("", "root") or name.isdigit():
        raise NotStarted("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")
    problem = f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
    raise NotStarted("CreateContainerConfigError", problem)
