"""What one process knows of those that train with it, and how they agree; alone, it agrees with itself."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from ctiforge.pod.ranks import TOGETHER, RankLostError
from ctiforge.pod.waiting import ending_at_once

T = TypeVar("T")

# The first answers validation articles while the others wait; who is gone is noticed by those who started it.
WAITS_AT_MOST = timedelta(hours=6)


@dataclass(frozen=True)
class Ranks:
    """A process among those that train one model together."""

    rank: int = 0
    """Its number, from 0."""
    count: int = 1
    """How many there are."""
    local: int = 0
    """Its number on its machine, from 0: that of its GPU."""
    on_machine: int = 1
    """How many there are on its machine."""

    @property
    def is_first(self) -> bool:
        """Tell whether attempt, checkpoints, progress and result are this one's."""
        return self.rank == 0

    def any(self, mine: bool) -> bool:
        """Tell whether any of them says yes; all get the same answer.

        Args:
            mine: What this one says.

        Returns:
            Whether one says yes.
        """
        return self.sum([float(mine)])[0] > 0

    def sum(self, mine: Sequence[float]) -> list[float]:
        """Add up the numbers that each has.

        Args:
            mine: This one's; as many in each.

        Returns:
            The sums, the same in each.
        """
        if self.count == 1:
            return list(mine)
        import torch

        numbers = torch.tensor(mine, dtype=torch.float64)
        torch.distributed.all_reduce(numbers)
        return [float(each) for each in numbers]

    def wait(self) -> None:
        """Wait until all are here."""
        self.sum([0.0])

    def gather(self, mine: T) -> list[T]:
        """Collect what each has; the same in each.

        Args:
            mine: This one's, as pickle can write it.

        Returns:
            One of each, in the order of their numbers.
        """
        if self.count == 1:
            return [mine]
        import torch

        every: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(every, mine)
        return every

    def by_first(self, make: Callable[[], T]) -> T:
        """Let the first make something for all.

        Args:
            make: Makes it; called in the first alone.

        Returns:
            What the first made, in each.
        """
        if self.count == 1:
            return make()
        import torch

        made: list[Any] = [make() if self.is_first else None]
        torch.distributed.broadcast_object_list(made, src=0)
        found: T = made[0]
        return found

    def first_on_machine_first(self, make: Callable[[], T]) -> T:
        """Make something in each, where the first of a machine makes it anew and the others find it there.

        Args:
            make: Makes or finds it.

        Returns:
            What this one made or found.
        """
        if self.count == 1:
            return make()
        if self.local == 0:
            made = make()
        self.wait()
        return made if self.local == 0 else make()


ALONE = Ranks()


def ranks_here() -> Ranks:
    """Read which of the processes that `run_ranks` started this one is.

    Returns:
        This process among them; alone where it is none of them.
    """
    if TOGETHER not in os.environ:
        return ALONE
    return Ranks(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")))


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that were started with this one.

    Yields:
        This process among them; alone where it is none of them.

    Raises:
        RankLostError: Another one is gone.
    """
    ranks = ranks_here()
    if ranks.count == 1:
        yield ranks
        return
    import torch

    # gloo carries what lies in this machine's memory, NCCL what lies in a GPU's
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        with ending_at_once():
            torch.distributed.init_process_group(backend, timeout=WAITS_AT_MOST)
        yield ranks
    except (torch.distributed.DistError, RuntimeError) as error:
        if not _is_lost(error):
            raise
        # gloo begins with a place in its source, and ends with what it may mean
        said = re.sub(r"^\[\S+:\d+\] ", "", str(error).splitlines()[0]).partition(". This is")[0]
        raise RankLostError(f"another process is gone ({said[:160]})") from None
    finally:
        leave()


def leave() -> None:
    """Leave the others: all that was done together is done, and those who come for another try do not meet this one."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _is_lost(error: Exception) -> bool:
    import torch

    said = str(error)
    lost = ("Connection closed", "Connection reset", "connection closed", "Broken pipe", "Socket closed", "NCCL")
    return isinstance(error, torch.distributed.DistError) or any(each in said for each in lost)
