"""Why an endpoint does not serve, in words, from what its Deployment and Pods say."""

from __future__ import annotations

import asyncio

from controller.embedded.gateway.answers import Answer
from controller.embedded.gateway.route import CompiledRoute, ServiceName
from controller.health.deployment import assess_deployment
from controller.health.pod import explain_pods
from controller.model import labels
from controller.model.errors import PointsmanError
from controller.model.identity import ObjectKey
from controller.model.objects import at
from controller.model.ports import ClusterClient

_RETRY_AFTER = ((b"Retry-After", b"2"),)
_RETRY_PARKED = ((b"Retry-After", b"60"),)


class Unready:
    """Reads the store only when it has to explain something, and never on the gateway's loop."""

    def __init__(self, store: ClusterClient) -> None:
        self._store = store

    async def explain(self, route: CompiledRoute, service: ServiceName) -> Answer:
        """The 503 of an endpoint without a ready replica."""
        return await asyncio.to_thread(self._explain, route, service)

    def _explain(self, route: CompiledRoute, service: ServiceName) -> Answer:
        what = route.marks.get(labels.ENDPOINT, "the endpoint")
        try:
            deployment = self._store.get(ObjectKey("Deployment", *service))
            pods = self._store.list("Pod", namespace=service[0], labels={labels.WORKLOAD: service[1]}).items
        except PointsmanError as error:
            return _not_ready(f"{what} has no ready replica ({error.message}).")
        if deployment is None:
            return _not_ready(f"{what} is not there yet: nothing runs it.")
        if at(deployment, "spec", "replicas", default=1) == 0:
            return _parked(route, what)
        return _not_ready(
            f"{what} has no ready replica: {explain_pods(pods) or assess_deployment(deployment).message or 'starting'}."
        )


def _not_ready(message: str) -> Answer:
    return Answer(503, "NotReady", message, headers=_RETRY_AFTER)


def _parked(route: CompiledRoute, what: str) -> Answer:
    version = route.marks.get(labels.VERSION, "this version")
    if labels.ALIAS in route.marks:
        return Answer(503, "ScaledToZero", f"{what} of {version} has no replicas at the moment.", headers=_RETRY_AFTER)
    message = (
        f"{what} of {version} does not run: no alias leads to {version} and the deployment keeps idle versions at 0 replicas."
    )
    hint = "`idle: {replicas: 0}` in the deployment's file says so; 1 keeps idle versions running"
    return Answer(503, "ScaledToZero", message, hint, headers=_RETRY_PARKED)
