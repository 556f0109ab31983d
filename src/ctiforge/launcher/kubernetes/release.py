"""A release of the chart as the launcher meets it: where it is, and which store its pods use."""

import os
from dataclasses import dataclass

from ctiforge.errors import UsageError
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.connecting import connect
from ctiforge.launcher.kubernetes.manifests import template_name
from ctiforge.settings import Loaded, Settings

ANY_STAGE = "train_extract"
STORE = "ctiforge.io/store"
STORE_ENDPOINT = "ctiforge.io/store-endpoint"


@dataclass(frozen=True)
class Release:
    """A release that was found, and the settings with its store."""

    cluster: Cluster
    name: str
    settings: Settings


def find_release(loaded: Loaded) -> Release:
    """Connect, find the release's templates and take over its store unless another was named.

    Outside the cluster `AWS_ENDPOINT_URL` is set to the endpoint that the chart gives to laptops,
    where nobody set one. Raises UsageError or ClusterError with the mend.
    """
    settings = loaded.settings
    cluster = connect(settings.context, settings.namespace)
    template = cluster.cron_job(template_name(settings.release, ANY_STAGE))
    annotations = template["metadata"].get("annotations", {})
    store = settings.store if loaded.origins.get("store", "default") != "default" else annotations.get(STORE)
    if not store:
        raise UsageError(f"the chart's release {settings.release} names no store: set its value store.uri")
    if not store.startswith("s3://"):
        raise UsageError(f"{store} is no store that pods share: give s3://bucket/prefix, or leave --store away")
    if annotations.get(STORE_ENDPOINT) and "AWS_ENDPOINT_URL" not in os.environ:
        os.environ["AWS_ENDPOINT_URL"] = annotations[STORE_ENDPOINT]
    return Release(cluster, settings.release, settings.model_copy(update={"store": store}))
