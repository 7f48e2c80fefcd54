"""From a Deployment to the body of the Engine's create request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.embedded.runtime.docker.configuration import configuration
from controller.embedded.runtime.docker.labels import ContainerLabels
from controller.embedded.runtime.docker.listening import advice
from controller.embedded.runtime.docker.mark import EngineMark
from controller.embedded.runtime.docker.users import require_other_than_root
from controller.embedded.runtime.instance import NotStarted
from controller.embedded.runtime.socket_table import listeners
from controller.embedded.runtime.specification import replica_spec
from controller.model.errors import Unavailable
from controller.model.objects import put
from tests.embedded.runtime.cluster import deployment

pytestmark = pytest.mark.pure

COLOR = {"COLOR": "blue"}
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: {address}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1
   1: 0100007F:1F40 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 1235 1
"""


def made(metadata: str | None = None, variables: Mapping[str, str] = COLOR, **container: Any) -> dict[str, Any]:
    declared = deployment("web", ["serve", "$(COLOR)"], image="pointsman.local/a/b@sha256:12")
    whole = {**declared["spec"]["template"]["spec"]["containers"][0], **container}
    spec = replica_spec(put(declared, [whole], "spec", "template", "spec", "containers"))
    return configuration(spec, hostname="web-0-a", labels={}, variables=variables, metadata=metadata)


def test_the_image_is_named_by_its_id_and_the_command_takes_the_place_of_its_entrypoint() -> None:
    found = made()
    assert (found["Image"], found["Entrypoint"], found["Cmd"]) == ("sha256:12", ["serve", "blue"], [])
    assert found["Env"] == ["COLOR=blue"]
    assert found["HostConfig"]["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    assert found["HostConfig"]["RestartPolicy"] == {"Name": "no"}


@pytest.mark.parametrize("stored", [b"a\xffb", b"a\0b"])
def test_a_secret_of_bytes_is_refused_without_a_word_of_it(stored: bytes) -> None:
    value = stored.decode(errors="surrogateescape")
    with pytest.raises(NotStarted, match="variable KEY is no text") as refused:
        made(variables={"KEY": value})
    assert value not in refused.value.message
    assert made(variables={"KEY": "naïve\nlines"})["Env"] == ["KEY=naïve\nlines"]


def test_limits_and_requests_are_the_engines_own() -> None:
    resources = {"limits": {"memory": "1G", "cpu": "1500m", "nvidia.com/gpu": "2"}, "requests": {"cpu": "1m", "memory": "5M"}}
    host = made(resources=resources)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["MemoryReservation"]) == (10**9, 10**9, 5 * 10**6)
    assert (host["CpuPeriod"], host["CpuQuota"], host["CpuShares"]) == (100_000, 150_000, 2)
    assert host["DeviceRequests"] == [{"Count": 2, "Capabilities": [["gpu"]]}]
    assert not {"Memory", "CpuQuota", "CpuShares", "DeviceRequests"} & set(made()["HostConfig"])


def test_a_limit_that_the_kernel_cannot_keep_is_its_least() -> None:
    assert made(resources={"limits": {"cpu": "1m"}})["HostConfig"]["CpuQuota"] == 1000


def test_rights_are_those_of_the_security_context() -> None:
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
    host = made(securityContext=context)["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], ["NET_BIND_SERVICE"], ["no-new-privileges:true"])
    assert made()["HostConfig"]["SecurityOpt"] == []


def test_the_metadata_is_mounted_read_only_from_a_path_that_docker_can_name() -> None:
    assert made("/s/m.json")["HostConfig"]["Binds"] == ["/s/m.json:/valohai/code/valohai-metadata.json:ro,z"]
    with pytest.raises(NotStarted, match="state directory without `:`"):
        made("/a:b/m.json")


@pytest.mark.parametrize(
    ("user", "problem"),
    [
        ("1000", ""),
        ("1000:0", ""),
        ("", "will run as root"),
        ("0", "will run as root"),
        ("root", "will run as root"),
        ("app:app", "non-numeric user (app)"),
    ],
)
def test_only_a_number_but_zero_is_certainly_not_root(user: str, problem: str) -> None:
    if not problem:
        require_other_than_root(user)
        return
    with pytest.raises(NotStarted) as refused:
        require_other_than_root(user)
    assert problem in refused.value.message


def test_a_mark_is_kept_and_a_disk_that_takes_none_is_told(tmp_path: Path) -> None:
    mark = EngineMark(tmp_path / "run")
    assert mark.id() == EngineMark(tmp_path / "run").id() != EngineMark(tmp_path / "other").id()
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"cannot write in .*/file: ") as refused:
        EngineMark(tmp_path / "file").id()
    assert "--state" in (refused.value.hint or "")


def test_labels_say_all_that_the_next_run_must_know() -> None:
    labels = ContainerLabels("ns", "web", "web-0-a", 0, "abc", 1764421200.123456, 3)
    written = labels.write("id", "/state")
    assert ContainerLabels.read(written) == labels
    assert ContainerLabels.read({**written, "pointsman.dev/index": "x"}) is None


@pytest.mark.parametrize(
    ("address", "port", "hint"),
    [
        ("00000000", 8000, ""),
        ("0100007F", 8000, "; it listens on 127.0.0.1 only: 0.0.0.0 lets others in"),
        ("00000000000000000000000001000000", 8000, "; it listens on 127.0.0.1 only: 0.0.0.0 lets others in"),
        ("00000000", 5000, "; it listens on port 5000: `port: 5000` in valohai.yaml would say so"),
    ],
)
def test_what_a_server_that_listens_so_is_told(address: str, port: int, hint: str) -> None:
    table = TABLE.format(address=address, port=port)
    assert advice(list(listeners(table)), replica_spec(deployment("web", "serve"))) == hint
