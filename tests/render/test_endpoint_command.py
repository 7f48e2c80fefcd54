"""How an endpoint is started."""

from __future__ import annotations

import re
import shlex

import pytest
from declared_examples import EMBEDDED, GREET, KUBERNETES, PREDICT, PREDICT_SETTINGS, declared, only_workload
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.model.declared import EndpointDefinition, EndpointSettings
from controller.render.command import endpoint_command, needs_shim
from controller.render.environment import literal
from controller.render.images import image_spec

pytestmark = pytest.mark.pure


def command(text: str, port: int = 8000) -> EndpointDefinition:
    return EndpointDefinition("greet-me", "python:3.11", command=text, port=port)


@pytest.mark.parametrize(
    "text",
    ["python -m wsgiref.simple_server", "python3 -m wsgiref.simple_server", "  python -m wsgiref.simple_server\n"],
)
def test_the_server_that_answers_once_runs_under_the_shim(text: str) -> None:
    found = endpoint_command(command(text), in_container=False)
    listen = ("python3", "/opt/pointsman/shim.py", "--listen", "8001", "--backend", "8000", "--", "sh", "-c")
    assert found.arguments == (*listen, f"exec {text.strip()}")
    assert (found.port, found.shim) == (8001, True)


@pytest.mark.parametrize(
    "text",
    [
        "python -m wsgiref.simple_server 9000",
        "cd src && python -m wsgiref.simple_server",
        "python -m wsgiref.simple_serverx",
        "PYTHONPATH=. python -m wsgiref.simple_server",
        "python  -m wsgiref.simple_server",
    ],
)
def test_nothing_else_does(text: str) -> None:
    assert not needs_shim(command(text))


def test_the_shim_never_takes_the_port_that_the_command_binds() -> None:
    for port in (7999, 8000, 8001, 65535):
        assert endpoint_command(command("python -m wsgiref.simple_server", port), in_container=True).port != 8000


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("uvicorn predict:app --port 8000", "exec uvicorn predict:app --port 8000"),
        ("~/.local/bin/uvicorn predict:app\n", "exec ~/.local/bin/uvicorn predict:app"),
        ("streamlit run app.py --server.baseUrlPath=$VH_DEFAULT_PREFIX", None),
        ('python server.py "a b"', None),
        ("uvicorn \\\n  predict:app", None),
    ],
)
def test_a_single_program_replaces_the_shell(written: str, run: str | None) -> None:
    assert endpoint_command(command(written), in_container=False).text == (run or f"exec {written}")


@pytest.mark.parametrize(
    "written",
    [
        "cd src && python server.py",
        "export A=1; python server.py",
        "A=1 python server.py",
        "python a.py & python b.py",
        "python server.py | tee log",
        "if true; then python server.py; fi",
        "for",
        ". ./env.sh",
        "! python server.py",
        "python a.py\npython b.py",
        "python $(cat name)",
        "(python server.py)",
        "",
    ],
)
def test_anything_that_the_shell_must_do_stays_as_written(written: str) -> None:
    assert endpoint_command(command(written), in_container=False).text == written


def test_a_wsgi_application_gets_a_server_on_its_port() -> None:
    found = endpoint_command(EndpointDefinition("p", "i", wsgi="package.app", port=5000), in_container=False)
    words = shlex.split(found.text)
    assert words[:4] == ["exec", "python3", "-m", "gunicorn"]
    assert words[-1] == "package.app:application"
    assert "0.0.0.0:5000" in words
    assert found.port == 5000
    assert "/dev/shm" not in found.text


def test_a_wsgi_callable_is_one_word_whatever_it_holds() -> None:
    found = endpoint_command(EndpointDefinition("p", "i", wsgi="app:make('a b'); reboot"), in_container=True)
    assert shlex.split(found.text)[-1] == "app:make('a b'); reboot"
    assert "--worker-tmp-dir /dev/shm" in found.text


def test_a_container_finds_the_packages_of_its_image_and_a_process_needs_no_help() -> None:
    in_container = only_workload(PREDICT, PREDICT_SETTINGS).deployment["spec"]["template"]["spec"]["containers"][0]
    assert in_container["command"][:2] == ["sh", "-c"]
    assert in_container["command"][2].startswith('export PATH="$HOME/.local/bin:/opt/pointsman/python/bin:$PATH"')
    assert {"name": "PORT", "value": "8000"} in in_container["env"]
    as_process = only_workload(PREDICT, PREDICT_SETTINGS, EMBEDDED).deployment["spec"]["template"]["spec"]["containers"][0]
    assert as_process["command"][2].startswith("exec python3 -m gunicorn")
    assert [v["name"] for v in as_process["env"]] == ["EMPTY", "LOG_LEVEL", "TOKEN", "VH_DEFAULT_PREFIX"]


def test_the_image_starts_as_its_containers_do() -> None:
    greet = only_workload(GREET, EndpointSettings())
    assert shlex.split(greet.spec.command) == greet.deployment["spec"]["template"]["spec"]["containers"][0]["command"]
    assert greet.spec.port == greet.port == 8001
    assert greet.spec.shim


def test_an_image_has_the_targets_base_where_it_names_one() -> None:
    state = declared()
    version = state.versions["20181002.0"]
    spec = image_spec(state, version, "predict-digit", EMBEDDED)
    assert spec.base == "host:cpython-3.11-linux-x86_64"
    assert spec.repository == "pointsman.local/ruksi/mnist"
    assert list(spec.files) == ["model.npz"]
    assert image_spec(state, version, "predict-digit", KUBERNETES).base == "python:3.11"


def expanded(text: str) -> str:
    """What kubelet makes of a text without any variable defined (k8s.io/kubernetes third_party/forked/golang/expansion)."""
    pattern = re.compile(r"\$(\$|\([^)]*\))")
    return pattern.sub(lambda m: "$" if m[1] == "$" else m[0].upper(), text)


@settings(deadline=None)
@given(st.text("$() AB", max_size=12))
def test_a_target_passes_text_on_as_it_was_written(text: str) -> None:
    assert expanded(literal(text)) == text
