"""What came of a run as a Kubernetes Event on the Job of its launcher, for whoever watches the namespace."""

import copy
import os
import secrets
from datetime import UTC, datetime

from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.connecting import connect
from ctiforge.launcher.kubernetes.refusals import ClusterError, explain, explain_silence
from ctiforge.launcher.result import Result
from ctiforge.settings import Settings

TIMEOUT_S = (5, 10)
TRIES = 3
"""Fewer than of other requests: an Event is not worth keeping a run for."""
LONGEST = 1024
"""Characters of an Event's message that the API takes."""
REASONS = {
    "failed": "RunFailed",
    "refused": "GateRefused",
    "promoted": "ModelPromoted",
    "waiting": "WaitsForApproval",
    "nothing-new": "NothingNew",
    "trained": "ModelTrained",
}
CANNOT_START = "RunCannotStart"


def note_on_job(settings: Settings, result: Result) -> None:
    """Create an Event on the Job that is called like the run; where there is none, a person launched it from outside.

    Raises UsageError or ClusterError where the cluster cannot be reached or refuses.
    """
    cluster = connect(settings.context, settings.namespace)
    if job := cluster.job(result.run.id):
        _create(cluster, event_of(result, job, datetime.now(UTC), os.environ.get("HOSTNAME", "")))


def event_of(result: Result, job: Object, at: datetime, host: str) -> Object:
    """Make the Event. Pure but for its name, which is one of its own."""
    metadata, time = job["metadata"], at.strftime("%Y-%m-%dT%H:%M:%SZ")
    reason = REASONS[result.kind or "failed"] if result.began else CANNOT_START
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            **{key: metadata[key] for key in ("name", "namespace", "uid")},
        },
        "type": "Warning" if result.kind == "failed" else "Normal",
        "reason": reason,
        "message": result.words[:LONGEST],
        "source": {"component": "ctiforge"},
        "reportingComponent": "ctiforge.io/launcher",
        "reportingInstance": host or "launcher",
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def _create(cluster: Cluster, event: Object) -> None:
    from kubernetes import client
    from urllib3.exceptions import HTTPError

    what, configuration = "create an event", copy.copy(cluster.api.configuration)
    configuration.retries = configuration.retries.new(total=TRIES)
    core = client.CoreV1Api(cluster.client(configuration))
    try:
        core.create_namespaced_event(cluster.namespace, event, _request_timeout=TIMEOUT_S, _preload_content=False)
    except client.ApiException as error:
        raise ClusterError(explain(what, cluster.namespace, error.status, error.body), error.status) from None
    except (HTTPError, OSError) as error:
        raise ClusterError(explain_silence(what, configuration.host, error)) from None
