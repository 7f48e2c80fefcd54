"""What the pods of a workload print, read from the kubelet through the API server. Imported only for Kubernetes targets."""

from __future__ import annotations

import math
from collections.abc import Iterator

from controller.cli.log_choices import LogChoice
from controller.cli.log_wish import LogWish
from controller.cli.output import note
from controller.cluster.client import KubernetesClient
from controller.cluster.logs import LogQuestion, PodLine, lines_of_pods, pod_lines
from controller.model import labels
from controller.model.errors import PointsmanError, Stalled
from controller.model.objects import at
from controller.render.deployment import CONTAINER

Lines = Iterator[tuple[str, str]]


def pods_of(client: KubernetesClient, chosen: LogChoice) -> tuple[str, ...]:
    """The names of a workload's pods, the oldest first. Raises Stalled where there is none: their words went with them."""
    found = client.list("Pod", namespace=chosen.namespace, labels={labels.WORKLOAD: chosen.workload}).items
    pods = sorted(found, key=lambda pod: (str(at(pod, "metadata", "creationTimestamp", default="")), pod["metadata"]["name"]))
    if not pods:
        raise Stalled(f"no pod of {chosen} ({chosen.workload}) is there, so nothing that it printed", hint="pointsman status")
    return tuple(pod["metadata"]["name"] for pod in pods)


def printed(client: KubernetesClient, chosen: LogChoice, pods: tuple[str, ...], wish: LogWish) -> Lines:
    """(pod, line): one pod after the other, or, following, as they come. A pod that cannot be read hides no other."""
    question = LogQuestion(
        container=CONTAINER,
        tail=wish.tail,
        since=None if wish.since is None else math.ceil(wish.since),
        previous=wish.previous,
        follow=wish.follow,
    )
    errors: list[PointsmanError] = []
    for line in _lines(client, chosen.namespace, pods, question):
        if isinstance(line, PodLine):
            yield line.pod, line.text
        else:
            errors.append(line)
    if len(errors) == len(pods):
        raise errors[0]
    for error in errors:
        note(f"warning: {error.message}")


def _lines(
    client: KubernetesClient, namespace: str, pods: tuple[str, ...], question: LogQuestion
) -> Iterator[PodLine | PointsmanError]:
    if question.follow:
        yield from lines_of_pods(client, namespace, pods, question)
        return
    for pod in pods:
        try:
            yield from pod_lines(client, namespace, pod, question)
        except PointsmanError as error:
            yield error
