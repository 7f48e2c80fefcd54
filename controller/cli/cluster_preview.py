"""Plans for a Kubernetes target as its controller would make them: by its configuration, with the caller's rights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from controller.cli.clean_up_preview import CleanUpPreview, Open
from controller.cli.context import Place, state_home
from controller.cli.output import note
from controller.cli.previews import Preview, Previewed, plans_for
from controller.cli.reach.choice import Kubernetes
from controller.cli.reach.cluster import open_cluster
from controller.cli.reach.limits import Limited
from controller.cli.reach.options import Where
from controller.cli.running.cluster_target import ClusterTargets
from controller.cli.running.sources import granted
from controller.cluster.client import KubernetesClient
from controller.engine.cache import TargetCache, kinds_of
from controller.engine.grants import Granted
from controller.engine.placing import Placing
from controller.engine.sources import Source
from controller.loading.configuration import load_configuration
from controller.loading.schema_problems import did_you_mean
from controller.model.configuration import Configuration, EmbeddedAccess, KubeconfigAccess, SourceSettings, TargetSettings
from controller.model.declared import DeclaredState, SecretRef
from controller.model.errors import Forbidden, Stalled
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object
from controller.model.ports import ClusterClient


class AssumedSecrets(Limited):
    """Who may not read Secrets plans as if those that endpoints use were there, and is told so."""

    def __init__(self, client: KubernetesClient, where: Where, unit: UnitKey, keys: Mapping[str, set[str]]) -> None:
        super().__init__(client, where.namespace, unit.namespace)
        self._keys = keys

    def get(self, key: ObjectKey) -> Object | None:
        try:
            return super().get(key)
        except Forbidden:
            if key.kind != "Secret" or key.name not in self._keys:
                raise
            note(f"warning: not checked whether Secret {key.name} is there: you may not read it")
            metadata = {"name": key.name, "namespace": key.namespace}
            return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": dict.fromkeys(self._keys[key.name], "")}


def cluster_preview(place: Place, file: Path, where: Where, now: float) -> Preview:
    """The plans of this directory's deployments on the target that `--target` names, or on the configuration's default."""
    configuration = _read(file.absolute())
    settings = _settings(configuration, where.target or configuration.default)
    with ExitStack() as opened:
        targets = ClusterTargets(configuration)
        opened.callback(targets.close)
        client = opened.enter_context(open_cluster(_choice(settings, where)))

        def look(declared: DeclaredState) -> Previewed:
            unit = UnitKey(declared.owner, declared.project, "")
            limited = AssumedSecrets(client, where, unit, _secret_keys(declared))
            target = targets.seen(settings, client, limited)
            cache = TargetCache.listed(limited, kinds_of(target.profile))
            source = _source(configuration, unit)
            origin = source.repository if source else None
            images = CleanUpPreview(configuration, targets, settings, target.profile, _opener(settings, limited, where, unit))
            placing = Placing(frozenset(configuration.targets), configuration.default)
            return Previewed(target, cache, placing, origin, _granting(configuration, source), images.outlook)

        return plans_for(place, look, now)


def _read(file: Path) -> Configuration:
    try:
        loaded = load_configuration(file.read_bytes(), file, state_home=state_home())
    except OSError as error:
        raise Stalled(f"{file} cannot be read: {error.strerror}") from error
    for diagnostic in loaded.diagnostics:
        note(str(diagnostic))
    if loaded.configuration is None:
        raise Stalled(f"{file} has mistakes", hint=f"pointsman run --config {file} --check")
    return loaded.configuration


def _settings(configuration: Configuration, name: str) -> TargetSettings:
    if name not in configuration.targets:
        raise Stalled(f"the configuration has no target `{name}`", hint=did_you_mean(name, configuration.targets))
    settings = configuration.targets[name]
    if isinstance(settings.access, EmbeddedAccess):
        message = f"target `{name}` is embedded in its controller, and --config is for Kubernetes targets"
        others = [t.name for t in configuration.targets.values() if not isinstance(t.access, EmbeddedAccess)]
        elsewhere = f", or --target with one of: {', '.join(sorted(others))}" if others else ""
        raise Stalled(message, hint=f"pointsman plan --state {settings.access.state}{elsewhere}")
    return settings


def _choice(settings: TargetSettings, where: Where) -> Kubernetes:
    """The caller's own way in, where they say one; else the configuration's, which may be a file that they have too."""
    access = settings.access
    if where.kubeconfig or where.context or not isinstance(access, KubeconfigAccess):
        return Kubernetes(settings.name, where.kubeconfig, where.context)
    return Kubernetes(settings.name, access.kubeconfig, access.context)


def _opener(settings: TargetSettings, limited: Limited, where: Where, unit: UnitKey) -> Open:
    """Reaches the other targets by the configuration's own ways in; the chosen one is open already."""

    @contextmanager
    def opened(other: TargetSettings) -> Iterator[ClusterClient]:
        if other.name == settings.name:
            yield limited
            return
        with open_cluster(_choice(other, Where())) as client:
            yield Limited(client, where.namespace, unit.namespace)

    return opened


def _source(configuration: Configuration, unit: UnitKey) -> SourceSettings | None:
    """How the controller reads this project, and what it grants; objects say where from in an annotation."""
    allowed = (s for s in configuration.sources.values() if s.grants.allows_project(f"{unit.owner}/{unit.project}"))
    return next(allowed, None)


def _granting(configuration: Configuration, settings: SourceSettings | None) -> Callable[[Source], Granted]:
    """What the controller grants; a project that no source may declare is granted nothing."""
    if settings is None:
        return partial(Granted, projects=())
    return lambda source: granted(settings, source, configuration)


def _secret_keys(declared: DeclaredState) -> dict[str, set[str]]:
    """What endpoints read of Secrets."""
    found: dict[str, set[str]] = defaultdict(set)
    served = (s for d in declared.deployments.values() for s in d.versions.values())
    for settings in (one for each in served for one in each.settings.values()):
        for value in settings.environment.values():
            if isinstance(value, SecretRef):
                found[value.secret].add(value.key)
    return found
