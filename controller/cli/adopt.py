"""`pointsman adopt`: make somebody else's object, which lies under one of our names, a deployment's own."""

from __future__ import annotations

import click

from controller.cli.asking import confirm, yes_options
from controller.cli.output import note
from controller.cli.reach.opening import Reached, reach
from controller.cli.reach.options import Where, where_options
from controller.cli.records_of import units_of
from controller.cli.selection import complete_deployments
from controller.loading.schema_problems import did_you_mean
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import APPLY_ORDER, Object, annotation, at

_KINDS = tuple(kind for kind in APPLY_ORDER if kind != "Namespace")
_FORM = "KIND/NAMESPACE/NAME, as the conflict names it: Service/acme-shop-0f3a91/say-v1-0123456789"


@click.command()
@click.argument("object_name", metavar="KIND/NAMESPACE/NAME")
@click.option(
    "-d", "--deployment", metavar="D", required=True, shell_complete=complete_deployments, help="The deployment that gets it."
)
@yes_options
@where_options
def adopt(*, object_name: str, deployment: str, yes: bool, dry_run: bool, where: Where) -> None:
    r"""Give an object that is not Pointsman's to a deployment.

    The way out of a conflict. The object is marked as the deployment's; the controller's next pass writes over it what git
    says, and removes it when it is no longer declared. Fields that git says nothing of stay.

    \b
    Examples:
      pointsman adopt Service/acme-shop-0f3a91/say-v1-0123456789 -d americas --dry-run
      pointsman adopt HTTPRoute/acme-shop-0f3a91/say-production-0123456789 -d americas --context admin@us-east
    """
    key = parsed(object_name)
    with reach(where) as reached:
        unit, namespace = _unit(reached, deployment)
        found = reached.client.get(key)
        if found is None:
            raise Stalled(f"there is no {key} on target {reached.name}", hint="pointsman plan names conflicts")
        refuse(found, unit, namespace)
        marked = mark(found, unit)
        reached.client.apply(marked, dry_run=True)
        _show(found, marked)
        if dry_run:
            return
        confirm(f"Give {key} to {unit}? The controller then writes over it what git says.", yes=yes)
        reached.client.apply(marked)
    click.echo(f"{key} belongs to {unit}")


def parsed(text: str) -> ObjectKey:
    """The key of an object that may be adopted. Raises UsageError for anything else."""
    try:
        key = ObjectKey.parse(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no object: write {_FORM}") from None
    if key.kind not in _KINDS:
        raise click.UsageError(f"{key.kind!r} is nothing that Pointsman writes: {did_you_mean(key.kind, _KINDS)}")
    return key


def refuse(obj: Object, unit: UnitKey, namespace: str) -> None:
    """PURE: raise Stalled for what cannot become this unit's."""
    meta, owner = obj["metadata"], annotation(obj, labels.UNIT_NAME)
    if meta["namespace"] != namespace:
        raise Stalled(f"{unit} lies in namespace {namespace}, not in {meta['namespace']}", hint="choose another deployment: -d")
    if owner == str(unit):
        raise Stalled(f"it belongs to {unit} already", hint="pointsman status")
    if owner:
        raise Stalled(f"it belongs to {owner}", hint=f"pointsman forget {owner}, if nobody looks after that any more")
    selector = at(obj, "spec", "selector", "matchLabels", default={})
    if obj["kind"] == "Deployment" and selector != {labels.WORKLOAD: meta["name"]}:
        way_out = f"kubectl delete deployment -n {namespace} {meta['name']}"
        raise Stalled("its selector is not what a workload needs, and Kubernetes lets nobody change it", hint=way_out)


def mark(obj: Object, unit: UnitKey) -> Object:
    """PURE: what makes an object the unit's, to be applied only to exactly this state of it."""
    meta = obj["metadata"]
    identity = {name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion") if name in meta}
    ours = {labels.MANAGED_BY: labels.FIELD_MANAGER, labels.UNIT: unit.hash}
    said = {labels.UNIT_NAME: str(unit)}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {**identity, "labels": ours, "annotations": said},
    }


def _unit(reached: Reached, deployment: str) -> tuple[UnitKey, str]:
    """By its record, else by the declared project here: a conflict may have kept the unit from ever being recorded."""
    if reached.project and "/" not in deployment:
        unit = UnitKey(*reached.project, deployment)
        recorded = [each for each in units_of(reached, None) if each.unit == unit]
        return (unit, recorded[0].namespace) if recorded else (unit, unit.namespace)
    found = units_of(reached, deployment)
    if len(found) > 1:
        raise Stalled(f"{len(found)} projects have a deployment `{deployment}`", hint=f"name one: -d {found[0].unit}")
    return found[0].unit, found[0].namespace


def _show(obj: Object, marked: Object) -> None:
    """What is written now, and who has written the rest so far."""
    for part in ("labels", "annotations"):
        for name, value in marked["metadata"][part].items():
            old = at(obj, "metadata", part, name)
            click.echo(f"~ metadata.{part}.{name}: {old or '(none)'} -> {value}")
    writers = {entry.get("manager", "?") for entry in at(obj, "metadata", "managedFields", default=[])}
    if writers:
        note(f"written so far by {', '.join(sorted(writers))}; what git says will be written over it")
