"""The Job of an attempt is made: also where a quota holds one Job alone, or the cluster takes none."""

from collections.abc import Callable
from dataclasses import dataclass

from ctiforge.launcher.kubernetes.attempts import WAIT, NextMove, not_admitted, refused
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.manifests import attempt_of
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.seen import Seen

ROOM_WITHIN_S = 60.0
"""How long a quota may take to see that a Job was deleted."""
NOT_ADMITTED = (400, 403, 422)
"""What the API answers to a Job that it does not take, and would not the next time."""


@dataclass(frozen=True)
class Making:
    """Makes the Jobs of one piece of work."""

    seen: Seen
    job_of: Callable[[int], Object]
    """Gives the manifest of an attempt's Job."""
    look_again: Callable[[], None]
    """Lists the Jobs and pods anew."""
    wait: Callable[[], None]
    """Waits for a change and takes in what has come; ends by a signal."""
    clock: Callable[[], float]
    """Seconds."""

    def make(self, attempt: int) -> NextMove:
        """Create an attempt's Job; where a quota holds no Job more, those before it make room.

        Args:
            attempt: From 1.

        Returns:
            To wait for what becomes of it; to fail, with the cause, where the cluster takes no Job of the work.

        Raises:
            ClusterError: What may pass, or a refusal while an earlier Job of the work may live.
        """
        try:
            # first the next, so that there is never none: an older attempt that still writes is fenced off
            self._create(attempt)
        except ClusterError as error:
            if not error.is_quota:
                return self._refused(error)
            if self._is_there(attempt):
                return WAIT
            if not self.seen.jobs:
                return self._refused(error)
            for name in self.seen.jobs:
                self.seen.cluster.delete_job(name)
            return self._create_when_there_is_room(attempt)
        return WAIT

    def is_namespace_gone(self, attempt: int) -> bool:
        """Say whether the API takes no Job there any more because the namespace is deleted, or being so."""
        try:
            self.seen.cluster.create_job(self.job_of(attempt), dry_run=True)
        except ClusterError as error:
            return error.is_of_namespace
        return False

    def _create(self, attempt: int) -> None:
        # made just now by us or, where there was one, by another launcher: its state comes by the watch
        self.seen.cluster.create_job(self.job_of(attempt))
        self.seen.attempt = attempt

    def _create_when_there_is_room(self, attempt: int) -> NextMove:
        end = self.clock() + ROOM_WITHIN_S
        while True:
            try:
                self._create(attempt)
                return WAIT
            except ClusterError as error:
                if not error.is_quota or (self.clock() > end and not self._is_there(attempt)):
                    return self._refused(error)
            if self._is_there(attempt):
                return WAIT
            self.wait()

    def _is_there(self, attempt: int) -> bool:
        """Look whether another launcher has made an attempt, for which a quota then has no room twice."""
        self.look_again()
        return any(attempt_of(job) >= attempt for job in self.seen.jobs.values())

    def _refused(self, error: ClusterError) -> NextMove:
        """End where the cluster takes no Job of the work; what may pass is raised, or where an earlier one may live."""
        if error.is_quota:
            return refused(self.seen.key, self.seen.cluster.namespace, error.refusal)
        if error.status in NOT_ADMITTED and not self.seen.jobs:
            return not_admitted(self.seen.key, error.refusal, error.mend)
        raise error
