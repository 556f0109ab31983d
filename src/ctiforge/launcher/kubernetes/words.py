"""What the programs of a piece of work say: their lines, kept by pod, and what they made."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ctiforge.launcher.backend import Event, Made, Progressed, Said, read_event
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.ending import LAST_WORDS
from ctiforge.launcher.kubernetes.reading import shortened
from ctiforge.launcher.kubernetes.refusals import ClusterError

KEEP_LINES = 2_000


@dataclass
class ProgramWords:
    """The lines of each pod's program, its last ones at least."""

    on_event: Callable[[Event], None]
    made: Made | None = None
    """What the program said that it made."""
    ended: set[str] = field(default_factory=set)
    """Pods whose logs were read to their end."""
    quiet: set[str] = field(default_factory=set)
    """Pods whose programs say nothing but their last words: another one speaks for them."""
    shards: dict[str, int] = field(default_factory=dict)
    """Pods that work each for itself, and which each is of `shard_count`: their progress is told together."""
    shard_count: int = 1
    _progress: dict[int, Progressed] = field(default_factory=dict)
    _lines: dict[str, deque[str]] = field(default_factory=dict)
    _of_others: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, pod: str, line: str) -> None:
        """Take a line of a pod's program, and pass on what it says."""
        event = read_event(line)
        if isinstance(event, Made):
            self.made = event
            return
        if isinstance(event, Said):
            self._lines.setdefault(pod, deque(maxlen=KEEP_LINES)).append(line)
        if pod in self.quiet:
            return
        if isinstance(event, Progressed) and pod in self.shards:
            # that of a shard's newest pod takes the place of what the one before had done
            self._progress[self.shards[pod]] = event
            event = together(list(self._progress.values()), self.shard_count)
        self.on_event(event)

    def of(self, pod: str | None) -> tuple[str, ...]:
        """Give what the pod's program said, progress left out."""
        return tuple(self._lines.get(pod or "", ()))

    def of_another(self, cluster: Cluster, pod: str, container: str) -> str:
        """Give the last words of a container that is not the program's; the cluster is asked once."""
        if (pod, container) not in self._of_others:
            try:
                lines = [each.partition(" ")[2] for each in cluster.log(pod, container, follow=False)]
            except ClusterError:
                # gone, or not to be had: a diagnosis stands without them
                lines = []
            self._of_others[pod, container] = shortened("\n".join(lines[-LAST_WORDS:]))
        return self._of_others[pod, container]


def together(of_each: Sequence[Progressed], count: int) -> Progressed:
    """Add up the progress of shards; shards that have told none yet are taken to be as large as the others.

    Args:
        of_each: The progress of each that has told some.
        count: How many there are.

    Returns:
        The progress of all; the time that is left is not known, nor are figures of all.
    """
    known = sum(each.total or 0 for each in of_each)
    return Progressed(sum(each.done for each in of_each), round(known / len(of_each) * count) or None, None, {})
