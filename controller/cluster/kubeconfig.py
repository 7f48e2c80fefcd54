"""Kubeconfig files, read by the `kubernetes` package.

What it does differently from kubectl is put right here: the first file's current-context wins, a failing plug-in is an
error, and who is to be impersonated is. Its own messages are not passed on whole: they quote the user's entry, token included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.dateutil import parse_rfc3339
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import FileOrData, KubeConfigLoader, KubeConfigMerger

from controller.cluster.credentials import Access, authorization
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled, Unavailable

DEFAULT_KUBECONFIG = Path("~/.kube/config")
_LOGIN_HINT = "run it by hand to see why, or log in again"


def from_kubeconfig(files: str, context: str | None, allow_exec: Collection[str] | None) -> Access:
    """A context of one or several files joined by `:`. Raises `Stalled`, naming the file and what is wrong in it."""
    merged = _merge(files)
    configuration = Configuration()
    try:
        chosen = _require(files, context or _current_context(merged), _contexts(merged))
        loader: Any = _Loader(merged.config, chosen, allow_exec)
        loader.load_and_set(configuration)
        headers = tuple(loader.impersonation())
    except (ConfigException, KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise Stalled(f"kubeconfig {files}: {_reason(error)}", hint="kubectl config view") from error
    configuration.refresh_api_key_hook = None  # `Connection` renews, by the credential's own expiry
    return Access(chosen, configuration, authorization(configuration), headers, getattr(loader, "expiry", None))


def require_context(files: str, context: str | None) -> None:
    """Look only into the files: whether the context (None: the current one) is there. Raises `Stalled`; runs no plug-in."""
    merged = _merge(files)
    try:
        _require(files, context or _current_context(merged), _contexts(merged))
    except (ConfigException, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Stalled(f"kubeconfig {files}: {_reason(error)}", hint="kubectl config view") from error


class _Loader(KubeConfigLoader):
    """The package's loader with an allow-list. Where its own plug-in call fails, it logs that and goes on as nobody."""

    def __init__(self, config: Any, context: str, allow_exec: Collection[str] | None) -> None:
        self._allow_exec = allow_exec
        package: Any = super()
        package.__init__(config_dict=config, active_context=context)
        self._config_base_path = None  # relative paths are relative to the file that names them

    def impersonation(self) -> Iterator[tuple[str, str]]:
        """The headers for `as`, `as-uid`, `as-groups` and `as-user-extra` (kubernetes.io, "User impersonation")."""
        user = self._entry
        for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
            if user.get(key):
                yield header, str(user[key])
        yield from (("Impersonate-Group", str(group)) for group in user.get("as-groups") or ())
        for name, values in (user.get("as-user-extra") or {}).items():
            yield from ((f"Impersonate-Extra-{name}", str(value)) for value in values)

    @property
    def _entry(self) -> Mapping[str, Any]:
        """The user's entry as it is in the file."""
        entry: Mapping[str, Any] = self._user.value if self._user else {}
        return entry

    def _load_auth_provider_token(self) -> Any:
        settings = self._entry.get("auth-provider", {}).get("config") or {}
        if settings.get("cmd-path"):
            self._check(str(settings["cmd-path"]).split()[0])
        package: Any = super()
        return package._load_auth_provider_token()

    def _load_from_exec_plugin(self) -> bool:
        if "exec" not in self._entry:
            return False
        user, cluster, package = cast("Any", self._user), cast("Any", self._cluster), cast("Any", super())
        command = str(user["exec"]["command"])
        self._check(command)
        directory = package._get_base_path(cluster.path)
        try:
            status = ExecProvider(user["exec"], directory, cluster).run()
        except (ConfigException, OSError) as error:
            raise Unavailable(f"the credential plug-in {command!r} failed: {_reason(error)}", hint=_LOGIN_HINT) from error
        self._take(status, command, directory)
        return True

    def _take(self, status: Mapping[str, Any], command: str, directory: str) -> None:
        if "clientCertificateData" in status and "clientKeyData" in status:
            self.cert_file, self.key_file = (
                FileOrData(status, None, name, file_base_path=directory, base64_file_content=False).as_file()
                for name in ("clientCertificateData", "clientKeyData")
            )
        elif "token" not in status:
            raise Unavailable(f"the credential plug-in {command!r} gave neither a token nor a certificate", hint=_LOGIN_HINT)
        if "token" in status:
            self.token = f"Bearer {status['token']}"
        if "expirationTimestamp" in status:
            self.expiry = parse_rfc3339(status["expirationTimestamp"])

    def _check(self, command: str) -> None:
        if self._allow_exec is None or command in self._allow_exec:
            return
        raise Stalled(
            f"the kubeconfig asks to run {command!r}, which the controller's configuration does not allow",
            hint=f"add {command!r} to this target's `allowExec`, or use a token or a client certificate",
        )


def _merge(files: str) -> KubeConfigMerger:
    if not any(Path(file).expanduser().is_file() for file in files.split(":") if file):
        raise Stalled(f"there is no kubeconfig {files}", hint="name one with --kubeconfig or $KUBECONFIG")
    try:
        return KubeConfigMerger(files)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise Stalled(f"kubeconfig {files}: line {line}: {error.problem}") from error
    except (ConfigException, yaml.YAMLError, OSError, UnicodeError, AttributeError, KeyError, TypeError) as error:
        raise Stalled(f"kubeconfig {files}: {_reason(error)}") from error


def _current_context(merged: KubeConfigMerger) -> str:
    """As kubectl does, the first file's that names one (kubernetes.io, "Organizing Cluster Access", merging rules)."""
    named = (merged.config_files[path].get("current-context") for path in merged.paths)
    chosen = next((str(name) for name in named if name), None)
    if chosen is None:
        raise ConfigException("no current-context")
    return chosen


def _contexts(merged: KubeConfigMerger) -> list[str]:
    """The names of all contexts, in the order of the files."""
    return [str(entry["name"]) for path in merged.paths for entry in merged.config_files[path].get("contexts") or ()]


def _require(files: str, context: str, known: list[str]) -> str:
    if context in known:
        return context
    names = ", ".join(dict.fromkeys(known)) or "none"
    raise Stalled(
        f"kubeconfig {files} has no context {context!r}; it has: {names}",
        hint=did_you_mean(context, known) or "kubectl config view",
    )


def _reason(error: Exception) -> str:
    """The package's message up to where it begins to quote the file."""
    if not isinstance(error, (ConfigException, OSError)):
        return "it has not the form of a kubeconfig"
    return str(error).partition(" in ")[0].removeprefix("Invalid kube-config file. ")[:500]
