"""The command that makes what is missing of a Secret, for the target at hand."""

from __future__ import annotations

from controller.model.declared import USERS_KEY, SecretRef
from controller.plan.view import View


def secret_command(view: View, ref: SecretRef) -> str:
    """For a person to complete and run: it holds no value."""
    target = view.desired.target
    if target is None or target.kind != "kubernetes":
        embedded = f"set-user {ref.secret} NAME" if ref.key == USERS_KEY else f"set {ref.secret} {ref.key}"
        return f"pointsman secret {embedded}"
    namespace = view.desired.namespace
    if ref.secret in view.observed.secrets:
        patch = f"""'{{"stringData":{{"{ref.key}":"VALUE"}}}}'"""
        return f"kubectl patch secret {ref.secret} -n {namespace} -p {patch}"
    create = f"kubectl create secret generic {ref.secret} -n {namespace}"
    if ref.key == USERS_KEY:
        return f"htpasswd -cs .htpasswd NAME && {create} --from-file=.htpasswd"
    return f"{create} --from-literal={ref.key}=VALUE"
