"""Which base images a project may build on: by complete names, and never another project's without a word for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.images.registry.granted_bases import BaseGrants
from controller.model.patterns import matches

pytestmark = pytest.mark.pure

DIGEST = "sha256:" + "0" * 64
OURS = (("http://10.0.0.5:5000/pointsman", "registry.internal:5000/pointsman"),)
MIRRORS = {"docker.io": "http://10.0.0.5:5000", "quay.io": "http://10.0.0.5:5000/pointsman"}
PROJECT = "ruksi/mnist"


@pytest.mark.parametrize(
    ("pattern", "base", "granted"),
    [
        ("python", "python", True),
        ("python", "python:3.11", True),
        ("python", "docker.io/library/python:3.11", True),
        ("python", f"python@{DIGEST}", True),
        ("python", f"index.docker.io/python:3.11-slim@{DIGEST}", True),
        ("python", "pythons:3.11", False),
        ("python", "evil/python:3.11", False),
        ("python", "registry.example.com/library/python:3.11", False),
        ("python", "docker.io.evil.example/library/python", False),
        ("docker.io/library/python", "python:3.11", True),
        ("python:*", "python:3.11", True),
        ("python:3.*", "docker.io/python:3.11", True),
        ("python:3.*", f"python:3.11@{DIGEST}", True),
        ("python:3.*", "python:2.7", False),
        ("python:3.*", "python", False),
        ("python:3.*", f"python@{DIGEST}", False),
        ("python:latest", "python", True),
        (f"python@{DIGEST}", f"python:3.11@{DIGEST}", True),
        (f"python@{DIGEST}", "python:3.11", False),
        ("docker.io/*", "tensorflow/tensorflow:2.1.0-py3", True),
        ("docker.io/*", "python:3.11", True),
        ("docker.io/*", "quay.io/team/base", False),
        ("tensorflow/*", "tensorflow/tensorflow:2.1.0-py3", True),
        ("tensorflow/*", "tensorflow:2", False),
        ("registry.example.com/team/*", "registry.example.com/team/a/b:1", True),
        ("registry.example.com/team/*", "Registry.Example.com/team/a:1", True),
        ("registry.example.com/team/*", "registry.example.com/teams/a", False),
        ("registry.example.com/team/*", "registry.example.com:5000/team/a", False),
        ("registry.example.com/team/*", "registry.example.com.evil.example/team/a", False),
        ("*.example.com/team/*", "registry.example.com/team/a", True),
        ("*.example.com/team/*", "evil.example/x.example.com/team/a", False),
        ("localhost:5000/base", "localhost:5000/base:1", True),
        ("[::1]:5000/base", "[::1]:5000/base:1", True),
        ("*", "anything.example.com/at/all:1", True),
        ("*", f"python@{DIGEST}", True),
    ],
)
def test_a_pattern_stands_for_complete_names(pattern: str, base: str, granted: bool) -> None:
    assert (BaseGrants((pattern,)).complaint(base, PROJECT) is None) is granted


def test_nothing_written_grants_any_base_and_an_empty_list_none() -> None:
    assert BaseGrants().complaint("evil/base:1", PROJECT) is None
    assert BaseGrants(()).complaint("python:3.11", PROJECT) == "is not granted to this source"


@pytest.mark.parametrize("base", ["python:", "UPPER/case", "a/../b", "python@sha256:00", "", "-/x"])
def test_what_is_no_name_is_granted_by_no_list(base: str) -> None:
    assert "cannot be granted" in (BaseGrants(("*",)).complaint(base, PROJECT) or "")
    assert BaseGrants(None, OURS).complaint(base, PROJECT) is None, "the build says what is wrong with it"


@pytest.mark.parametrize(
    "base",
    [
        "registry.internal:5000/pointsman/other/project:v-1",
        "Registry.Internal:5000/pointsman/other/project:v-1",
        "10.0.0.5:5000/pointsman/other/project:v-1",
        f"10.0.0.5:5000/pointsman/ruksi/mnist2@{DIGEST}",
        "10.0.0.5:5000/pointsman/bases:1",
        "pointsman/other:v-1",
        "docker.io/pointsman/other/project:v-1",
        "quay.io/other/project:v-1",
    ],
)
def test_another_project_s_image_is_no_base_however_it_is_named(base: str) -> None:
    for patterns in (None, (), ("*",), ("*/*",), ("docker.io/*", "quay.io/*"), ("*:5000/*",)):
        complaint = BaseGrants(patterns, OURS, MIRRORS).complaint(base, PROJECT)
        assert complaint == "lies where the controller keeps the images of other projects", patterns


@pytest.mark.parametrize("pattern", ["registry.internal:5000/pointsman/*", "10.0.0.5:5000/*"])
def test_it_is_one_where_that_registry_is_granted_by_name(pattern: str) -> None:
    grants = BaseGrants((pattern,), OURS, MIRRORS)
    for base in ("registry.internal:5000/pointsman/other/project:v-1", "quay.io/other/project:v-1"):
        assert grants.complaint(base, PROJECT) is None


@pytest.mark.parametrize(
    "base",
    [
        "registry.internal:5000/pointsman/ruksi/mnist:v-1",
        "10.0.0.5:5000/pointsman/ruksi/mnist/base:1",
        "registry.internal:5000/pointsman-bases/python:3.11",
        "python:3.11",
        "other.example.com/pointsman/other/project:v-1",
    ],
)
def test_the_project_s_own_images_and_what_lies_elsewhere_are_bases(base: str) -> None:
    assert BaseGrants(None, OURS, MIRRORS).complaint(base, PROJECT) is None


def test_of_a_registry_without_a_path_everything_may_be_a_project_s() -> None:
    grants = BaseGrants(None, (("https://registry.example.com", "registry.example.com"),))
    assert grants.complaint("registry.example.com:443/team/base", PROJECT)
    assert grants.complaint("registry.example.com:0443/team/base", PROJECT)
    assert not grants.complaint("registry.example.com/ruksi/mnist:v-1", PROJECT)


TEXTS = st.text("ab*/:@.", max_size=12)


@given(TEXTS, TEXTS)
def test_no_pattern_and_no_base_make_it_fail(pattern: str, base: str) -> None:
    found = BaseGrants((pattern,), OURS, MIRRORS).complaint(base, PROJECT)
    assert found is None or isinstance(found, str)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_a_star_stands_for_any_characters(pattern: str, text: str) -> None:
    def slowly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(slowly(pattern[1:], text[at:]) for at in range(len(text) + 1))
        return text[:1] == pattern[0] and slowly(pattern[1:], text[1:])

    assert matches(pattern, text) is slowly(pattern, text)


def test_a_pattern_of_stars_ends() -> None:
    assert not matches("*a" * 150 + "*c", "a" * 4000 + "b"), "a backtracking matcher needs years"
