"""Whether a gateway took in a route. Whether it serves it only the data plane can say."""

from __future__ import annotations

from controller.model.conditions import Assessment, Health
from controller.model.objects import Object, at

_NEEDED = ("Accepted", "ResolvedRefs")


def route_accepted(route: Object, controller: str | None = None) -> Assessment:
    """Healthy once one parent has accepted this generation of an HTTPRoute and resolved its references.

    Parents are answered by different controllers, and some write entries for Gateways that are not theirs: only those of
    `controller` count where it is known, and one good answer is enough. A refusal counts only at the current
    generation; an older one is about an older route.
    """
    parents = at(route, "status", "parents", default=())
    answers = [_judge(p, route) for p in parents if controller in (None, p.get("controllerName", controller))]
    for wanted in (Health.HEALTHY, Health.DEGRADED):
        for answer in answers:
            if answer.health is wanted:
                return answer
    return answers[0] if answers else Assessment(Health.PROGRESSING, "no gateway has answered for this route yet")


def _judge(parent: Object, route: Object) -> Assessment:
    generation = at(route, "metadata", "generation", default=0)
    conditions = {c["type"]: c for c in at(parent, "conditions", default=())}
    current = {name: c for name, c in conditions.items() if c.get("observedGeneration", 0) >= generation}
    for name in _NEEDED:
        if name in current and current[name].get("status") == "False":
            return Assessment(Health.DEGRADED, _words(current[name]))
    if at(current, "PartiallyInvalid", "status") == "True":
        return Assessment(Health.DEGRADED, _words(current["PartiallyInvalid"]))
    missing = [name for name in _NEEDED if at(current, name, "status") != "True"]
    if missing:
        return Assessment(Health.PROGRESSING, f"the gateway has not said {' and '.join(missing)} of this change yet")
    return Assessment(Health.HEALTHY)


def _words(condition: Object) -> str:
    return ": ".join(part for part in (condition.get("reason"), condition.get("message")) if part)
