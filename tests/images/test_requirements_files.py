"""What requirement files lead to, read as hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.images.requirements import MAIN, Requirements, collect
from controller.images.wsgi import wsgi_requirements
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure


def found(text: str, **files: str) -> Requirements:
    paths = {name.replace("__", "/") + ".txt": content for name, content in files.items()}
    return collect(text, paths.get)


def test_comments_and_continued_lines_are_understood() -> None:
    read = found("# all\nsix==1.16.0 \\\n  --hash=sha256:00 # why\n\nDjango_Rest.Framework>=1\n")
    assert read.files == {MAIN: "six==1.16.0 --hash=sha256:00\nDjango_Rest.Framework>=1\n"}
    assert read.names == {"six", "django-rest-framework"}
    assert not read.needs_code


def test_includes_are_relative_to_the_file_that_names_them() -> None:
    read = found("-r deep/a.txt\n", deep__a="-c ../limits.txt\nsix\n", limits="six<2\n")
    assert read.files == {MAIN: "-r deep/a.txt\n", "deep/a.txt": "-c ../limits.txt\nsix\n", "limits.txt": "six<2\n"}


@pytest.mark.parametrize(
    "line", ["-r a.txt", "-ra.txt", "--requirement a.txt", "--requirement=a.txt", "-c a.txt", "--constraint=a.txt"]
)
def test_every_way_to_include(line: str) -> None:
    assert set(found(line, a="six").files) == {MAIN, "a.txt"}


def test_includes_in_a_circle_end() -> None:
    assert set(found("-r a.txt", a="-r b.txt", b="-r a.txt").files) == {MAIN, "a.txt", "b.txt"}


def test_include_that_is_not_in_the_code_is_named() -> None:
    with pytest.raises(Stalled, match=r"a\.txt includes gone\.txt, which is not in the code"):
        found("-r a.txt", a="-r gone.txt")


@pytest.mark.parametrize(
    "line",
    [
        "-r ../outside.txt",
        "-r /etc/passwd",
        "-c ~/secrets.txt",
        "-e ../elsewhere",
        "../elsewhere",
        "/root/private",
        "six @ /root/six.whl",
        "six @ file:///root/six.whl",
        "file:///root/six.whl",
        "--find-links /root/wheels",
        "--find-links=../wheels",
        "--index-url /root/simple",
        "-i ../simple",
        "-f ../wheels",
        "--index-url file:///root/index",
        "git+file:///root/repository",
        "${HOME}/private",
        "./${HOME}",
        "-e ~/lib",
        "--find-links FILE:///root/wheels",
        '--find-links "/root/wheels"',
        "-f '/root/my wheels'",
        "--find-links /root/my wheels",
        '-r "/root/my files/a.txt"',
        "\ufeff\ufeff/root/six.whl",
        "# nothing\n\ufeff../six.whl",
        "./a /../../x.whl",
        "./a[/../../x.whl",
        "./a;/../../x.whl",
        "a[x]/../../x.whl",
        "x @ ./a /../../x.whl ; python_version > '3'",
        "x\u00a0@\u3000../x.whl",
        "six==1 --hash=sha256:00 x @ ../x.whl",
        "six==1 --hash=sha256:00 -r ../x.txt",
        "--no-index ../x.whl",
        "--require-hashes -r ../x.txt",
        "--pre x @ ../x.whl",
        "--unknown ../x.whl",
        "-q",
    ],
)
def test_nothing_outside_the_code_is_reached(line: str) -> None:
    with pytest.raises(Stalled) as caught:
        found(f"{line}\n")
    assert caught.value.hint


@pytest.mark.parametrize(
    "line", ["./lib", "lib/", "-e .", "-e lib[extra]", "--editable=./lib", "wheels/x-1-py3-none-any.whl", "x.tar.gz"]
)
def test_part_of_the_code_is_noticed(line: str) -> None:
    assert found(line).needs_code


@pytest.mark.parametrize(
    "line",
    [
        "x @ https:example.com/x-1-py3-none-any.whl",
        "x @ https:/example.com/x-1-py3-none-any.whl",
        "x@https:\\\\example.com/x-1-py3-none-any.whl",
        "https:example.com/x-1-py3-none-any.whl",
        "-r https:example.com/a.txt",
        "--find-links=https:example.com/wheels",
        "--extra-index-url https:/example.com/simple",
        "x @ HTTPS://example.com/x-1-py3-none-any.whl",
        "x @ https://example.com/ /../x-1-py3-none-any.whl",
        "x @ https://example.com\\@elsewhere.example.com/x-1-py3-none-any.whl",
        "--index-url https://example.com/simple https://example.com/other",
    ],
)
def test_address_that_may_mean_another_is_refused(line: str) -> None:
    with pytest.raises(Stalled, match="neither a path nor a whole address") as caught:
        found(f"six\n{line}\n")
    assert caught.value.message.startswith(f"{MAIN}:2: ")


def test_quotes_and_forms_of_options_are_written_in_one_way() -> None:
    text = "--index-url='https://example.com/simple'\n-f \"./my wheels\"\n-ra.txt\n"
    read = found(text, a="--only-binary=:all:\n--no-index\n")
    assert read.files[MAIN] == "--index-url https://example.com/simple\n-f ./my wheels\n-r a.txt\n"
    assert read.files["a.txt"] == "--only-binary=:all:\n--no-index\n"


def test_editable_is_installed_as_a_copy() -> None:
    assert found("-e ./lib\n--editable=.\n").files[MAIN] == "./lib\n.\n"


@pytest.mark.parametrize(
    "line",
    [
        "six",
        "six>=1; python_version<'3'",
        "uvicorn[standard]==0.30",
        "--index-url https://example.com/simple/",
        "--extra-index-url=https://example.com/simple/",
        "-f https://example.com/wheels.html",
        "six @ https://example.com/six.whl",
        "git+https://example.com/x.git@v1#egg=x",
        "https://example.com/x.tar.gz",
        "-c https://example.com/constraints.txt",
        "--no-binary=:all:",
        "--pre",
    ],
)
def test_what_needs_no_code(line: str) -> None:
    assert not found(line).needs_code


LINES = st.lists(
    st.sampled_from(["-r", "-e", "-f", "../x", "./x", "/x", "a.txt", "six", "@", "==1", "\\\n", "#", "\n", " "])
    | st.text(max_size=5)
)


@given(LINES.map("".join))
def test_whatever_the_text_only_files_of_the_code_are_written(text: str) -> None:
    asked: list[str] = []

    def read(path: str) -> str | None:
        asked.append(path)
        return "six\n" if path.endswith(".txt") else None

    try:
        written = collect(text, read).files
    except Stalled:
        written = {}
    for path in [*written, *asked]:
        assert not path.startswith("/")
        assert ".." not in path.split("/")


def test_long_line_costs_no_more_than_its_length() -> None:
    assert found(f"six{' ' * (1 << 20)}x\n{'a' * (1 << 20)}\n#{' ' * (1 << 20)}\n").names


@pytest.mark.parametrize(("python", "release"), [("3.6", "21.2.0"), ("3.7", "23.0.0"), ("3.9", "23.0.0"), ("3.11", "27.0.1")])
def test_wsgi_server_suits_the_python(python: str, release: str) -> None:
    assert wsgi_requirements(python) == (f"gunicorn=={release}",)


def test_no_wsgi_server_for_python_2() -> None:
    with pytest.raises(Stalled, match=r"Python 2\.7") as caught:
        wsgi_requirements("2.7")
    assert "server-command" in (caught.value.hint or "")
