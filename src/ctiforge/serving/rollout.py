"""Which model answers: the champion of the registry is followed, and a new one takes over only when it is proven.

A new champion is loaded beside the old one where memory holds both. Where it does not, servers take turns: one says
that it is not ready, finishes what it has, loads, and is ready again. Whatever cannot be loaded, or answers its canary
otherwise, leaves the old one in use. Requests under way end on the model that they began with.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ctiforge.errors import CtiforgeError, DataError, StoreError
from ctiforge.extract.canary import share_alike
from ctiforge.progress import warn
from ctiforge.records.registry import ModelRecord
from ctiforge.serving.engine import Engine
from ctiforge.serving.lease import TurnLease
from ctiforge.serving.loading import LoadedModel
from ctiforge.serving.metrics import Metrics
from ctiforge.store.models import Registry
from ctiforge.training.faults import first_line, is_out_of_memory

LEAST_ALIKE = 0.95
"""The share of a canary's items that must be as in the evaluation."""
SPARE = 1.2
"""How much memory must be free to load weights beside others, as a multiple of them."""
_DRAIN_SECONDS = 180.0
_PAUSE_SECONDS = 300.0
"""How long a server answers before it lets its model go once more for one that a passing fault kept away."""
_PASSING = (StoreError, OSError)
"""Faults that are not the version's own: the same version may be loaded the next time."""


@dataclass(frozen=True)
class Hands:
    """What a rollout does its work with."""

    load: Callable[[ModelRecord], LoadedModel]
    make_engine: Callable[[LoadedModel], Engine]
    weights: Callable[[ModelRecord], int] = lambda record: 0
    """Bytes of a version's weights; 0 where this process holds none."""
    free: Callable[[], int | None] = lambda: None
    """Bytes of memory that are free; None where nobody knows."""
    retries: bool = False
    """Whether a version that cannot be used now may be later, as one that an engine does not serve yet."""


class Rollout:
    """The engine in use, and what is to take its place."""

    def __init__(
        self, hands: Hands, metrics: Metrics, registry: Registry | None = None, lease: TurnLease | None = None
    ):
        self._hands = hands
        self._metrics = metrics
        self._registry = registry
        self._lease = lease
        self._engine: Engine | None = None
        self._settled: str | None = None
        """The tag of the champion's object that nothing is left to do about."""
        self._too_large: int | None = None
        """A version that memory turned out not to hold beside the one in use."""
        self._missing: str | None = None
        self._before: int | None = None
        """The version that was let go for another."""
        self._rests_until = 0.0
        """When it may let its model go for another again."""
        self.draining = False
        """Whether it is about to stop answering, to load another model."""
        self.trouble: str | None = None
        """Why the champion is not what answers; None where it is."""
        self.wanted: int | None = None
        """The registry's champion, as last seen."""

    @property
    def engine(self) -> Engine | None:
        """Give the engine that answers new requests; None while there is none."""
        return self._engine

    def hold(self) -> Engine | None:
        """Give the engine for one request, which has to release it; None while there is none."""
        while engine := self._engine:
            if engine.hold():
                return engine
        return None

    @property
    def not_ready(self) -> str | None:
        """Say why new requests should go elsewhere; None where it is ready."""
        if self._engine is None:
            return self.trouble or "the model is being loaded"
        if self.draining:
            return "about to load another version of the model"
        return self._engine.fault or self._missing

    def use(self, loaded: LoadedModel) -> None:
        """Prove a loaded model and let it answer. Raises DataError where its canary is answered otherwise."""
        check_canary(loaded)
        old, self._engine = self._engine, self._hands.make_engine(loaded)
        if old:
            old.retire()

    def step(self) -> None:
        """Look once whether another version is to answer, and do the next thing about it; nothing is raised."""
        self._look_at_engine()
        if self._registry is None:
            return
        try:
            self._follow(self._registry)
        except CtiforgeError as error:
            # what the store does not say now it may say the next time
            self._tell(str(error))
        except Exception as error:  # whoever watches goes on watching
            self._tell(f"the champion could not be looked at: {first_line(error)}")

    def _look_at_engine(self) -> None:
        """Ask an engine that holds the weights elsewhere whether it still does; one that does may answer again."""
        engine = self._engine
        if engine is None or engine.loaded.engine is None:
            self._missing = None
            return
        try:
            self._missing = engine.loaded.check_served()
            engine.fault = None
        except CtiforgeError as error:
            self._missing = str(error)

    def _follow(self, registry: Registry) -> None:
        standing = registry.standing()
        if standing.champion is None:
            self._tell(f"{registry.line} has no champion yet: promote a model (ctiforge promote {registry.line} …)")
            return
        self.wanted = standing.champion.version
        if standing.tag == self._settled and self._engine:
            return
        if self._engine and self._engine.loaded.version == self.wanted:
            self._settle(standing.tag, None)
            self._stay()
            return
        record = registry.get(self.wanted)
        if self._fits(record):
            if not self._take(record, standing.tag) and self._engine is None:
                self._bring_back(registry)
        elif not self.draining:
            if time.monotonic() >= self._rests_until:
                self._begin_to_drain()
        else:
            self._replace(registry, record, standing.tag)

    def _fits(self, record: ModelRecord) -> bool:
        if self._engine is None:
            return True
        if record.version == self._too_large:
            return False
        free = self._hands.free()
        return free is None or free >= SPARE * self._hands.weights(record)

    def _take(self, record: ModelRecord, tag: str | None) -> bool:
        """Load a version beside what there is; False where the old one goes on."""
        name = f"version {record.version} of {record.line}, {record.name}"
        try:
            self.use(self._hands.load(record))
        except Exception as error:  # whatever is wrong with it, the old one goes on
            if is_out_of_memory(error) and self._engine:
                self._too_large = record.version
                return False
            why = str(error) if isinstance(error, CtiforgeError) else first_line(error)
            is_passing = self._hands.retries or isinstance(error, _PASSING)
            self._settle(None if is_passing else tag, f"{name}, cannot be used: {why}")
            self._metrics.count("rollouts_total", outcome="failed")
            return False
        self._settle(tag, None)
        self._stay()
        self._metrics.count("rollouts_total", outcome="done")
        return True

    def _begin_to_drain(self) -> None:
        """Say that requests should go elsewhere; they still are answered, until the next step."""
        if self._lease and not self._lease.take():
            self._tell("memory holds one model only, and another server loads the champion now: this one is next")
            return
        self.draining = True

    def _replace(self, registry: Registry, record: ModelRecord, tag: str | None) -> None:
        """Finish what is under way, let the old model go, and load the new one, or the old one again."""
        old = self._engine
        assert old is not None
        self._engine = None
        old.retire()
        ended = old.wait_until_ended(_DRAIN_SECONDS)
        if not ended:
            # still at work on an article: it goes on answering, and this is tried again
            self._engine = self._hands.make_engine(old.loaded)
            return
        self._before = old.loaded.version
        del old
        free_device_memory()
        try:
            if not self._take(record, tag):
                self._bring_back(registry)
        finally:
            self._stay()

    def _bring_back(self, registry: Registry) -> None:
        """Load the version again that was let go for one that cannot be used."""
        if self._before is not None:
            self._rests_until = time.monotonic() + _PAUSE_SECONDS
            self.use(self._hands.load(registry.get(self._before)))

    def _stay(self) -> None:
        if self.draining:
            self.draining = False
            if self._lease:
                self._lease.give_back()

    def _settle(self, tag: str | None, trouble: str | None) -> None:
        self._settled = tag
        if trouble is None:
            self.trouble = None
        else:
            self._tell(trouble)

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            warn(trouble)
        self.trouble = trouble


def check_canary(loaded: LoadedModel) -> None:
    """Hold a loaded model to its evaluation. Raises DataError where too much is answered otherwise."""
    if loaded.canary is None:
        return
    share = share_alike(loaded.canary, loaded.extractor)
    if share < LEAST_ALIKE:
        raise DataError(
            f"it answers {share:.0%} of its canary's items as in its evaluation, and {LEAST_ALIKE:.0%} are needed: "
            f"see ctiforge models check extract@{loaded.version} --canary"
        )


def free_device_memory() -> None:
    """Give back what a model that nobody holds any more still takes of a GPU."""
    import gc
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available():
        torch.cuda.empty_cache()
