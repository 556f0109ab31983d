"""Tells the world outside what came of a run; whatever goes wrong with that, the run ends as it did."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import typer

from ctiforge.errors import CtiforgeError, ExitCode
from ctiforge.launcher.result import Result, result_of
from ctiforge.launcher.webhook import send
from ctiforge.lines.line import LineStage
from ctiforge.pod.extras import how_to_install
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.settings import Settings
from ctiforge.store.models import Registry
from ctiforge.store.objects import ObjectStore, open_to_look
from ctiforge.visible import visible


@dataclass
class Announcing:
    """Tells of one run; as a context manager also of one that could not start, by the error that leaves the block."""

    settings: Settings
    line: str
    say: Callable[[str], None] = lambda line: typer.echo(visible(line))
    wait: Callable[[float], object] = time.sleep
    is_over: bool = False
    """Whether it was told what came of the run, or nothing is to be told."""
    before: dict[str, StageRecord] = field(default_factory=dict)
    """Each stage as it stood before this launcher."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_over and isinstance(error, Exception) and _is_failure(error):
            self.tell(Result(_not_begun(self.settings, self.line, error), "failed", began=False), None)

    def began(self, run: RunRecord) -> None:
        """Note how the run stands when this launcher begins with it."""
        self.before = {stage.name: stage.model_copy() for stage in run.stages}

    def ended(self, run: RunRecord, stages: Sequence[LineStage], store: ObjectStore) -> None:
        """Tell what came of a run that began.

        Args:
            run: Its record, as it ended.
            stages: Its stages.
            store: The store that keeps it.
        """
        live = [stage.name for stage in stages if stage.live]
        approval = self.settings.promote_approval == "required"
        promoted = _was_promoted(self.line, store, run)
        self.tell(result_of(run, live, was_promoted=promoted, approval=approval), store)

    def tell(self, result: Result, store: ObjectStore | None) -> None:
        """Tell what came of the run to all who want to know; `store` is None where the launcher has not opened it."""
        self.is_over = True
        with self._not_failing(result, "the cluster was not told"):
            self._tell_cluster(result)
        with self._not_failing(result, "no metrics were pushed"):
            self._push_metrics(result, store)
        with self._not_failing(result, "the webhook was not told"):
            self._tell_webhook(result)

    def _tell_cluster(self, result: Result) -> None:
        # a launcher that was told to end has no time for more than it must do
        if result.kind and self.settings.backend == "kubernetes" and self.settings.run_id:
            from ctiforge.launcher.kubernetes.job_events import note_on_job

            note_on_job(self.settings, result)

    def _push_metrics(self, result: Result, store: ObjectStore | None) -> None:
        from ctiforge.launcher.metrics import is_wanted, push_metrics

        if not is_wanted():
            return
        store = store or open_to_look(self.settings.store)
        if not push_metrics(self.settings, result, store, self.before):
            self.say("warning: no metrics were pushed: their receiver did not take them")

    def _tell_webhook(self, result: Result) -> None:
        url = self.settings.webhook_url
        if not url or result.kind not in self.settings.webhook_results:
            return
        trouble = send(url.get_secret_value(), result, self.wait)
        self.say(f"warning: {trouble}" if trouble else "told the webhook")

    @contextmanager
    def _not_failing(self, result: Result, what: str) -> Iterator[None]:
        """Say what goes wrong in the block, once; the run has ended by then, and nothing changes that."""
        try:
            yield
        except ModuleNotFoundError as error:
            self.say(f"warning: {what}: {how_to_install(error) or error}")
        except Exception as error:
            words = str(error).partition("\n")[0] if isinstance(error, CtiforgeError) else type(error).__name__
            if words != result.run.reason:
                self.say(f"warning: {what}: {words}")


def _was_promoted(line: str, store: ObjectStore, run: RunRecord) -> bool:
    """Whether a model became the line's champion since the run began; False where the store does not say."""
    try:
        champion = Registry(store, line).standing().champion
    except (CtiforgeError, OSError):
        return False
    return champion is not None and champion.history[-1].what == "promoted" and champion.history[-1].at > run.started_at


def _is_failure(error: Exception) -> bool:
    return not (isinstance(error, CtiforgeError) and error.exit_code == ExitCode.INTERRUPTED)


def _not_begun(settings: Settings, line: str, error: Exception) -> RunRecord:
    """Give the record that the run would have; nothing keeps it."""
    now = datetime.now(UTC)
    is_told = isinstance(error, CtiforgeError)
    reason = str(error).partition("\n")[0] if is_told else f"the launcher broke: {type(error).__name__}"
    return RunRecord(
        id=settings.run_id or f"a run of {line}",
        line=line,
        state="failed",
        started_at=now,
        ended_at=now,
        exit_code=int(error.exit_code) if isinstance(error, CtiforgeError) else int(ExitCode.CRASH),
        reason=reason,
        stages=[],
    )
