"""Validate, show and plan: they look at the files as they lie there, and write nothing to the repository."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.release.conftest import Project
from tests.images.drawn_secrets import SECRETS

pytestmark = pytest.mark.contract

MODEL = "files: {predict: {model: {path: models/first.bin}}}\n"


def test_a_tree_without_mistakes(project: Project) -> None:
    done = project.run("validate")
    assert (done.code, done.out) == (0, "")
    assert done.err == "9 files, 3 versions, 2 deployments: no mistakes\n"
    assert project.status == ""


def test_all_mistakes_at_once_with_place_code_and_hint(project: Project) -> None:
    project.write("pointsman/deployments/us/aliases/production.yaml", 'version: "v22"\n')
    project.write("pointsman/deployments/eu/deployment.yaml", "idel: {replicas: 1}\n")
    done = project.run("validate")
    assert done.code == 1
    assert (
        "pointsman/deployments/eu/deployment.yaml:1:1: error: unknown key `idel` [PM201]\n  hint: did you mean `idle`?"
        in done.out
    )
    assert "us/aliases/production.yaml:1:10: error:" in done.out
    assert "2 errors" in done.err
    found = project.run("validate", "-o", "json").json["diagnostics"]
    assert {d["code"] for d in found} == {"PM201", "PM301"}
    assert found[0]["line"] == 1


def test_one_mistake_hides_no_other_and_all_files_are_counted(project: Project) -> None:
    project.write("pointsman/deployments/eu/deployment.yaml", "foo: 1\nendpoints: {gret: {timeout: 5s}}\n")
    done = project.run("validate")
    assert "unknown key `foo`" in done.out
    assert "hint: known: access, endpoints, environment, idle, rollout, target\n" in done.out
    assert "did you mean `greet`?" in done.out
    assert done.err == "9 files, 3 versions, 2 deployments: 2 errors\n"


def test_a_version_that_is_not_committed_is_read_and_noted(project: Project) -> None:
    project.write("pointsman/versions/v4.yaml", "files: {predict: {model: {path: models/first.bin}}}\n")
    done = project.run("validate")
    assert done.code == 0
    assert "not committed yet" in done.out
    project.write("pointsman/versions/v4.yaml", "{}\n")
    assert "PM316" in project.run("validate").out


def test_a_secret_in_the_code_is_found_before_the_push(project: Project) -> None:
    token = SECRETS["npm"][1]()
    project.write("settings.py", f"\nTOKEN = '{token}'\n")
    project.write("pointsman/versions/v4.yaml", MODEL)
    project.commit()
    for command in ("validate", "plan"):
        done = project.run(command)
        assert done.code == 0
        place = "settings.py:2: warning: this is an npm token (in the code of version `v4`)"
        assert place in done.out + done.err
        assert "allowSecrets: [settings.py]" in done.out + done.err
        assert token not in done.out + done.err
    allowed = "format: 1\nowner: acme\nname: mnist\ncode: {allowSecrets: [settings.py]}\n"
    project.write("pointsman/project.yaml", allowed)
    for command in ("validate", "plan"):
        done = project.run(command)
        assert "npm token" not in done.out + done.err
    shown = project.run("show", "eu")
    assert "code.allowSecrets" in shown.out
    assert "pointsman/project.yaml:4:23" in shown.out


def test_one_valohai_yaml(project: Project) -> None:
    done = project.run("validate", "valohai.yaml", "-o", "json")
    assert done.code == 0
    assert [e["name"] for e in done.json["endpoints"]] == ["greet", "predict"]
    assert done.err == "2 endpoints: no mistakes\n"
    project.write("valohai.yaml", "- endpoint:\n    name: greet\n    image: x\n")
    broken = project.run("validate", "valohai.yaml")
    assert (broken.code, "PM405" in broken.out) == (1, True)


def test_a_repository_without_a_declared_tree(empty: Project) -> None:
    assert "pointsman init" in empty.run("validate").err
    empty.write("valohai.yaml", "- endpoint:\n    name: greet\n    image: x\n    server-command: y\n")
    done = empty.run("validate")
    assert done.code == 0
    assert "pointsman init" in done.err
    assert done.err.endswith("1 endpoint: no mistakes\n")


def test_code_elsewhere_is_no_mistake_of_this_checkout(project: Project) -> None:
    text = "format: 1\nowner: acme\nname: mnist\ncode: {repository: 'https://git.example.com/code.git'}\n"
    project.write("pointsman/project.yaml", text)
    for name in ("v1", "v2", "v3"):
        (project.path / f"pointsman/versions/{name}.yaml").unlink()
    project.write("pointsman/versions/c1.yaml", f'commit: "{"a" * 40}"\n')
    for deployment, alias in (("eu", "production"), ("eu", "staging"), ("us", "production")):
        project.write(f"pointsman/deployments/{deployment}/aliases/{alias}.yaml", 'version: "c1"\n')
    project.commit()
    done = project.run("validate")
    assert (done.code, "another repository" in done.out) == (0, True), done.out


def test_show_names_the_place_of_every_value(project: Project) -> None:
    project.write("pointsman/deployments/eu/deployment.yaml", "endpoints:\n  predict:\n    timeout: 30s\n")
    rows = {row["key"]: row for row in project.run("show", "eu", "v2", "-o", "json").json}
    timeout = rows["versions.v2.endpoints.predict.timeout"]
    assert timeout["value"] == "30s"
    assert timeout["from"] == "pointsman/deployments/eu/deployment.yaml:3:14"
    assert rows["versions.v2.endpoints.greet.timeout"]["from"] == "(default)"
    assert "did you mean `us`?" in project.run("show", "uss").err
    assert project.run("show", "us", "v3").code == 1


def test_plan_of_what_was_never_served(project: Project) -> None:
    done = project.run("plan", "eu", "--exit-code")
    assert done.code == 2
    assert done.out.startswith("acme/mnist/eu at main@sha1:")
    assert "acme/mnist/us" not in done.out
    assert f"version v1 = {project.head[:10]}\n" in done.out
    assert "empty target" in done.err
    assert project.run("plan").code == 0
    assert project.status == ""


def test_a_commit_is_provisional_where_it_may_still_change(project: Project) -> None:
    assert "(provisional)" not in project.run("version", "list").out
    project.git("switch", "--quiet", "--create", "feature")
    assert f"version v1 = {project.head[:10]} (provisional)" in project.run("plan", "eu").out
    assert project.run("version", "list").out.count("(provisional)") == 3
    project.git("update-ref", "refs/remotes/origin/feature", "HEAD")
    project.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/feature")
    assert "(provisional)" not in project.run("plan", "eu").out


def test_plan_by_a_configuration_whose_target_is_embedded_names_the_other_ways(project: Project, tmp_path: Path) -> None:
    images = {"url": "https://registry.example.com/p"}
    targets = {
        "here": {"default": True, "embedded": {"state": "/srv/here"}},
        "us": {"kubernetes": {}, "gateway": {"url": "https://ml.example.com"}, "registry": images},
    }
    sources = {"one": {"repository": str(tmp_path), "grants": {"projects": ["a/b"]}}}
    config = tmp_path / "controller.yaml"
    config.write_text(json.dumps({"format": 1, "sources": sources, "targets": targets}))
    done = project.run("plan", "--config", str(config))
    assert done.code == 1
    assert "error: target `here` is embedded in its controller, and --config is for Kubernetes targets\n" in done.err
    assert "hint: pointsman plan --state /srv/here, or --target with one of: us\n" in done.err


def test_plan_of_a_directory_that_declares_nothing(project: Project) -> None:
    shutil.rmtree(project.path / "pointsman")
    done = project.run("plan")
    assert done.code == 1
    assert "has no declared tree, so there is nothing to plan: pointsman up serves it as it lies there" in done.err
    assert "hint: " in done.err


def test_plan_as_json_and_markdown(project: Project) -> None:
    document = project.run("plan", "-o", "json").json
    assert [p["unit"] for p in document["plans"]] == ["acme/mnist/eu", "acme/mnist/us"]
    assert {v["name"]: v["provisional"] for v in document["versions"]} == {"v1": False, "v2": False, "v3": False}
    again = project.run("plan", "-o", "json").json
    assert [p["fingerprint"] for p in again["plans"]] == [p["fingerprint"] for p in document["plans"]]
    markdown = project.run("plan", "us", "-o", "markdown").out
    assert markdown.startswith("### acme/mnist/us: ")
    assert "| `v1` |" in markdown


def test_plan_holds_what_has_a_mistake_and_goes_on_with_the_rest(project: Project) -> None:
    project.write("pointsman/deployments/eu/deployment.yaml", "idel: 1\n")
    done = project.run("plan", "-o", "json")
    assert done.code == 1
    plans = {p["unit"]: p for p in json.loads(done.out)["plans"]}
    assert plans["acme/mnist/eu"]["holds"]
    assert plans["acme/mnist/eu"]["changes"] == []
    assert plans["acme/mnist/us"]["changes"]
    assert "did you mean `us`?" in project.run("plan", "uss").err
