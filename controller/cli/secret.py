"""`pointsman secret`: the Secrets of the embedded cluster. Values come from stdin, a prompt or a file, never as arguments.

Those of a Kubernetes target are made by kubectl: this only says with which command.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from controller.cli.context import find_place
from controller.cli.output import note, output_option, print_rows
from controller.cli.reach.choice import Kubernetes, the_only
from controller.cli.reach.opening import chosen_clusters, declared_project
from controller.cli.reach.options import Where, where_options
from controller.cli.users import HTPASSWD, with_user
from controller.embedded.secrets import SecretFiles
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.model.secret import Secret


@click.group()
def secret() -> None:
    """Write and list the Secrets that endpoints and `access` use on this machine. Values are never printed.

    For a Kubernetes target each of these prints the kubectl command that does it.
    """


@secret.command("set")
@click.argument("name")
@click.argument("key")
@click.option(
    "--from-file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the value from this file, to the byte.",
)
@where_options
def set_(name: str, key: str, file: Path | None, where: Where) -> None:
    r"""Set one key of a Secret. The value is asked for, or read from stdin (one line end is cut off there).

    An endpoint reads it when it starts, so a rotated value takes effect with its next start.

    \b
    Examples:
      pointsman secret set api token
      pass show api-token | pointsman secret set api token
      pointsman secret set tls key --from-file key.pem
    """
    source = str(file) if file else "/dev/stdin"
    files = _files(where, "create", "secret", "generic", name, f"--from-file={key}={source}")
    files.set(name, key, _value(name, key, file))
    note(f"Secret {name}: key {key} is set")


@secret.command("list")
@output_option
@where_options
def list_(output: str, where: Where) -> None:
    r"""List the Secrets and their keys.

    \b
    Examples:
      pointsman secret list
      pointsman secret list -o json
    """
    files = _files(where, "get", "secrets")
    keys = {name: sorted(files.keys(name)) for name in files.names()}
    as_text = output in ("table", "wide")
    rows = [{"name": name, "keys": ", ".join(found) if as_text else found} for name, found in keys.items()]
    print_rows(rows, output, columns=("name", "keys"))


@secret.command("delete")
@click.argument("name")
@click.argument("key", required=False)
@where_options
def delete(name: str, key: str | None, where: Where) -> None:
    r"""Delete one key of a Secret, or all of it.

    Endpoints that run keep the value that they started with.

    \b
    Examples:
      pointsman secret delete api token
      pointsman secret delete api
    """
    files = _files(where, "delete", "secret", name)
    keys = files.keys(name)
    if not keys or (key is not None and key not in keys):
        missing = f"Secret {name} has no key {key}" if keys else f"there is no Secret {name}"
        raise Stalled(missing, hint="pointsman secret list")
    files.delete(name, key)
    note(f"Secret {name}: key {key} is deleted" if key else f"Secret {name} is deleted")


@secret.command("set-user")
@click.argument("name")
@click.argument("user")
@where_options
def set_user(name: str, user: str, where: Where) -> None:
    r"""Give a user a new password in a Secret for `access: {basicAuth: {secret: NAME}}`, and print it, once.

    The password is made here (192 random bits); only its hash is kept. Setting the user again replaces it at once.

    \b
    Examples:
      pointsman secret set-user predictors alice
      curl -u alice:$(pointsman secret set-user predictors alice) http://...
    """
    files = _files(where, "create", "secret", "generic", name, f"--from-file={HTPASSWD}=/dev/stdin", made_by=_htpasswd(user))
    text, password = with_user(_text(files, name), user)
    files.set(name, HTPASSWD, Secret(text))
    click.echo(password.reveal())
    note(f"Secret {name}: user {user} has this new password; it is shown only now")


def _files(where: Where, *kubectl: str, made_by: str = "") -> SecretFiles:
    """The Secrets of this machine. Raises Stalled with kubectl's own command for a Kubernetes target."""
    if clusters := chosen_clusters(where):
        command = kubectl_command(the_only(clusters), where.namespace or _namespace(), kubectl)
        raise Stalled("Secrets of a Kubernetes target are written by kubectl", hint=f"{made_by}{command}")
    return SecretFiles(find_place(None, where.state).state.create().secrets)


def kubectl_command(choice: Kubernetes, namespace: str, arguments: tuple[str, ...]) -> str:
    """PURE: the command as a person would type it."""
    kubeconfig = ("--kubeconfig", str(choice.kubeconfig)) if choice.kubeconfig else ()
    context = ("--context", choice.context) if choice.context else ()
    return shlex.join(("kubectl", *kubeconfig, *context, "-n", namespace, *arguments))


def _namespace() -> str:
    """The project's that is declared here."""
    project = declared_project()
    return UnitKey(*project, "").namespace if project else "NAMESPACE"


def _htpasswd(user: str) -> str:
    """SHA is what every gateway understands (docs/guides/secrets.md); it needs a password that nobody could guess."""
    return f"htpasswd -ns {shlex.quote(user)} | "


def _value(name: str, key: str, file: Path | None) -> Secret:
    if file is not None:
        return _decoded(file.read_bytes(), str(file))
    if sys.stdin.isatty():
        value: str = click.prompt(f"Value of {key} in Secret {name}", hide_input=True, confirmation_prompt=True, err=True)
        return Secret(value)
    content = sys.stdin.buffer.read()
    if not content:
        raise Stalled("stdin is empty, so there is no value", hint=f"pointsman secret set {name} {key} --from-file FILE")
    return _decoded(content.removesuffix(b"\n").removesuffix(b"\r"), "stdin")


def _decoded(content: bytes, where: str) -> Secret:
    try:
        return Secret(content.decode())
    except UnicodeDecodeError:
        raise Stalled(f"the value from {where} is not UTF-8 text", hint="encode it, for example: base64 FILE") from None


def _text(files: SecretFiles, name: str) -> str:
    """The present `.htpasswd`; empty where there is none. Raises Stalled for one that is not text."""
    if HTPASSWD not in files.keys(name):
        return ""
    path = files.root / name / HTPASSWD
    return _decoded(path.read_bytes(), str(path)).reveal()
