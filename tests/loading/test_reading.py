"""Single steps of loading: text and place of scalars, inheritance, golden requests, explained values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from declared_trees import files_of, snapshot

from controller.loading.documents import parse
from controller.loading.durations import seconds
from controller.loading.explain import explain
from controller.loading.forms import FormField, encode
from controller.loading.loader import load
from controller.loading.nodes import Scalar, find, plain
from controller.loading.schema import is_valid_version, validate
from controller.model.declared import EndpointSettings, Scale, SecretRef
from controller.model.diagnostics import Subject
from controller.model.source import VersionSource

pytestmark = pytest.mark.pure

PROJECT = "pointsman/project.yaml"
VERSION = "pointsman/versions/20181002.0.yaml"
DEPLOYMENT = "pointsman/deployments/americas/deployment.yaml"
GOLDEN = "code/golden/predict-digit/seven.yaml"
HEADER = b"format: 1\nowner: ruksi\nname: mnist\n"


def settings_of(**files: bytes) -> EndpointSettings:
    paths = {"project": PROJECT, "version": VERSION, "deployment": DEPLOYMENT}
    given = {**files_of("valid-base"), **{paths[name]: data for name, data in files.items()}}
    state = load(snapshot(given))
    assert not state.diagnostics
    return state.deployments["americas"].versions["20181002.0"].settings["predict-digit"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("1.5", 1.5),
        ("true", True),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("0777", "0777"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("2018-10-02", "2018-10-02"),
        ('"1"', "1"),
        ('"null"', "null"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_only_what_every_yaml_reads_alike_is_a_number_or_switch(written: str, value: object) -> None:
    assert plain(find(parse(f"a: {written}\n".encode()).root, "a")) == value


@pytest.mark.parametrize("text", ["20181002.10", "0777", "1e3", "yes", "12:30:45", "1234567890" * 4])
def test_the_text_of_a_scalar_stays(text: str) -> None:
    node = find(parse(f"a: {text}".encode()).root, "a")
    assert isinstance(node, Scalar)
    assert (node.text, node.line, node.column) == (text, 1, 4)


def test_equal_bytes_are_parsed_once() -> None:
    assert parse(b"a: [1, 2]\n") is parse(bytes(bytearray(b"a: [1, 2]\n")))
    assert validate("alias", b"version: a\n") is validate("alias", bytes(bytearray(b"version: a\n")))


@pytest.mark.parametrize(("text", "length"), [("90s", 90), ("10m", 600), ("24h", 86400), ("1h30m", 5400), ("0s", 0)])
def test_durations(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "10", "m", "1.5h", "-1s", "10 m"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


def test_defaults_of_what_nobody_says() -> None:
    assert settings_of() == EndpointSettings()


def test_levels_merge_key_by_key_and_null_removes() -> None:
    settings = settings_of(
        project=HEADER
        + b"defaults: {environment: {A: 1, B: 1, C: 1}, endpoints: {predict-digit: {scale: {min: 2}, timeout: 5s}}}\n",
        deployment=b"environment: {B: 2, C: ~, T: {secret: api, key: token}}\n"
        b"endpoints: {predict-digit: {scale: {max: 4}, timeout: null}}\n",
        version=b"files: {predict-digit: {model: {path: models/mnist.npz}}}\nenvironment: {A: 'null', D: yes}\n",
    )
    assert settings.scale == Scale(2, 4)
    assert settings.timeout == 60
    assert settings.environment == {"A": "null", "B": "2", "D": "yes", "T": SecretRef("api", "token")}


def test_an_endpoints_environment_goes_over_the_merged_general_one() -> None:
    settings = settings_of(
        project=HEADER + b"defaults: {endpoints: {predict-digit: {environment: {A: endpoint, B: ~}}}}\n",
        deployment=b"environment: {A: general, B: general, C: general}\n",
    )
    assert settings.environment == {"A": "endpoint", "C": "general"}


def test_a_map_of_endpoints_selects_and_sets() -> None:
    version = b"endpoints: {predict-digit: {timeout: 7s}}\nfiles: {predict-digit: {model: {path: models/mnist.npz}}}\n"
    state = load(snapshot({**files_of("valid-base"), VERSION: version}))
    served = state.deployments["americas"].versions["20181002.0"]
    assert {name: s.timeout for name, s in served.settings.items()} == {"predict-digit": 7}


def test_a_version_knows_its_files_and_requirements() -> None:
    endpoint = load(snapshot(files_of("valid-base"))).versions["20181002.0"].endpoints["predict-digit"]
    assert endpoint.requirements == "numpy==2.3.4\n"
    assert endpoint.files["model"].path == "models/mnist.npz"
    assert endpoint.files["model"].blob


def test_a_golden_form_is_complete_and_the_same_each_time() -> None:
    def request() -> tuple[object, ...]:
        golden = load(snapshot(files_of("valid-base"))).versions["20181002.0"].endpoints["predict-digit"].golden[0]
        return golden.method, golden.json, golden.expects_json, golden.headers["Content-Type"], golden.body

    assert request() == request()
    method, json, expects_json, kind, body = request()
    assert (method, json, expects_json) == ("POST", {"digit": 7}, True)
    boundary = str(kind).partition("boundary=")[2].encode()
    assert isinstance(body, bytes)
    head = b'Content-Disposition: form-data; name="image"; filename="seven.png"\r\nContent-Type: image/png\r\n\r\n'
    assert body == b"--" + boundary + b"\r\n" + head + b"not really a PNG\n\r\n--" + boundary + b"--\r\n"


def test_field_names_cannot_break_out_of_their_header() -> None:
    _, body = encode([FormField('a"\r\nX-Evil: 1', b"")])
    assert b'name="a%22%0D%0AX-Evil: 1"' in body


@pytest.mark.parametrize(
    ("request_text", "method", "body", "kind"),
    [
        ("{json: {a: [1, x]}}", "POST", b'{"a":[1,"x"]}', "application/json"),
        ("{text: hello}", "POST", b"hello", "text/plain; charset=utf-8"),
        ("{file: seven.png, method: PUT}", "PUT", b"not really a PNG\n", "image/png"),
        ("{text: a, headers: {content-type: text/csv}}", "POST", b"a", None),
        ("{path: /?a=1}", "GET", b"", None),
    ],
)
def test_other_bodies(request_text: str, method: str, body: bytes, kind: str | None) -> None:
    files = {**files_of("valid-base"), GOLDEN: f"request: {request_text}\nexpect: {{text: ok}}\n".encode()}
    golden = load(snapshot(files)).versions["20181002.0"].endpoints["predict-digit"].golden[0]
    assert (golden.method, golden.body, golden.headers.get("Content-Type"), golden.text) == (method, body, kind, "ok")


def test_a_version_that_git_does_not_hold_is_held_unless_it_is_run_as_it_is() -> None:
    given = snapshot(files_of("valid-base"))
    source = given.versions["20181002.0"]
    loose = VersionSource(
        source.name, source.text, committed=False, code=source.code, valohai=source.valohai, code_files=source.code_files
    )
    given = type(given)(given.source, given.revision, given.path, given.files, {"20181002.0": loose})
    assert [d.code for d in load(given).diagnostics if d.subject == Subject("version", "20181002.0")] == ["PM312"]
    assert set(load(given, uncommitted=True).versions) == {"20181002.0"}


@pytest.mark.parametrize(("provisional", "committed"), [(True, False), (False, True)])
def test_a_commit_that_a_version_names_is_one_though_git_does_not_hold_its_file_yet(provisional: bool, committed: bool) -> None:
    given = snapshot(files_of("valid-base"))
    loose = replace(given.versions["20181002.0"], commit="c" * 40, provisional=provisional, committed=False)
    found = load(replace(given, versions={"20181002.0": loose}), uncommitted=True).versions["20181002.0"]
    assert found.committed is committed


@pytest.mark.parametrize(
    ("text", "valid"), [(b"{}", True), (b"", False), (b"commit: 1", False), (b"[", False), (b"a: 1", False)]
)
def test_the_first_text_that_counts(text: bytes, valid: bool) -> None:
    assert is_valid_version(text) is valid


def test_each_explained_value_has_its_place_and_no_secret() -> None:
    found = {v.path: (v.value, str(v.location)) for v in explain(snapshot(files_of("valid-full")), "americas")}
    prefix = "versions.20181002.0.endpoints.predict-digit"
    assert found["target"] == ("us-east", f"{DEPLOYMENT}:1:9")
    assert found["aliases.production"][0] == "20181002.0"
    assert found[f"{prefix}.environment.TOKEN"] == ("secret api/token", f"{DEPLOYMENT}:3:22")
    assert found[f"{prefix}.environment.LOG_LEVEL"] == ("yes", f"{DEPLOYMENT}:9:30")
    assert found["versions.20181002.0.endpoints.greet-me.environment.LOG_LEVEL"] == ("info", f"{PROJECT}:6:28")
    assert f"{prefix}.environment.REGION" not in found
    assert found[f"{prefix}.port"] == ("8000", "valohai.yaml:7:11")
    assert found["versions.20181002.0.endpoints.greet-me.timeout"] == ("60s", "(default)")


def test_nothing_is_explained_of_a_deployment_that_is_not_there() -> None:
    assert explain(snapshot(files_of("valid-full")), "asia") == ()
