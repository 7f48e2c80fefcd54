"""The command that makes what is missing of a Secret, for the target at hand."""

from __future__ import annotations

from controller.model.declared import USERS_KEY, SecretRef
from controller.plan.view import View


def secret_command(view: View, ref: SecretRef) -> str:
    """For a person to run, with the value on standard input: no shell's history and no list of processes has it.

    A Secret that exists is patched, so that its other keys stay.
    """
    target = view.desired.target
    if target is None or target.kind != "kubernetes":
        embedded = f"set-user {ref.secret} NAME" if ref.key == USERS_KEY else f"set {ref.secret} {ref.key}"
        return f"pointsman secret {embedded}"
    namespace = view.desired.namespace
    made_by = "htpasswd -ns NAME | " if ref.key == USERS_KEY else ""
    create = f"{made_by}kubectl create secret generic {ref.secret} -n {namespace} --from-file={ref.key}=/dev/stdin"
    if ref.secret not in view.observed.secrets:
        return create
    patch = f"kubectl patch secret {ref.secret} -n {namespace} --patch-file=/dev/stdin"
    return f"{create} --dry-run=client -o yaml | {patch}"
