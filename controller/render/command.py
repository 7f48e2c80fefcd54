"""How an endpoint is started: the user's command, a WSGI server, or the shim around a server that ends by itself."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from controller.model.declared import EndpointDefinition
from controller.model.images import OWN_DIRECTORY

SHIM_PATH = f"{OWN_DIRECTORY}/shim.py"
PACKAGES = f"{OWN_DIRECTORY}/python"
WSGIREF_PORT = 8000
"""Where `python -m wsgiref.simple_server` listens, whatever the endpoint's `port` says."""

SHIM_PORT = WSGIREF_PORT + 1
DEFAULT_CALLABLE = "application"

_ONE_REQUEST = re.compile(r"\s*python3? -m wsgiref\.simple_server\s*")
# One program with its arguments: nothing that makes the shell do more, and no word that only the shell knows.
_BUILT_IN = (
    r"alias|bg|break|case|cd|command|continue|do|done|elif|else|esac|eval|exec|exit|export|fi|for|function|if|jobs|local|read"
    r"|readonly|return|select|set|shift|source|then|time|times|trap|type|ulimit|umask|unalias|unset|until|wait|while|\.|:"
)
_SIMPLE = re.compile(rf"(?!(?:{_BUILT_IN})(?:\s|$))[\w./~+-]+(?:[ \t](?:[^;&|()`<>\n\\]|\\.|\\\n)*)?")

# Installed packages lie in our own directory, so that nothing of the base image is touched. Their scripts are expected
# in ~/.local/bin, where Valohai's installer puts them and its documentation starts them.
_PREPARE = (
    f'export PATH="$HOME/.local/bin:{PACKAGES}/bin:$PATH" PYTHONPATH="{PACKAGES}${{PYTHONPATH:+:$PYTHONPATH}}"; '
    f"[ -e ~/.local/bin ] || {{ mkdir -p ~/.local && ln -s {PACKAGES}/bin ~/.local/bin; }} 2>/dev/null; "
)

_GUNICORN = (
    "exec python3 -m gunicorn --bind 0.0.0.0:{port} --worker-class gthread --workers 1 --threads 8"
    " --timeout 0 --graceful-timeout 3600 --keep-alive 75{memory} {application}"
)


@dataclass(frozen=True, slots=True)
class Command:
    """`text` is what `sh -c` runs, `arguments` the whole container command, `port` where the endpoint then answers."""

    text: str
    arguments: tuple[str, ...]
    port: int
    shim: bool = False

    @property
    def shell(self) -> str:
        """The whole command as one line of shell: an image's own default."""
        return shlex.join(self.arguments) if self.shim else self.text


def endpoint_command(definition: EndpointDefinition, *, in_container: bool, packages: bool = True) -> Command:
    """The command of an endpoint, run in the code directory.

    In a container it also has to find the installed `packages` of the image; the process runtime sees to that itself.
    """
    prepare = _PREPARE if in_container and packages else ""
    if definition.wsgi is not None:
        return _shell(prepare + _wsgi(definition.wsgi, definition.port, in_container=in_container), definition.port)
    written = definition.command or ""
    text = prepare + _replacing_shell(written)
    if needs_shim(definition):
        return _shimmed(text)
    return _shell(text, definition.port)


def needs_shim(definition: EndpointDefinition) -> bool:
    """Whether the command is the one that answers a single connection and ends (CPython's wsgiref.simple_server)."""
    return definition.command is not None and _ONE_REQUEST.fullmatch(definition.command) is not None


def _shell(text: str, port: int) -> Command:
    return Command(text, ("sh", "-c", text), port)


def _shimmed(text: str) -> Command:
    ports = ("--listen", str(SHIM_PORT), "--backend", str(WSGIREF_PORT))
    return Command(text, ("python3", SHIM_PATH, *ports, "--", "sh", "-c", text), SHIM_PORT, shim=True)


def _wsgi(application: str, port: int, *, in_container: bool) -> str:
    """One process with threads, because models are large and old TensorFlow graphs cannot be shared between processes.

    `--timeout 0`: gunicorn would end a worker that loads its model for longer than that; requests are timed at the
    gateway, and ending is limited by the pod's own grace period. Keep-alive outlasts a proxy's pool. The workers'
    heartbeat file must not lie on a disk that may block (docs.gunicorn.org, FAQ "blocking os.fchmod").
    """
    named = application if ":" in application else f"{application}:{DEFAULT_CALLABLE}"
    memory = " --worker-tmp-dir /dev/shm" if in_container else ""
    return _GUNICORN.format(port=port, memory=memory, application=shlex.quote(named))


def _replacing_shell(text: str) -> str:
    """With `exec` before a single simple command, so that the server itself gets the signal to end; else unchanged.

    Some shells replace themselves, others stay as process 1 and keep SIGTERM for themselves.
    """
    stripped = text.strip()
    return f"exec {stripped}" if _SIMPLE.fullmatch(stripped) else text
