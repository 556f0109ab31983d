"""The way to a cluster: by a kubeconfig, or by a pod's own account."""

import os
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.launcher.kubernetes.client import Cluster

IN_POD = "KUBERNETES_SERVICE_HOST"
"""The variable by which Kubernetes tells a pod of its API."""
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the token of its service account, and its namespace."""


def connect(context: str | None = None, namespace: str | None = None) -> Cluster:
    """Give the cluster of the kubeconfig's context, or the one this pod runs in.

    Raises UsageError without a usable kubeconfig, ClusterError when nothing answers there.
    """
    from kubernetes import client, config
    from yaml import YAMLError  # type: ignore[import-untyped]

    configuration, acts_as = client.Configuration(), dict[str, str]()
    try:
        if _in_pod():
            config.load_incluster_config(client_configuration=configuration)
            namespace = namespace or (ACCOUNT / "namespace").read_text().strip()
        else:
            config.load_kube_config(context=context, client_configuration=configuration)
            active = config.list_kube_config_contexts()[1] if not context else _context(config, context)
            namespace = namespace or active["context"].get("namespace") or "default"
            acts_as = _acts_as(config, active["context"].get("user"))
    except (config.ConfigException, YAMLError, OSError, TypeError, ValueError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        mend = "set KUBECONFIG, or log in to the cluster"
        if IN_POD in os.environ:
            mend += f", or give this pod its account's token ({ACCOUNT})"
        raise UsageError(f"no usable kubeconfig: {said}; {mend}") from None
    if "://" not in configuration.host:
        raise UsageError(f"the kubeconfig's server is {configuration.host or 'empty'}, no URL: https://host:port")
    cluster = Cluster(configuration, namespace, acts_as)
    cluster.check()
    return cluster


def _context(config: Any, name: str) -> Any:
    found = [each for each in config.list_kube_config_contexts()[0] if each["name"] == name]
    return found[0]


def _acts_as(config: Any, user: str | None) -> dict[str, str]:
    """Give the headers of whom the kubeconfig's user acts as (`kubectl --as`), which the client leaves out.

    Raises UsageError for what those headers cannot say: with other rights than asked for nothing is done.
    """
    if not user:
        return {}
    files = config.kube_config
    merged = files.KubeConfigMerger(files.KUBE_CONFIG_DEFAULT_LOCATION).config
    given = merged["users"].get_with_name(user)["user"].value or {}
    groups = given.get("as-groups") or []
    if len(groups) > 1 or given.get("as-user-extra"):
        raise UsageError(
            f"the kubeconfig's user {user} acts with several as-groups or with as-user-extra, which ctiforge cannot: "
            "leave them out, or use credentials of the user's own"
        )
    group = next(iter(groups), None)
    named = {"Impersonate-User": given.get("as"), "Impersonate-Uid": given.get("as-uid"), "Impersonate-Group": group}
    return {name: str(value) for name, value in named.items() if value}


def _in_pod() -> bool:
    # pods that people work in have no token, and a kubeconfig
    return IN_POD in os.environ and "KUBECONFIG" not in os.environ and (ACCOUNT / "token").exists()
