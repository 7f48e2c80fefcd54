"""The programs that make up a Kubernetes, in the order in which they start, with what each is told and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.binaries import KUBE, METRICS, TRAEFIK
from tests.cluster.layout import API_PORT, GATEWAY_PORT, NODE_NAME, PULL_FROM, REGISTRY_PORT, SERVICES, Layout

CONTAINERD = "/run/containerd/containerd.sock"
METRICS_PORT = 10443
# These wait until the cluster knows the kinds they serve.
GATEWAYS = ("gateway1", "gateway2")
LATER = (*GATEWAYS, "metrics-server")


@dataclass(frozen=True)
class Component:
    """One program. The next is started when this one is `ready`: a URL that answers 200, or a socket that is there."""

    name: str
    command: tuple[str, ...]
    ready: str = ""


def components(layout: Layout) -> tuple[Component, ...]:
    """Everything that runs on the node."""
    steps: tuple[Callable[[Layout], Component], ...] = (
        _etcd,
        _api_server,
        _controllers,
        _scheduler,
        _registry,
        _containerd,
        _kubelet,
        _proxy,
        _metrics,
    )
    return (*(step(layout) for step in steps), *_gateways(layout))


def _etcd(layout: Layout) -> Component:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return Component(
        "etcd",
        (
            *("etcd", "--data-dir", "/var/lib/etcd", "--unsafe-no-fsync"),
            *("--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer),
        ),
        f"{client}/health",
    )


def _api_server(layout: Layout) -> Component:
    pki = layout.pki
    flags = {
        "etcd-servers": "http://127.0.0.1:2379",
        "secure-port": API_PORT,
        "bind-address": "0.0.0.0",
        "advertise-address": layout.node,
        "tls-cert-file": pki / "api.crt",
        "tls-private-key-file": pki / "api.key",
        "client-ca-file": pki / "ca.crt",
        "token-auth-file": pki / "tokens.csv",
        # RBAC, so that the roles in manifests/ are really tested.
        "authorization-mode": "Node,RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": pki / "sa.key",
        "service-account-signing-key-file": pki / "sa.key",
        "service-cluster-ip-range": SERVICES,
        "allow-privileged": "true",
        "kubelet-preferred-address-types": "InternalIP",
        "kubelet-client-certificate": pki / "kubelet-client.crt",
        "kubelet-client-key": pki / "kubelet-client.key",
        "audit-policy-file": _audit_policy(layout),
        "audit-log-path": layout.audit,
        # metrics-server is an API server behind this one.
        "enable-aggregator-routing": "true",
        "requestheader-client-ca-file": pki / "ca.crt",
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": pki / "front.crt",
        "proxy-client-key-file": pki / "front.key",
    }
    return Component("kube-apiserver", _kube("kube-apiserver", flags), f"https://127.0.0.1:{API_PORT}/readyz")


def _audit_policy(layout: Layout) -> Path:
    """Who asked what, without bodies, so that tests can count one user's requests; Kubernetes' own are left out."""
    own = {"level": "None", "userGroups": ["system:nodes", "system:masters", "system:serviceaccounts:kube-system"]}
    others = {"level": "Metadata", "omitStages": ["RequestReceived"]}
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [own, others]}
    return _written(layout, "audit.yaml", policy)


def _controllers(layout: Layout) -> Component:
    flags = {
        "kubeconfig": layout.admin,
        "service-account-private-key-file": layout.pki / "sa.key",
        "root-ca-file": layout.pki / "ca.crt",
        "cluster-cidr": layout.pods,
        "allocate-node-cidrs": "true",
        "leader-elect": "false",
        "use-service-account-credentials": "true",
        # With the defaults only 5 Deployments a second become observed, whoever applies them.
        "kube-api-qps": 500,
        "kube-api-burst": 1000,
        # No node is heard of while the API server is away: after 50 s by default its pods would count as unready then.
        "node-monitor-grace-period": "10m",
        # Minutes by default: a test would wait for them.
        "horizontal-pod-autoscaler-sync-period": "5s",
        "horizontal-pod-autoscaler-cpu-initialization-period": "10s",
        "horizontal-pod-autoscaler-initial-readiness-delay": "5s",
        "horizontal-pod-autoscaler-downscale-stabilization": "20s",
    }
    return Component("kube-controller-manager", _kube("kube-controller-manager", flags))


def _scheduler(layout: Layout) -> Component:
    return Component("kube-scheduler", _kube("kube-scheduler", {"kubeconfig": layout.admin, "leader-elect": "false"}))


def _registry(layout: Layout) -> Component:
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}, "delete": {"enabled": True}},
        "http": {"addr": f":{REGISTRY_PORT}"},
    }
    file = _written(layout, "registry.yaml", settings)
    return Component("registry", ("docker-registry", "serve", str(file)), f"http://127.0.0.1:{REGISTRY_PORT}/v2/")


def _containerd(layout: Layout) -> Component:
    file = layout.settings / "containerd.toml"
    file.write_text(
        f"""version = 2
[grpc]
address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PULL_FROM}/pause:1"
# Without CAP_SYS_RESOURCE every pod fails otherwise with "can't get final child's PID from pipe".
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{_pod_network(layout).parent}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""
    )
    return Component("containerd", ("containerd", "--config", str(file)), f"unix://{CONTAINERD}")


def _pod_network(layout: Layout) -> Path:
    """A bridge; the kubelet's pods get addresses of the first /24 of the cluster's range, which is this node's."""
    subnet = str(next(layout.pods.subnets(new_prefix=24)))
    addresses = {"type": "host-local", "ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return _written(layout, "cni/10-pods.conflist", {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]})


def _kubelet(layout: Layout) -> Component:
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "resolvConf": "/dev/null",
        # The disk is the machine's; that it is rather full is no reason to evict.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
    }
    flags = {
        "config": _written(layout, "kubelet.yaml", settings),
        "kubeconfig": layout.node_account,
        "hostname-override": NODE_NAME,
        "node-ip": layout.node,
        "cert-dir": layout.pki / "kubelet",
    }
    return Component("kubelet", _kube("kubelet", flags))


def _proxy(layout: Layout) -> Component:
    flags = {
        "kubeconfig": layout.admin,
        "hostname-override": NODE_NAME,
        "proxy-mode": "iptables",
        "cluster-cidr": layout.pods,
        "conntrack-max-per-core": 0,
    }
    return Component("kube-proxy", _kube("kube-proxy", flags))


def _metrics(layout: Layout) -> Component:
    flags = {
        "kubeconfig": layout.admin,
        "authentication-kubeconfig": layout.admin,
        "authorization-kubeconfig": layout.admin,
        "kubelet-insecure-tls": "true",
        "kubelet-preferred-address-types": "InternalIP",
        "secure-port": METRICS_PORT,
        "metric-resolution": "10s",
        "kubelet-request-timeout": "5s",
        "cert-dir": layout.pki / "metrics",
    }
    return Component("metrics-server", (str(METRICS.path), *_flags(flags)))


def _gateways(layout: Layout) -> tuple[Component, ...]:
    """Two replicas of one gateway: the same port on two addresses of the node."""
    return tuple(
        Component(name, (str(TRAEFIK.path), f"--configFile={_gateway_settings(layout, name, address)}"))
        for name, address in zip(GATEWAYS, layout.gateway_addresses, strict=True)
    )


def _gateway_settings(layout: Layout, name: str, address: str) -> Path:
    # A replica that is told to stop accepts for a moment more, as one behind a load balancer must.
    ending = {"requestAcceptGraceTimeout": "500ms", "graceTimeOut": "5s"}
    providers = {
        "providersThrottleDuration": "200ms",
        "kubernetesGateway": {"statusAddress": {"ip": layout.node}},
        "kubernetesCRD": {},
    }
    web = {"address": f"{address}:{GATEWAY_PORT}", "transport": {"lifeCycle": ending}}
    quiet = {"checkNewVersion": False, "sendAnonymousUsage": False}
    return _written(layout, f"{name}.yaml", {"global": quiet, "entryPoints": {"web": web}, "providers": providers})


def _kube(program: str, flags: Mapping[str, object]) -> tuple[str, ...]:
    return (str(KUBE.path), program, *_flags(flags))


def _flags(flags: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"--{name}={value}" for name, value in flags.items())


def _written(layout: Layout, name: str, settings: Mapping[str, Any]) -> Path:
    file = layout.settings / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=2))
    return file
