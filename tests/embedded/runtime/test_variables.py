from __future__ import annotations

import base64
from pathlib import Path

import pytest

from controller.embedded.runtime.process.places import Places, command_line, process_environment
from controller.embedded.runtime.specification import replica_spec, wanted_replicas
from controller.embedded.runtime.variables import MissingSecret, expand, variables
from controller.model.objects import Object
from controller.model.ports import UnpackedImage
from tests.embedded.runtime.cluster import deployment

pytestmark = pytest.mark.pure

IMAGE = UnpackedImage(Path("/i/code"), Path("/i/own"), Path("/i/packages"))
PLACES = Places(Path("/r/code"), Path("/r/home"), Path("/r/tmp"), Path("/e"), IMAGE)
SHIM = ["python3", "/opt/pointsman/shim.py", "--listen", "8001", "--backend", "8000", "--", "sh", "-c", "serve --listen 8001"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat /valohai/code/model.h5", "cat /r/code/model.h5"),
        ("cd /valohai/code && run", "cd /r/code && run"),
        ("/opt/pointsman/python/bin/uvicorn", "/i/packages/bin/uvicorn"),
        ("/opt/pointsman/shim.py", "/i/own/shim.py"),
        ("/valohai/codes /valohai/code-2 /opt/pointsman.d", "/valohai/codes /valohai/code-2 /opt/pointsman.d"),
    ],
)
def test_the_images_own_directories_lead_to_the_real_ones(text: str, expected: str) -> None:
    assert PLACES.translate(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)/x", "1/x"), ("$$(A)", "$(A)"), ("$(B) $A ${A}", "$(B) $A ${A}"), ("a$$b", "a$b"), ("$", "$")],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_the_shim_is_told_its_ports_and_its_command_keeps_its_own() -> None:
    spec = replica_spec(deployment("web", SHIM, port=8001))
    assert spec.ports == (8001, 8000)
    assert command_line(spec, PLACES, {}, {8001: 20001, 8000: 20002}) == [
        "python3", "/i/own/shim.py", "--host", "127.0.0.1", "--listen", "20001", "--backend", "20002",
        "--", "sh", "-c", "serve --listen 8001",
    ]  # fmt: skip


def test_the_environment_holds_what_was_declared_and_what_an_image_gives() -> None:
    declared = {"PATH": "/mine", "HOME": "/root", "LANG": "fi_FI.UTF-8"}
    found = process_environment(declared, PLACES, {8000: 20001}, port=8000, marker="/r", search_path="/bin")
    assert found == {
        "PATH": "/r/home/.local/bin:/e/bin:/mine:/bin", "HOME": "/r/home", "TMPDIR": "/r/tmp", "LANG": "fi_FI.UTF-8",
        "PYTHONUNBUFFERED": "1", "PORT": "20001", "POINTSMAN_PORTS": "8000:20001", "POINTSMAN_REPLICA": "/r",
    }  # fmt: skip


def reference(**more: object) -> list[Object]:
    return [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token", **more}}}]


def test_secret_values_are_filled_in_and_missing_ones_named() -> None:
    spec = replica_spec(deployment("web", "serve", env=reference()))
    data = {"token": base64.b64encode(b"$(A)").decode()}
    assert variables(spec, lambda _: {"data": data}) == {"TOKEN": "$(A)"}
    with pytest.raises(MissingSecret, match="secret 'api' does not exist"):
        variables(spec, lambda _: None)
    with pytest.raises(MissingSecret, match="secret 'api' has no key 'token'"):
        variables(spec, lambda _: {"data": {"other": ""}})
    assert variables(replica_spec(deployment("web", "serve", env=reference(optional=True))), lambda _: None) == {}


def test_the_number_of_replicas_comes_from_whoever_owns_it() -> None:
    autoscaler = {"spec": {"minReplicas": 3}}
    assert wanted_replicas(deployment("web", "serve", replicas=2), autoscaler) == 2
    assert wanted_replicas(deployment("web", "serve", replicas=0), None) == 0
    assert wanted_replicas(deployment("web", "serve", replicas=None), autoscaler) == 3
    assert wanted_replicas(deployment("web", "serve", replicas=None), None) == 1
