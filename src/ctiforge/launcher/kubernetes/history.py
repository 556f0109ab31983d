"""What a run's record keeps of the pods of a piece of work: how long they were queued, why they ended, last words."""

from collections.abc import Callable, Sequence
from datetime import datetime

from ctiforge.launcher.backend import LAST_LINES
from ctiforge.launcher.kubernetes.attempts import GOOD_ENDS
from ctiforge.launcher.kubernetes.categories import Category
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.ending import diagnose_ended, diagnose_running
from ctiforge.launcher.kubernetes.members import index_of, is_sharded, members_of
from ctiforge.launcher.kubernetes.reading import state


def queued_s(job: Object | None, members: Sequence[Sequence[Object]], begun: datetime) -> float | None:
    """How long it took until the program ran for the first time, in seconds; None where it did not.

    Args:
        job: The Job: of pods that work together each has to run, of shards any.
        members: The pods of each member.
        begun: When the work was begun.
    """
    starts = [
        [each["startedAt"] for pod in own for each in state(pod).values() if each.get("startedAt")] for own in members
    ]
    if not any(starts):
        return None
    firsts = [min(each) for each in starts if each]
    ran = min(firsts) if job and is_sharded(job) else max(firsts)
    return max(0.0, (datetime.fromisoformat(ran) - begun).total_seconds())


def interruptions(job: Object, pods: Sequence[Object], now: datetime) -> dict[str, str]:
    """Why pods ended, or hang, whose work goes on in others: the category of the cause, by the uid of each.

    Args:
        job: Their Job.
        pods: The pods.
        now: The API server's time.
    """
    causes = {pod["metadata"]["uid"]: _cause(pod, now) for pod in pods}
    # of pods that work together, one that saved and ended has ended for another
    none = Category.INTERRUPTED if members_of(job) > 1 and not is_sharded(job) else None
    return {uid: str(cause) for uid, cause in causes.items() if cause and cause is not none}


def last_lines(pods: Sequence[Object], said_by: Callable[[str], Sequence[str]]) -> tuple[str, ...]:
    """Give what the first pod's program said, and the last words of others that have failed by themselves.

    Args:
        pods: The newest pod of each member.
        said_by: Gives the lines of a pod by its name.
    """
    lines: list[str] = []
    for pod in pods:
        said = said_by(pod["metadata"]["name"])
        if index_of(pod) == 0:
            lines += said
        elif (state(pod).get("terminated") or {}).get("exitCode", 0) not in GOOD_ENDS:
            lines += [f"pod {index_of(pod)}: {line}" for line in said[-LAST_LINES:]]
    return tuple(lines)


def _cause(pod: Object, now: datetime) -> Category | None:
    if cause := diagnose_ended(pod) or diagnose_running(pod, now):
        return cause.category
    # deleted by force: it goes at once, and no end of its program is told
    by_force = pod["metadata"].get("deletionGracePeriodSeconds") == 0 and "running" in state(pod)
    return Category.KILLED if by_force else None
