"""What can be wrong with a Job: the categories, and what each means for waiting and the exit code."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ctiforge.errors import ExitCode


class Category(StrEnum):
    """One cause; status, retry and message follow from it."""

    # no pod yet
    SUSPENDED = "suspended"
    QUOTA_EXCEEDED = "quota exceeded"
    ADMISSION_REFUSED = "admission refused"
    POD_NOT_CREATED = "pod not created"
    # a pod without a node
    QUEUED = "queued"
    NO_GPU = "no gpu"
    NO_MEMORY = "no memory"
    NO_CPU = "no cpu"
    NO_STORAGE = "no ephemeral storage"
    NO_MATCHING_NODE = "no matching node"
    TAINTED = "tainted"
    VOLUME_UNBOUND = "volume unbound"
    UNSCHEDULABLE = "unschedulable"
    # a pod that has not started
    IMAGE_NOT_FOUND = "image not found"
    IMAGE_NOT_PERMITTED = "image not permitted"
    IMAGE_NAME_INVALID = "image name invalid"
    IMAGE_NOT_PULLED = "image not pulled"
    SECRET_MISSING = "secret missing"
    CONFIG_MAP_MISSING = "config map missing"
    VOLUME_NOT_MOUNTED = "volume not mounted"
    CANNOT_START = "cannot start"
    SLOW_START = "slow start"
    # a pod whose node or deletion hangs
    NODE_LOST = "node lost"
    STUCK_TERMINATING = "stuck terminating"
    # a program that ended by the contract of exit codes
    USAGE_ERROR = "usage error"
    DATA_ERROR = "data error"
    CANNOT_GO_ON = "cannot go on"
    GATE_NOT_PASSED = "gate not passed"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"
    # a program that was ended
    OOM_KILLED = "out of memory"
    SCRATCH_FULL = "scratch full"
    KILLED = "killed"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    NODE_REFUSED = "node refused"
    NODE_RESTARTED = "node restarted"
    INIT_FAILED = "init container failed"
    # the Job as a whole
    DEADLINE = "deadline"
    JOB_FAILED = "job failed"
    JOB_DELETED = "job deleted"
    # what the launcher waits no longer for
    PENDING_TOO_LONG = "pending too long"
    RAN_TOO_LONG = "ran too long"

    @property
    def is_fatal(self) -> bool:
        """Waiting does not help: a person has to change something first."""
        return self in _FATAL

    @property
    def exit_code(self) -> ExitCode | None:
        """What a run that ends for this reason exits with; None: with the program's own code."""
        if self in _OWN_CODE:
            return None
        if self in _WRONGLY_SET:
            return ExitCode.USAGE
        return ExitCode.INTERRUPTED if self is Category.JOB_DELETED else ExitCode.CANNOT_GO_ON


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, for a person and for the launcher."""

    category: Category
    summary: str
    """One line, what and where; the same words as long as the cause is the same."""
    detail: str
    """The cluster's own words or the program's last ones, shortened."""
    remedy: str
    """What to do, naming the chart's value or the command."""
    since: datetime | None = None
    """The cluster's own time of the sign."""
    exit_code: int | None = None
    """Of the program's container, where it ended."""
    container: str | None = None
    """The container that it is about, where that is not the program's: its own log has the last words."""


_WRONGLY_SET = frozenset(
    {
        Category.ADMISSION_REFUSED,
        Category.IMAGE_NOT_FOUND,
        Category.IMAGE_NOT_PERMITTED,
        Category.IMAGE_NAME_INVALID,
        Category.SECRET_MISSING,
        Category.CONFIG_MAP_MISSING,
        Category.CANNOT_START,
    }
)
_OWN_CODE = frozenset(
    {
        Category.USAGE_ERROR,
        Category.DATA_ERROR,
        Category.CANNOT_GO_ON,
        Category.GATE_NOT_PASSED,
        Category.INTERRUPTED,
        Category.CRASHED,
        Category.KILLED,
    }
)
_FATAL = _WRONGLY_SET | {
    Category.USAGE_ERROR,
    Category.DATA_ERROR,
    Category.CANNOT_GO_ON,
    Category.GATE_NOT_PASSED,
    Category.SCRATCH_FULL,
    Category.DEADLINE,
    Category.JOB_FAILED,
}
