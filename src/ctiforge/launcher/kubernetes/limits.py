"""How long each state of a piece of work may take, and what is said when one took longer. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.members import is_sharded, members_of
from ctiforge.launcher.kubernetes.reading import kubectl, running_init
from ctiforge.launcher.kubernetes.states import Elapsed, WorkState

POD_IS_MADE_S = 90.0
"""Kubernetes' own pause before a next pod, which is no waiting: 60 s at most until the launcher itself starts anew."""
WAITING = (WorkState.PENDING, WorkState.STARTING)
"""Each of them may take as long: a node that is found late leaves no less time for its images."""
REFUSED = (Category.QUOTA_EXCEEDED, Category.POD_NOT_CREATED)
"""The cluster makes no pod as long as this is so, and says so."""


@dataclass(frozen=True)
class Limits:
    """How long the launcher waits, in seconds; the chart's annotations say it."""

    node_lost_s: float = 300
    pending_s: float = 3600
    run_s: float | None = None
    """What the programs of a whole run may take together; None: no limit."""


def limits_of(annotations: Mapping[str, str]) -> Limits:
    """Read the limits that a template's annotations name."""

    def seconds(name: str, usual: float) -> float:
        return float(annotations.get(f"ctiforge.io/{name}", usual))

    return Limits(
        seconds("node-lost-timeout", Limits.node_lost_s),
        seconds("pending-timeout", Limits.pending_s),
        seconds("run-timeout", 0) or None,
    )


def over_limit(
    job: Object, pods: Sequence[Object], diagnosis: Diagnosis | None, elapsed: Elapsed, limits: Limits
) -> Diagnosis | None:
    """Say which limit has passed, with the reason that the cluster gives for it.

    Args:
        job: The Job.
        pods: Its own pods.
        diagnosis: What it waits for, where that is known.
        elapsed: What the launcher's own clock says of it.
        limits: How long each state may take.

    Returns:
        The cause to end with; None while no limit has passed. Suspended and queued time has none.
    """
    if found := ran_too_long(elapsed.ran_s, limits):
        return found
    if elapsed.state in WAITING and elapsed.in_state_s > limits.pending_s:
        several = "no further pod of it started" if is_sharded(job) else "not all of its pods started"
        what = "its pod did not start" if members_of(job) == 1 else several
        return _waited(job, diagnosis or _waits_for_init(pods), f"{what} within {limits.pending_s:.0f} s")
    refused = diagnosis is not None and diagnosis.category in REFUSED
    patience = limits.pending_s if refused else limits.pending_s + POD_IS_MADE_S
    if elapsed.state is WorkState.BETWEEN_PODS and elapsed.in_state_s > patience:
        return _waited(job, diagnosis, f"no pod of it was made within {patience:.0f} s")
    return None


def ran_too_long(ran_s: float, limits: Limits) -> Diagnosis | None:
    """Say that the programs of a run took longer than it may.

    Args:
        ran_s: Seconds that they ran, in all stages and attempts of the run.
        limits: How long that may be.

    Returns:
        The cause to end with; None while the limit has not passed.
    """
    if limits.run_s is None or ran_s <= limits.run_s:
        return None
    return Diagnosis(
        Category.RAN_TOO_LONG,
        f"the run's programs took more than {limits.run_s:.0f} s together",
        f"{ran_s:.0f} s in all stages and attempts of the run, waiting not counted",
        "raise the chart value launcher.runTimeout, then start the same command again: it goes on from its "
        "last checkpoint",
    )


def _waits_for_init(pods: Sequence[Object]) -> Diagnosis | None:
    """Name the init container that still runs: that is told as slow only after minutes, and a limit may be shorter."""
    found = ((pod, name) for pod in pods if pod["status"].get("phase") == "Pending" and (name := running_init(pod)))
    pod, name = next(found, (None, None))
    if pod is None or name is None:
        return None
    return Diagnosis(
        Category.PENDING_TOO_LONG,
        f"pod {pod['metadata']['name']}: its init container {name} still runs",
        "",
        f"see {kubectl(pod, 'logs')} -c {name}; a longer wait is set in the chart value launcher.pendingTimeout",
        container=name,
    )


def _waited(job: Object, diagnosis: Diagnosis | None, words: str) -> Diagnosis:
    if diagnosis:
        return replace(diagnosis, summary=f"{diagnosis.summary}; {words}")
    return Diagnosis(
        Category.PENDING_TOO_LONG,
        f"job {job['metadata']['name']}: {words}",
        "",
        f"see {kubectl(job, 'describe', 'job')}; a longer wait is set in the chart value launcher.pendingTimeout",
    )
