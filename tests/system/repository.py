"""A real repository that declares endpoints without dependencies; a test edits it as a person would."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWNER, PROJECT, DEPLOYMENT = "acme", "echo", "local"
COMMITTER = {
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.com",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
}
ENDPOINT = "say"
SERVER = """
import http.server, json, os, pathlib, time, urllib.parse

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        time.sleep(float(query.get("seconds", ["0"])[0]))
        said = {
            "version": os.environ["VH_DEFAULT_PREFIX"].split("/")[4],
            "code": pathlib.Path("code.txt").read_text(),
            "color": os.environ.get("COLOR"),
            "token": os.environ.get("TOKEN"),
            "prefix": self.headers.get("X-VH-Prefix"),
            "path": self.path,
            "authorization": self.headers.get("Authorization"),
            "pid": os.getpid(),
            "pod": os.environ.get("HOSTNAME"),
        }
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

print("echo starts", flush=True)
Server(("", 8000), Handler).serve_forever()
"""


def valohai(command: str = "python serve.py", name: str = ENDPOINT) -> str:
    """A `valohai.yaml` with one endpoint."""
    endpoint = {"name": name, "image": "python:3.11", "port": 8000, "server-command": command}
    return json.dumps([{"endpoint": endpoint}])


def version_file(name: str) -> str:
    return f"pointsman/versions/{name}.yaml"


def alias_file(alias: str = "production", deployment: str = DEPLOYMENT) -> str:
    return f"pointsman/deployments/{deployment}/aliases/{alias}.yaml"


def deployment_file(deployment: str = DEPLOYMENT) -> str:
    return f"pointsman/deployments/{deployment}/deployment.yaml"


def path(name: str, deployment: str = DEPLOYMENT, *, endpoint: str = ENDPOINT, project: str = PROJECT) -> str:
    """The URL path of a version's or an alias's endpoint."""
    return f"/{OWNER}/{project}/{deployment}/{name}/{endpoint}"


@dataclass(frozen=True)
class Repository:
    """The branch that is checked out is the one that is served."""

    root: Path

    @classmethod
    def create(cls, root: Path, project: str = PROJECT) -> Repository:
        """An empty repository with the project declared and its endpoint's code, not yet committed."""
        root.mkdir(parents=True)
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main")
        made.write("pointsman/project.yaml", {"format": 1, "owner": OWNER, "name": project})
        made.write("serve.py", SERVER)
        made.write("valohai.yaml", valohai())
        return made

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, env=COMMITTER, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def write(self, name: str, content: str | Mapping[str, Any]) -> None:
        """One file; a map is written as JSON, which is YAML too."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))

    def commit(self, files: Mapping[str, str | Mapping[str, Any] | None], message: str = "change") -> str:
        """Write files (None removes one) and commit everything; returns the commit."""
        for name, content in files.items():
            if content is None:
                (self.root / name).unlink()
            else:
                self.write(name, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def release(self, name: str, alias: str | None = "production", deployment: str = DEPLOYMENT, **files: Any) -> str:
        """New code, its version and an alias that leads to it, in one commit."""
        made: dict[str, Any] = {"code.txt": f"code of {name}", version_file(name): {}, **files}
        if alias:
            made[alias_file(alias, deployment)] = {"version": name}
        return self.commit(made, f"release {name}")

    def move(self, name: str, alias: str = "production", deployment: str = DEPLOYMENT) -> str:
        """Lead an alias to a version that is there already."""
        return self.commit({alias_file(alias, deployment): {"version": name}}, f"{alias} to {name}")

    def configure(self, deployment: str = DEPLOYMENT, **settings: Any) -> str:
        """Write `deployment.yaml`."""
        return self.commit({deployment_file(deployment): settings}, f"configure {deployment}")
