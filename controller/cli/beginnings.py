"""The files that a project begins with. Pure: what is known comes in, paths and texts go out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.cli.editing import block, quoted
from controller.cli.given_files import Sources
from controller.model.identity import without_accents

CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where GitHub and GitLab look; GitHub takes the first of its three that exists."""

NAME_HINT = "a name has lower-case letters, digits, `.`, `_` and `-`, and begins with a letter or digit"
NOBODY = "local"
"""The owner where nothing says who that is; `up` without a declared tree uses it too."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")
_REMOTE = re.compile(r"(?:(?:https?|ssh|git)://(?:[^/]+)/|[^/:]+:(?!//))(?:.*/)?(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?")


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first files say. `version` None: a file has no bytes yet, so there is no version and no alias.

    `account` is the owner as the forge spells it, None where no forge is known.
    """

    account: str | None
    project: str
    deployment: str
    code_path: str = ""
    version: str | None = None
    alias: str = "production"
    sources: Sources = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return NOBODY if self.account is None else declared_name(self.account)

    def files(self, directory: str) -> dict[str, str]:
        """Paths relative to the repository, to texts."""
        deployment = f"{directory}/deployments/{self.deployment}"
        texts = {
            f"{directory}/project.yaml": self._project(),
            f"{deployment}/deployment.yaml": "# Scale, health, timeout, environment, access: everything has a default.\n{}\n",
        }
        if self.version is not None:
            texts[f"{directory}/versions/{self.version}.yaml"] = self._version()
            texts[f"{deployment}/aliases/{self.alias}.yaml"] = f"version: {quoted(self.version)}\n"
        return texts

    def _project(self) -> str:
        code = f"code: {{path: {quoted(self.code_path)}}}\n" if self.code_path else ""
        return f"format: 1\nowner: {quoted(self.owner)}\nname: {quoted(self.project)}\n{code}"

    def _version(self) -> str:
        head = "# Never edited later: its code is that of the commit that adds this file.\n"
        if not self.sources:
            return f"{head}{{}}\n"
        lines = ["files:"]
        for endpoint in dict.fromkeys(endpoint for endpoint, _ in self.sources):
            named = {name: source for (owner, name), source in self.sources.items() if owner == endpoint}
            lines.append(block((endpoint,), named, indent="  "))
        return head + "\n".join(lines) + "\n"


def owner_and_name(remote: str) -> tuple[str, str] | None:
    """The last two names of a remote's URL, as written there; None for a path of this machine."""
    match = _REMOTE.fullmatch(remote.strip())
    return (match["owner"], match["name"]) if match else None


def declared_name(text: str) -> str:
    """A text in a form that can be the name of an owner, a project or a deployment."""
    return _NOT_IN_NAMES.sub("-", without_accents(text)).lstrip("._-")[:63] or "x"


def owners_lines(directory: str, beginning: Beginning) -> tuple[str, ...]:
    """What of the declared tree needs a second pair of eyes; nothing where nobody is known who has them."""
    if beginning.account is None:
        return ()
    deployment = f"deployments/{beginning.deployment}"
    paths = ("project.yaml", f"{deployment}/deployment.yaml", f"{deployment}/aliases/{beginning.alias}.yaml")
    return tuple(f"/{directory}/{path} @{beginning.account.removeprefix('@')}" for path in paths)


def with_lines(text: str, lines: Iterable[str]) -> str:
    """A text with those lines at its end that it lacks."""
    known = {" ".join(line.split()) for line in text.splitlines()}
    missing = [line for line in lines if line not in known]
    if not missing:
        return text
    start = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{start}{chr(10).join(missing)}\n"
