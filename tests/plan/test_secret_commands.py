"""A missing Secret comes with the command that makes it, on the target that lacks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model.declared import EndpointSettings, SecretRef
from controller.model.desired import TargetProfile
from tests.plan.world import PROFILE, UNIT, World, deployment

pytestmark = pytest.mark.pure
KUBERNETES = replace(PROFILE, kind="kubernetes", gateway_class="traefik.io/gateway-controller")
WITH_TOKEN = EndpointSettings(environment={"TOKEN": SecretRef("api", "token")})

CREATE = f"kubectl create secret generic api -n {UNIT.namespace} --from-file=token=/dev/stdin"


def said(profile: TargetProfile, secrets: dict[str, frozenset[str]], *, guarded: bool = False) -> str:
    made = World()
    made.profile, made.secrets = profile, secrets
    settings = None if guarded else WITH_TOKEN
    made.declare(deployment(["1"], {}, settings, basic_auth="predictors" if guarded else None))
    return next(gate.message for gate in made.plan().gates if gate.reason == "SecretMissing")


@pytest.mark.parametrize(
    ("profile", "secrets", "command"),
    [
        (PROFILE, {}, "(pointsman secret set api token)"),
        (KUBERNETES, {}, f"({CREATE})"),
        (
            KUBERNETES,
            {"api": frozenset({"other"})},
            f"({CREATE} --dry-run=client -o yaml | kubectl patch secret api -n {UNIT.namespace} --patch-file=/dev/stdin)",
        ),
    ],
)
def test_a_missing_key(profile: TargetProfile, secrets: dict[str, frozenset[str]], command: str) -> None:
    assert said(profile, secrets).endswith(command)


def test_missing_users() -> None:
    assert said(PROFILE, {}, guarded=True).endswith("(pointsman secret set-user predictors NAME)")
    create = f"kubectl create secret generic predictors -n {UNIT.namespace} --from-file=.htpasswd=/dev/stdin"
    assert said(KUBERNETES, {}, guarded=True).endswith(f"(htpasswd -ns NAME | {create})")
