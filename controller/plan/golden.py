"""Golden requests: what a version's own URL has to answer before an alias that never served it may lead there."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model.changes import Gate, GoldenCheck
from controller.model.record import FactKind
from controller.plan.confirmation import has_served
from controller.plan.fact_names import owner_and_endpoint, version_url
from controller.plan.switch import Switch
from controller.plan.view import View


def golden_checks(view: View, switch: Switch) -> Iterator[GoldenCheck]:
    """The requests that have not passed yet."""
    for endpoint, workload in sorted(switch.target.items()):
        url = version_url(workload)
        passed = view.fact(FactKind.GOLDEN_PASSED, url, workload.name)
        if workload.golden and not passed and not has_served(view, switch, workload):
            path = view.desired.version_routes[(workload.version, endpoint)].path
            yield GoldenCheck(url, workload.name, path, workload.golden, workload.timeout)


def golden_gate(switch: Switch, checks: tuple[GoldenCheck, ...]) -> Gate:
    """The wait for these requests."""
    words = ", ".join(sorted(owner_and_endpoint(check.subject)[1] for check in checks))
    return Gate(switch.subject, "GoldenRequests", f"golden requests of {words} on the version URL")


def golden_failure(view: View, switch: Switch) -> Gate | None:
    """The answer that was not as expected, if there was one."""
    for workload in switch.target.values():
        failed = view.fact(FactKind.GOLDEN_FAILED, version_url(workload), workload.name)
        if failed and not has_served(view, switch, workload):
            text = f"{switch.title} failed: golden request of {workload.endpoint}: {failed.detail}"
            return Gate(switch.subject, "GoldenFailed", text)
    return None
