"""`pointsman run --config` as operators run it: several repositories and targets, grants, a restart in between."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.configuration.daemon import Daemon, source, started
from tests.system.repository import OWNER, PROJECT, Repository, valohai

pytestmark = pytest.mark.system

OURS = f"{OWNER}/{PROJECT}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "echo")
    made.configure()
    return made


def other(folder: Path, project: str, **settings: object) -> Repository:
    """One more repository, released."""
    made = Repository.create(folder, project)
    made.configure(**settings)
    made.release("1")
    return made


def held(daemon: Daemon, code: str) -> bool:
    return any(f"[{code}]" in line["message"] for line in daemon.log())


def test_two_repositories_are_served_and_a_broken_one_disturbs_neither(tmp_path: Path, repository: Repository) -> None:
    repository.release("1")
    second = other(tmp_path / "second", "second")
    sources = {
        "echo": source(repository.root, OURS),
        "second": source(second.root, f"{OWNER}/second"),
        "gone": source(tmp_path / "nowhere", f"{OWNER}/gone"),
    }
    with started(Daemon.of(tmp_path / "daemon", sources)) as daemon:
        assert daemon.until(lambda: daemon.said("production"))["version"] == "1"
        assert daemon.until(lambda: daemon.said("production", project="second"))["version"] == "1"
        repository.release("2")
        daemon.until(lambda: daemon.said("production").get("version") == "2")
        status, text = daemon.health_answer("/readyz")
        assert status == 200
        assert "source gone: " in text
        assert daemon.health_answer("/healthz") == (200, "ok\n")
        assert daemon.health_answer("/metrics")[0] == 404
        assert daemon.end() == 143


def test_what_is_not_granted_is_held_and_the_rest_goes_on(tmp_path: Path, repository: Repository) -> None:
    repository.release("1")
    repository.configure("elsewhere", target="there")
    stranger = other(tmp_path / "stranger", "stranger")
    sources = {
        "echo": source(repository.root, OURS),
        "stranger": source(stranger.root, f"{OWNER}/something-else"),
    }
    with started(Daemon.of(tmp_path / "daemon", sources, ("here", "there"))) as daemon:
        daemon.until(lambda: daemon.said("production").get("version") == "1")
        daemon.until(lambda: held(daemon, "PM601") and held(daemon, "PM602"))
        assert not daemon.said("1", project="stranger")
        assert not daemon.said("1", deployment="elsewhere", target="there")


def test_a_release_on_a_base_that_is_not_granted_moves_nothing(tmp_path: Path, repository: Repository) -> None:
    repository.release("1")
    granted = source(repository.root, OURS, grants={"projects": [OURS], "baseImages": ["python:3.*"]})
    with started(Daemon.of(tmp_path / "daemon", {"echo": granted})) as daemon:
        daemon.until(lambda: daemon.said("production").get("version") == "1")
        repository.write("valohai.yaml", valohai().replace("python:3.11", "evil.example/base:1"))
        repository.release("2")
        daemon.until(lambda: held(daemon, "PM605"))
        told = next(line["message"] for line in daemon.log() if "[PM605]" in line["message"])
        assert "valohai.yaml:1:" in told
        assert "`evil.example/base:1` is not granted to this source" in told
        assert daemon.said("production")["version"] == "1"


def test_deployments_go_to_the_targets_that_they_name(tmp_path: Path, repository: Repository) -> None:
    repository.configure("elsewhere", target="there")
    repository.release("1")
    sources = {"echo": source(repository.root, OURS)}
    sources["echo"]["grants"]["targets"] = ["*"]
    with started(Daemon.of(tmp_path / "daemon", sources, ("here", "there"))) as daemon:
        daemon.until(lambda: daemon.said("1"))
        daemon.until(lambda: daemon.said("1", deployment="elsewhere", target="there"))
        assert not daemon.said("1", target="there")


def test_only_the_chosen_targets_are_worked_on(tmp_path: Path, repository: Repository) -> None:
    repository.configure("elsewhere", target="there")
    repository.release("1")
    sources = {"echo": source(repository.root, OURS)}
    sources["echo"]["grants"]["targets"] = ["*"]
    with started(Daemon.of(tmp_path / "daemon", sources, ("here", "there")), "--targets", "there") as daemon:
        daemon.until(lambda: daemon.said("1", deployment="elsewhere", target="there"))
        assert not (tmp_path / "daemon" / "state" / "embedded-here").exists()
        assert not held(daemon, "PM604")


def test_killed_and_started_again_it_goes_on_although_git_is_down(tmp_path: Path, repository: Repository) -> None:
    repository.release("1")
    daemon = Daemon.of(tmp_path / "daemon", {"echo": source(repository.root, OURS)})
    with started(daemon):
        before = daemon.until(lambda: daemon.said("production"))
        assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
        repository.root.rename(tmp_path / "away")
        daemon.start()
        after = daemon.until(lambda: daemon.said("production"))
        assert after["version"] == before["version"]
        daemon.until(lambda: "source echo: " in daemon.health_answer("/readyz")[1])
        (tmp_path / "away").rename(repository.root)
        repository.release("2")
        daemon.until(lambda: daemon.said("production").get("version") == "2")


def test_an_unreachable_cluster_does_not_keep_the_others_from_working(tmp_path: Path, repository: Repository) -> None:
    repository.release("1")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: c, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: c}}]\n"
    )
    dead = {
        "kubernetes": {"kubeconfig": str(kubeconfig)},
        "gateway": {"url": "http://127.0.0.1:1"},
        "registry": {"url": "http://127.0.0.1:1/pointsman", "insecure": True},
    }
    daemon = Daemon.of(tmp_path / "daemon", {"echo": source(repository.root, OURS)}, also={"dead": dead})
    with started(daemon):
        daemon.until(lambda: daemon.said("production"))
        daemon.until(lambda: daemon.health_answer("/readyz")[0] == 200)
        assert "target dead: " in daemon.health_answer("/readyz")[1]


def test_check_names_the_contexts_that_there_are(tmp_path: Path, repository: Repository) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("current-context: eu\ncontexts: [{name: eu, context: {cluster: c, user: c}}]\n")
    wrong = {
        "kubernetes": {"kubeconfig": str(kubeconfig), "context": "prod"},
        "gateway": {"url": "http://127.0.0.1:1"},
        "registry": {"url": "http://127.0.0.1:1/pointsman", "insecure": True},
    }
    daemon = Daemon.of(tmp_path / "daemon", {"echo": source(repository.root, OURS)}, also={"us": wrong})
    done = subprocess.run(daemon.command("--check"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"target `us`: kubeconfig {kubeconfig} has no context 'prod'; it has: eu [PM710]" in done.stderr


def test_check_says_which_builder_was_asked_for(tmp_path: Path, repository: Repository) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("current-context: eu\ncontexts: [{name: eu, context: {cluster: c, user: c}}]\n")
    cluster = {
        "kubernetes": {"kubeconfig": str(kubeconfig), "context": "eu"},
        "gateway": {"url": "http://127.0.0.1:1"},
        "registry": {"url": "http://127.0.0.1:1/pointsman", "insecure": True},
    }
    daemon = Daemon.of(tmp_path / "daemon", {"echo": source(repository.root, OURS)}, also={"us": cluster})
    for more, built in (((), False), (("--builder", "docker"), True)):
        done = subprocess.run(daemon.command("--check", *more), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert ("pulled as 127.0.0.1:1/pointsman, built by a Docker Engine, never deleted" in done.stdout) is built


def test_a_second_process_of_the_same_state_is_refused(tmp_path: Path, repository: Repository) -> None:
    with started(Daemon.of(tmp_path / "daemon", {"echo": source(repository.root, OURS)})) as daemon:
        daemon.until(lambda: daemon.health_answer("/healthz")[0] == 200)
        done = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert daemon.process
        assert str(daemon.process.pid) in done.stderr


def test_check_says_what_a_configuration_means_and_which_files_are_missing(tmp_path: Path, repository: Repository) -> None:
    daemon = Daemon.of(tmp_path / "daemon", {"echo": source(repository.root, OURS)}, ("here", "there"))
    done = subprocess.run(daemon.command("--check"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"source echo: file://{repository.root} (default branch) pointsman/ every 1 s; projects {OURS}" in done.stdout
    assert "target here (default): embedded" in done.stdout
    assert not (tmp_path / "daemon" / "state").exists()
    forge = source(repository.root, OURS, repository="https://git.example.com/a.git", credentials={"tokenFile": "missing"})
    wrong = Daemon.of(tmp_path / "wrong", {"forge": forge})
    done = subprocess.run(wrong.command("--check"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "missing cannot be read: No such file or directory [PM708]" in done.stderr
    grants = {"projects": [OURS], "codeRepositories": ["http://git.example.com/code.git"]}
    refused = Daemon.of(tmp_path / "refused", {"echo": source(repository.root, OURS, grants=grants)})
    done = subprocess.run(refused.command("--check"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "source `echo`: the repository URL 'http://git.example.com/code.git' is not allowed [PM709]" in done.stderr
    done = subprocess.run(daemon.command("--targets", "her"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 64
    assert "did you mean `here`?" in done.stderr
