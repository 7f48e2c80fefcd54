"""Promote, roll back, make and retire versions, allow removals: by commits, in a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.cli.context import find_place
from controller.embedded.secrets import SecretFiles
from controller.embedded.store import EmbeddedStore
from controller.model.identity import UnitKey
from controller.model.record import Fact, FactKind, UnitRecord
from controller.state.records import Records
from tests.cli.release.conftest import Project

pytestmark = pytest.mark.contract


def confirm(project: Project, *versions: str) -> None:
    """What the record says after these versions served as production of eu."""
    state = find_place(project.path, None).state.create()
    unit = UnitKey("acme", "mnist", "eu")
    facts = tuple(Fact(FactKind.CONFIRMED, "production", f"w-{v}", "r", float(n), v) for n, v in enumerate(versions))
    with EmbeddedStore(state.store, secrets=SecretFiles(state.secrets)) as store:
        Records(store).write(UnitRecord(unit, facts=facts))


# promote


def test_promote_changes_one_value_and_commits_that_file_alone(project: Project) -> None:
    project.write("serve.py", "print('edited')\n")
    done = project.run("promote", "production", "v2", "-d", "eu")
    assert (done.code, done.out) == (0, "eu/production: v1 → v2\n")
    assert project.alias() == '# who pays\nversion: "v2"   # stable\n'
    assert project.git("show", "--format=%s", "--name-only").splitlines() == [
        "Promote production of eu to v2",
        "",
        "pointsman/deployments/eu/aliases/production.yaml",
    ]
    assert project.status == "M serve.py"
    assert "pointsman status eu/production --wait" in done.err


def test_several_deployments_are_listed_and_all_of_them_move_in_one_commit(project: Project) -> None:
    before = project.head
    refused = project.run("promote", "production", "v2")
    assert (refused.code, project.head) == (1, before)
    assert "eu, us" in refused.err
    assert project.run("promote", "production", "v2", "--all").code == 0
    assert '"v2"' in project.alias("eu")
    assert '"v2"' in project.alias("us")
    assert project.git("rev-list", "--count", f"{before}..HEAD") == "1"


def test_promote_from_another_alias(project: Project) -> None:
    assert project.run("promote", "production", "--from", "staging", "-d", "eu").code == 0
    assert '"v2"' in project.alias()
    refused = project.run("promote", "production", "--from", "staging", "-d", "us")
    assert (refused.code, "no alias `staging`" in refused.err) == (1, True)


def test_promoting_to_the_present_version_is_no_commit(project: Project) -> None:
    before = project.head
    done = project.run("promote", "production", "v1", "-d", "eu")
    assert (done.code, project.head) == (0, before)
    assert "already" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("production", "v11", "-d", "eu"), "did you mean `v1`?"),
        (("production", "v3", "-d", "us"), "not for deployment `us`"),
        (("production", "v2", "-d", "uss"), "did you mean `us`?"),
        (("productoin", "v2"), "did you mean `production`?"),
        (("canary", "v2", "-d", "us"), "no alias `canary`"),
        (("v1", "v2", "-d", "us", "--create"), "is the name of a version"),
        (("../../../x", "v2", "-d", "us", "--create"), "cannot be the name"),
    ],
)
def test_what_cannot_be_promoted_is_refused_and_nothing_changes(
    project: Project, arguments: tuple[str, ...], said: str
) -> None:
    before = project.head
    done = project.run("promote", *arguments)
    assert (done.code, project.head, project.status) == (1, before, "")
    assert said in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("production",),
        ("production", "v1", "--from", "staging"),
        ("production", "v2", "--create"),
        ("production", "v2", "--all", "-d", "eu"),
        ("production", "v2", "-d", "eu", "--no-commit", "--branch", "x"),
    ],
)
def test_contradictions_are_usage_errors(project: Project, arguments: tuple[str, ...]) -> None:
    assert project.run("promote", *arguments).code == 64
    assert project.status == ""


def test_a_retired_a_broken_and_an_uncommitted_version_are_refused(project: Project) -> None:
    project.write("pointsman/versions/v2.yaml", "enabled: false\n" + project.read("pointsman/versions/v2.yaml"))
    assert "not enabled" in project.run("promote", "production", "v2", "-d", "us").err
    project.write("pointsman/versions/v4.yaml", "{}\n")
    assert "commit it first" in project.run("promote", "production", "v4", "-d", "us").err
    project.commit()
    assert "has no bytes" in project.run("promote", "production", "v4", "-d", "us").err


def test_a_new_alias_is_made_where_it_is_asked_for(project: Project) -> None:
    assert project.run("promote", "canary", "v2", "-d", "us", "--create").code == 0
    assert project.alias("us", "canary") == 'version: "v2"\n'
    assert project.status == ""


def test_changes_of_somebody_else_in_the_file_do_not_slip_into_the_commit(project: Project) -> None:
    project.write("pointsman/deployments/eu/aliases/production.yaml", "# half done\nversion: v1\n")
    before = project.head
    done = project.run("promote", "production", "v2", "-d", "eu")
    assert (done.code, project.head, project.alias()) == (1, before, "# half done\nversion: v1\n")
    assert "not committed" in done.err


def test_a_link_in_place_of_the_file_is_refused(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.yaml"
    other.write_text('version: "v1"\n')
    file = project.path / "pointsman/deployments/us/aliases/production.yaml"
    file.unlink()
    file.symlink_to(other)
    assert project.run("promote", "production", "v2", "-d", "us").code == 1
    assert other.read_text() == 'version: "v1"\n'


def test_a_refused_commit_leaves_file_index_and_branch_as_they_were(project: Project) -> None:
    project.write(".git/hooks/pre-commit", "#!/bin/sh\necho not today >&2; exit 1\n")
    (project.path / ".git/hooks/pre-commit").chmod(0o755)
    before, text = project.head, project.alias()
    done = project.run("promote", "production", "v2", "-d", "eu", "--branch", "release")
    assert (done.code, project.head, project.alias(), project.status) == (1, before, text, "")
    assert "not today" in done.err
    assert project.git("branch", "--format=%(refname:short)") == "main"
    assert project.run("version", "create", "v9", "--from", "v1").code == 1
    assert project.status == ""


def test_a_branch_for_what_only_merges_may_change(project: Project) -> None:
    before = project.head
    done = project.run("promote", "production", "v2", "-d", "eu", "--branch", "release")
    assert done.code == 0
    assert project.git("rev-parse", "main") == before
    assert project.git("rev-parse", "release~1") == before
    assert "pull request" in done.err


def test_without_a_commit_the_file_is_only_edited(project: Project) -> None:
    before = project.head
    assert project.run("promote", "production", "v2", "-d", "eu", "--no-commit").code == 0
    assert (project.head, project.status) == (before, "M pointsman/deployments/eu/aliases/production.yaml")


# rollback


def test_repeated_rollback_goes_further_back(project: Project) -> None:
    for version in ("v2", "v3"):
        project.run("promote", "production", version, "-d", "eu")
    confirm(project, "v1", "v2", "v3")
    assert project.run("rollback", "production", "-d", "eu").out == "eu/production: v3 → v2\n"
    assert project.run("rollback", "production", "-d", "eu").out == "eu/production: v2 → v1\n"
    assert project.run("rollback", "production", "-d", "eu").code == 1
    assert '"v1"' in project.alias()


def test_a_version_that_never_served_is_passed_over(project: Project) -> None:
    for version in ("v2", "v3"):
        project.run("promote", "production", version, "-d", "eu")
    confirm(project, "v1", "v3")
    done = project.run("rollback", "production", "-d", "eu")
    assert done.out == "eu/production: v3 → v1\n"
    assert "warning" not in done.err


def test_where_nothing_below_ever_served_it_names_the_command_that_does_it_anyway(project: Project) -> None:
    project.run("promote", "production", "v2", "-d", "eu")
    confirm(project, "v2")
    done = project.run("rollback", "production", "-d", "eu")
    assert done.code == 1
    assert "--to v1" in done.err
    assert project.run("rollback", "production", "-d", "eu", "--to", "v1").out == "eu/production: v2 → v1\n"


def test_an_unreadable_record_is_warned_about(project: Project) -> None:
    project.run("promote", "production", "v2", "-d", "eu")
    done = project.run("rollback", "production", "-d", "eu")
    assert done.out == "eu/production: v2 → v1\n"
    assert "warning: not checked" in done.err


def test_a_git_revert_counts_as_a_rollback(project: Project) -> None:
    for version in ("v2", "v3"):
        project.run("promote", "production", version, "-d", "eu")
    project.git("revert", "--no-edit", "HEAD")
    assert project.run("rollback", "production", "-d", "eu").out == "eu/production: v2 → v1\n"


def test_a_retired_version_is_passed_over(project: Project) -> None:
    for version in ("v2", "v3"):
        project.run("promote", "production", version, "-d", "eu")
    project.run("promote", "staging", "v1", "-d", "eu")
    project.run("version", "retire", "v2")
    assert project.run("rollback", "production", "-d", "eu").out == "eu/production: v3 → v1\n"


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("deployments/eu/deployment.yaml", "environment: {A: b}\n", "eu/deployment.yaml:1:18"),
        (
            "project.yaml",
            "format: 1\nowner: acme\nname: mnist\ndefaults:\n  environment:\n    A: b\n",
            "pointsman/project.yaml:6:8",
        ),
    ],
)
def test_a_setting_that_changed_last_is_named_instead(project: Project, path: str, text: str, place: str) -> None:
    project.run("promote", "production", "v2", "-d", "eu")
    project.write(f"pointsman/{path}", text)
    commit = project.commit("Turn a knob")
    done = project.run("rollback", "production", "-d", "eu")
    assert (done.code, project.head) == (1, commit)
    assert f"git revert {commit[:10]}" in done.err
    assert place in done.err
    assert "Turn a knob" in done.err


def test_a_setting_that_came_by_a_merge_is_reverted_as_one(project: Project) -> None:
    project.run("promote", "production", "v2", "-d", "eu")
    project.git("switch", "--quiet", "--create", "knob")
    project.write("pointsman/deployments/eu/deployment.yaml", "environment: {A: b}\n")
    project.commit("Turn a knob")
    project.git("switch", "--quiet", "main")
    project.git("merge", "--quiet", "--no-ff", "-m", "Merge the knob", "knob")
    assert f"git revert -m 1 {project.head[:10]}" in project.run("rollback", "production", "-d", "eu").err


@pytest.mark.parametrize(
    "text", ["# a comment\n{}\n", "endpoints: {greet: {scale: {min: 1, max: 3}}}\n", "idle: {replicas: 0}\n"]
)
def test_a_setting_that_changes_no_workload_is_in_nobodys_way(project: Project, text: str) -> None:
    project.run("promote", "production", "v2", "-d", "eu")
    project.write("pointsman/deployments/eu/deployment.yaml", text)
    project.commit("Say more")
    assert project.run("rollback", "production", "-d", "eu").code == 0


# versions


def test_a_new_version_names_its_files(project: Project) -> None:
    done = project.run("version", "create", "--file", "predict/model=models/first.bin")
    name = done.out.strip()
    assert done.code == 0, done.err
    assert name.endswith(".0")
    assert project.read(f"pointsman/versions/{name}.yaml") == ('files:\n  predict:\n    model: {path: "models/first.bin"}\n')
    again = project.run("version", "create", "--file", "predict/model=models/first.bin")
    assert again.out.strip() == name.removesuffix("0") + "1"
    assert project.status == ""


def test_a_name_that_was_ever_taken_is_taken(project: Project) -> None:
    (project.path / "pointsman/versions/v3.yaml").unlink()
    project.commit("Remove v3")
    assert "old one again" in project.run("version", "create", "v3", "--from", "v1").err
    assert "never changes" in project.run("version", "create", "v1", "--from", "v2").err
    assert project.run("version", "create", "../v1", "--from", "v2").code == 1


def test_a_copy_has_the_resolved_commit_and_what_was_wished_for(project: Project) -> None:
    first = project.head
    project.write("serve.py", "print('later')\n")
    project.commit("Later code")
    wish = ("--file", "predict/model=models/second.bin", "--deployments", "eu,us", "--endpoints", "predict")
    done = project.run("version", "create", "v4", "--from", "v1", *wish)
    assert done.code == 0, done.err
    assert project.read("pointsman/versions/v4.yaml") == (
        "# the first\n"
        'files: {predict: {model: {path: "models/second.bin"}}}\n'
        f'commit: "{first}"\n'
        'deployments: ["eu", "us"]\n'
        'endpoints: ["predict"]\n'
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--file ENDPOINT/FILE=PATH|URL"),
        (("--file", "predict/modle=models/first.bin"), "did you mean `model`?"),
        (("--file", "predict/model=models/none.bin"), "there is no file"),
        (("--file", "predict/model=models/new.bin"), "git does not hold"),
        (("--file", "predict/model=../outside.bin"), "outside the code"),
        (("--file", "predict/model=http://example.com/m"), "https, s3, gs or abfs"),
        (("--file", "predict/model=s3://bucket/m"), "sha256"),
        (("--from", "v1", "--deployments", "uss"), "did you mean `us`?"),
        (("--from", "v11"), "did you mean `v1`?"),
    ],
)
def test_what_would_be_no_version_is_not_written(project: Project, arguments: tuple[str, ...], said: str) -> None:
    project.write("models/new.bin", "3")
    (project.path.parent / "outside.bin").write_text("x")
    before = project.head
    done = project.run("version", "create", "v4", *arguments)
    assert (done.code, project.head) == (1, before), done.err
    assert not (project.path / "pointsman/versions/v4.yaml").exists()
    assert said in done.err


def test_a_file_in_a_bucket_is_taken_by_its_digest(project: Project) -> None:
    digest = "0" * 64
    done = project.run("version", "create", "v4", "--file", f"predict/model=s3://bucket/m#sha256={digest}")
    assert done.code == 0, done.err
    assert f'model: {{url: "s3://bucket/m", sha256: "{digest}"}}' in project.read("pointsman/versions/v4.yaml")


def test_code_that_is_not_committed_is_not_in_the_version(project: Project) -> None:
    project.write("serve.py", "print('edited')\n")
    done = project.run("version", "create", "--file", "predict/model=models/first.bin")
    assert done.code == 0
    assert "serve.py" in done.err
    project.write("valohai.yaml", project.read("valohai.yaml") + "\n")
    assert "valohai.yaml has changes" in project.run("version", "create", "--file", "predict/model=models/first.bin").err


def test_retire_keeps_the_text_and_refuses_what_an_alias_names(project: Project) -> None:
    refused = project.run("version", "retire", "v1")
    assert refused.code == 1
    assert "eu/aliases/production.yaml:2:10" in refused.err
    assert "us/aliases/production.yaml:1:10" in refused.err
    assert project.run("version", "retire", "v3").code == 0
    assert project.read("pointsman/versions/v3.yaml").endswith("deployments: [eu]\nenabled: false\n")
    assert project.run("version", "retire", "v3").code == 0
    assert project.run("validate").code == 0


def test_versions_are_listed_with_their_aliases(project: Project) -> None:
    rows = {row["name"]: row for row in project.run("version", "list", "-o", "json").json}
    assert rows["v1"]["aliases"] == "eu/production, us/production"
    assert rows["v3"]["deployments"] == "eu"
    assert rows["v2"]["commit"].startswith(project.head[:10])
    assert project.run("version").out.startswith("pointsman ")


# allow-prune


def test_allow_prune_is_an_empty_commit_with_the_line(project: Project) -> None:
    project.git("rm", "--quiet", "-r", "pointsman/deployments/us")
    project.commit("Leave us")
    done = project.run("allow-prune", "us", "-m", "Everybody has moved")
    assert (done.code, done.out.strip()) == (0, project.head)
    assert project.git("log", "-1", "--format=%B") == "Everybody has moved\n\nPointsman-Allow-Prune: us"
    assert project.git("diff", "HEAD~1", "HEAD") == ""
    assert "did you mean `us`?" in project.run("allow-prune", "uss").err


# detached head


@pytest.mark.parametrize(
    "words",
    [
        ("promote", "production", "v2", "-d", "eu"),
        ("rollback", "production", "-d", "eu", "--to", "v2"),
        ("version", "create", "v4", "--file", "predict/model=models/first.bin"),
        ("version", "retire", "v3"),
        ("allow-prune", "us"),
    ],
    ids=" ".join,
)
def test_a_commit_that_no_branch_would_hold_is_not_made(project: Project, words: tuple[str, ...]) -> None:
    project.git("checkout", "--quiet", "--detach")
    before = project.head
    refused = project.run(*words)
    assert (refused.code, refused.out, project.head, project.status) == (1, "", before, "")
    assert "hint: git switch main, or put the commit on a new branch: --branch NAME\n" in refused.err
    assert project.run(*words, "--branch", "kept").code == 0
    assert (project.git("branch", "--show-current"), project.git("rev-parse", "kept~1")) == ("kept", before)


def test_a_branch_that_came_to_nothing_leaves_the_head_detached_as_it_was(project: Project) -> None:
    project.git("checkout", "--quiet", "--detach")
    project.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n")
    (project.path / ".git/hooks/pre-commit").chmod(0o755)
    assert project.run("promote", "production", "v2", "-d", "eu", "--branch", "kept").code == 1
    assert project.git("branch", "--list", "kept") == project.git("branch", "--show-current") == ""
    assert project.status == ""
