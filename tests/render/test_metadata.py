"""What an endpoint reads about its own version is the same wherever the version is looked at from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from controller.model.declared import Version
from controller.model.identity import UnitKey
from controller.render.metadata import metadata_text
from tests.render.declared_examples import a_version

pytestmark = pytest.mark.pure


def commit_told(version: Version) -> str:
    text = metadata_text(UnitKey("ruksi", "mnist", "americas"), version, version.endpoints["greet-me"])
    return str(json.loads(text)["version"]["commit"])


def test_a_commit_is_told_also_while_it_may_still_change() -> None:
    assert commit_told(a_version()) == commit_told(replace(a_version(), provisional=True)) == a_version().commit


def test_the_id_of_a_tree_is_not_told_as_a_commit() -> None:
    assert commit_told(replace(a_version(), provisional=True, committed=False)) == ""
