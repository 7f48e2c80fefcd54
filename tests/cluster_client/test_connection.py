"""Who the caller is, however that was written down, and that nobody else learns it."""

from __future__ import annotations

import json
import socket
import stat
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import Connection, connect
from controller.cluster.credentials import Access
from controller.model.errors import PointsmanError, Stalled, Unavailable
from controller.model.identity import ObjectKey

from .conftest import TOKEN, Write
from .scripted import Scripted, answer, status

pytestmark = pytest.mark.contract

KEY = ObjectKey("Namespace", "", "home")
FOUND = answer({"kind": "Namespace", "metadata": {"name": "home"}})


def ask(connection: Connection) -> None:
    client = KubernetesClient(connection)
    client.get(KEY)


def sent(server: Scripted) -> list[str | None]:
    return [asked.headers.get("Authorization") for asked in server.asked]


def plugin(tmp_path: Path, credentials: str, name: str = "login") -> str:
    """A credential plug-in that counts its runs in a file and puts the count in for `%`."""
    path = tmp_path / name
    path.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"count = pathlib.Path({str(tmp_path / 'runs')!r})\n"
        "runs = len(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text('x' * runs)\n"
        f"status = {credentials!r}.replace('%', str(runs))\n"
        'print(\'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": \' + status + "}")\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def exec_user(command: str) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}}


def test_a_token_is_sent(server: Scripted, write_kubeconfig: Write) -> None:
    server.always = FOUND
    connection = connect(kubeconfig=write_kubeconfig())
    ask(connection)
    assert sent(server) == [f"Bearer {TOKEN}"]
    assert (connection.context_name, connection.server) == ("home", server.url)
    connection.close()


def test_a_pods_own_token_is_sent_and_read_again(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_kubeconfig: Write
) -> None:
    """The address is https there, so the plain server of this test is put in its place."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("not read before a handshake")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    monkeypatch.setattr("kubernetes.config.incluster_config._join_host_port", lambda _host, _port: "unused")
    write_kubeconfig()
    from controller.cluster import connection as module
    from controller.cluster.credentials import from_service_account

    def plain(directory: Path) -> Any:
        access = from_service_account(directory)
        access.configuration.host, access.configuration.ssl_ca_cert = server.url, None
        return access

    monkeypatch.setattr(module, "from_service_account", plain)
    connection = connect(in_cluster=True, service_account=tmp_path)
    server.script += [FOUND, status(401, "Unauthorized"), FOUND]
    ask(connection)
    (tmp_path / "token").write_text("second")
    ask(connection)
    assert [text.lower() for text in sent(server) if text] == ["bearer first", "bearer first", "bearer second"]
    assert connection.context_name == "in-cluster"
    connection.close()


def test_outside_a_pod_there_is_no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Stalled, match="no ServiceAccount"):
        connect(in_cluster=True, service_account=tmp_path)


def test_a_refused_plug_in_token_is_renewed_once(server: Scripted, tmp_path: Path, write_kubeconfig: Write) -> None:
    command = plugin(tmp_path, '{"token": "t%"}')
    server.script += [FOUND, status(401, "Unauthorized"), FOUND, FOUND]
    connection = connect(kubeconfig=write_kubeconfig(user=exec_user(command)))
    for _ in range(3):
        ask(connection)
    assert sent(server) == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]
    connection.close()


def test_a_refusal_that_stays_needs_a_person(server: Scripted, write_kubeconfig: Write) -> None:
    server.always = status(401, "Unauthorized")
    connection = connect(kubeconfig=write_kubeconfig())
    with pytest.raises(Stalled, match="does not accept the credentials"):
        ask(connection)
    assert len(server.asked) == 2
    connection.close()


def test_a_plug_in_is_not_asked_again_while_its_token_lives(server: Scripted, tmp_path: Path, write_kubeconfig: Write) -> None:
    expires = (datetime.now(UTC) + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    command = plugin(tmp_path, json.dumps({"token": "t%", "expirationTimestamp": expires}))
    server.always = FOUND
    connection = connect(kubeconfig=write_kubeconfig(user=exec_user(command)))
    for _ in range(3):
        ask(connection)
    assert sent(server) == ["Bearer t1"] * 3
    connection.close()


def test_only_allowed_plug_ins_run(server: Scripted, tmp_path: Path, write_kubeconfig: Write) -> None:
    command = plugin(tmp_path, '{"token": "t%"}')
    config = write_kubeconfig(user=exec_user(command))
    with pytest.raises(Stalled, match="does not allow") as caught:
        connect(kubeconfig=config, allow_exec=["aws", "login"])
    assert "allowExec" in str(caught.value.hint)
    assert not (tmp_path / "runs").exists()
    connect(kubeconfig=config, allow_exec=[command]).close()
    assert (tmp_path / "runs").exists()


def test_the_old_way_to_run_a_command_is_guarded_too(write_kubeconfig: Write) -> None:
    user = {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/echo", "cmd-args": "x"}}}
    with pytest.raises(Stalled, match="does not allow"):
        connect(kubeconfig=write_kubeconfig(user=user), allow_exec=[])


@pytest.mark.parametrize("credentials", ['{"expirationTimestamp": null}', "{}", "not JSON"])
def test_a_plug_in_without_credentials_is_an_error(tmp_path: Path, write_kubeconfig: Write, credentials: str) -> None:
    command = plugin(tmp_path, credentials)
    with pytest.raises(Unavailable, match="credential plug-in"):
        connect(kubeconfig=write_kubeconfig(user=exec_user(command)))


def test_a_plug_in_that_is_not_there_is_named(write_kubeconfig: Write) -> None:
    with pytest.raises(Unavailable, match="no-such-login"):
        connect(kubeconfig=write_kubeconfig(user=exec_user("no-such-login")))


def test_who_is_impersonated_is_said(server: Scripted, write_kubeconfig: Write) -> None:
    server.always = FOUND
    user = {"token": TOKEN, "as": "ann", "as-groups": ["ops"], "as-user-extra": {"reason": ["drill"]}}
    connection = connect(kubeconfig=write_kubeconfig(user=user))
    ask(connection)
    headers = server.asked[0].headers
    assert headers["Impersonate-User"] == "ann"
    assert headers["Impersonate-Group"] == "ops"
    assert headers["Impersonate-Extra-reason"] == "drill"
    connection.close()


def test_the_first_of_several_files_chooses_the_context(write_kubeconfig: Write) -> None:
    first, second = write_kubeconfig("one", context="first"), write_kubeconfig("two", context="second")
    both = Path(f"{first}:{second}")
    for chosen, expected in ((None, "first"), ("second", "second")):
        connection = connect(kubeconfig=both, context=chosen)
        assert connection.context_name == expected
        connection.close()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match=r"there is no kubeconfig .*nowhere"):
        connect(kubeconfig=tmp_path / "nowhere")


def test_a_missing_context_is_named(write_kubeconfig: Write) -> None:
    both = Path(f"{write_kubeconfig('one', context='us-east')}:{write_kubeconfig('two', context='eu-west')}")
    with pytest.raises(Stalled, match=r"has no context 'us-eats'; it has: us-east, eu-west$") as raised:
        connect(kubeconfig=both, context="us-eats")
    assert raised.value.hint == "did you mean `us-east`?"


_COMPLETE = (
    "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: a}}]\nclusters: [{name: c, cluster: {server: x}}]\n"
)


@pytest.mark.parametrize(
    "text",
    [
        "users: [{name: a, user: {token: " + TOKEN,
        "",
        "[]",
        "just text",
        "current-context: a\nusers: [{name: a, user: {token: " + TOKEN + "}}]\nclusters: []\ncontexts: []",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: a}}]\nclusters: [{name: c}]\n"
        "users: [{name: a, user: {token: " + TOKEN + "}}]",
        _COMPLETE + "users: [{user: {token: " + TOKEN + "}}]",
        _COMPLETE + 'users: [{name: a, user: {token: "' + TOKEN + '\\nx"}}]',
    ],
)
def test_a_broken_file_is_refused_without_a_word_of_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(Stalled) as caught:
        connect(kubeconfig=tmp_path / "config")
    assert TOKEN not in f"{caught.value} {caught.value.hint}"


def test_no_error_of_a_request_contains_the_token(server: Scripted, write_kubeconfig: Write) -> None:
    connection = connect(kubeconfig=write_kubeconfig())
    server.always = status(403, "no")
    with pytest.raises(PointsmanError) as refused:
        ask(connection)
    server.shutdown()
    server.server_close()
    connection.close()
    with pytest.raises(PointsmanError) as unreachable:
        ask(connection)
    assert TOKEN not in f"{refused.value} {unreachable.value} {refused.value.hint} {connection!r}"


def test_a_server_that_is_not_there_is_told_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        configuration = Configuration()
        configuration.host = f"https://127.0.0.1:{port}"
        connection = Connection(lambda: Access("test", configuration, None))
        with closing(connection), pytest.raises(Unavailable) as caught:
            connection.send("GET", "/version", read_timeout=5.0)
    assert caught.value.message == f"https://127.0.0.1:{port} does not answer: Connection refused"
